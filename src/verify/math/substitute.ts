/** Symbols put in for others. */
import { type Expression, mapChildren, symbol } from "./expression.ts";

/** The value in the place of every symbol of that name. */
export function substituted(node: Expression, name: string, value: Expression): Expression {
  if (node.kind === "symbol") return node.name === name ? value : node;
  return mapChildren(node, (part) => substituted(part, name, value));
}

/** All symbols by their new names at once, so that two may change places; those without a new name keep theirs. */
export function renamed(node: Expression, names: ReadonlyMap<string, string>): Expression {
  if (node.kind === "symbol") return symbol(names.get(node.name) ?? node.name);
  return mapChildren(node, (part) => renamed(part, names));
}

/** Every order of the names. */
export function ordersOf(names: readonly string[]): readonly (readonly string[])[] {
  if (names.length < 2) return [names];
  return names.flatMap((name, index) => {
    return ordersOf(names.filter((_, at) => at !== index)).map((rest) => [name, ...rest]);
  });
}
