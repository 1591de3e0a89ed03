/** Bounds that a value is given for its parameters: n = 2^k, k >= 0 and 2^k (k >= 0). */
import { type Expression, freeSymbols, number, type Of, product, sum } from "./expression.ts";

/** A value, and what is said of one of its letters. */
export interface Bounded {
  readonly value: Expression;
  readonly bound: Expression;
}

/** null where nothing is bounded: in x > 1, y > 2 and P(X > 2) the inequality is the answer itself, or a part of it. */
export function boundedOf(node: Expression): Bounded | null {
  if (node.kind === "list" && node.joiner === "," && node.items.length === 2) {
    return bounded(node.items[0]!, node.items[1]!);
  }
  if (node.kind !== "relation") return bounded(...withoutBracket(node));
  const [left, right] = node.sides;
  if (node.operators.join() !== "=" || right!.kind === "relation") return null;
  const [formula, bound] = withoutBracket(right!);
  return bounded({ ...node, sides: [left!, formula] }, bound);
}

/** A bracket behind a formula is read as the last factor of its last term: 2x + 1 (x > 0). */
function withoutBracket(node: Expression): readonly [Expression, Expression] {
  if (node.kind === "relation") return [number(1), node];
  if (node.kind === "sum") {
    const [term, bound] = withoutBracket(node.terms.at(-1)!);
    return [sum([...node.terms.slice(0, -1), term]), bound];
  }
  return node.kind === "product" ? [product(node.factors.slice(0, -1)), node.factors.at(-1)!] : [node, node];
}

function bounded(value: Expression, bound: Expression): Bounded | null {
  if (bound.kind !== "relation" || !bound.operators.every((operator) => /^[<>]=?$/.test(operator))) return null;
  const [name, ...others] = freeSymbols(bound);
  const isOfLetter = others.length === 0 && bound.sides.some((side) => side.kind === "symbol" && side.name === name);
  const formula = value.kind === "relation" ? formulaOf(value) : value;
  if (name === undefined || !isOfLetter || formula === null || formula.kind === "symbol") return null;
  return freeSymbols(formula).has(name) ? { value, bound } : null;
}

/** 2^k of n = 2^k and f(x) = 2^x, but nothing of k = 2^k. */
function formulaOf({ sides, operators }: Of<"relation">): Expression | null {
  const [left, right] = sides;
  const isNamed = left?.kind === "symbol" || (left?.kind === "call" && !left.known);
  if (operators.join() !== "=" || !isNamed || right === undefined) return null;
  return left.kind === "symbol" && freeSymbols(right).has(left.name) ? null : right;
}
