/** Lists with an ellipsis between numbers: 1, 2, ..., 10 is every number from 1 to 10. */
import { type Expression, number } from "./expression.ts";
import { add, compare, divide, isInteger, multiply, negate, ONE, type Rational, rational } from "./rational.ts";

const MAX_FILLED = 100;

/** The items with the numbers in the place of the ellipsis; the items themselves where these are no plain progression. */
export function withoutEllipsis(items: readonly Expression[]): readonly Expression[] {
  const at = items.findIndex(isEllipsis);
  if (at < 1 || at !== items.length - 2) return items;
  const before = items.slice(0, at).map(valueOfNumber);
  const last = valueOfNumber(items.at(-1)!);
  const [first] = before;
  if (first == null || last === null) return items;
  const second = before[1] ?? (before.length === 1 ? add(first, ONE) : null);
  if (second === null) return items;
  const step = add(second, negate(first));
  if (step.numerator === 0n) return items;
  const count = divide(add(last, negate(first)), step);
  if (!isInteger(count) || count.numerator < BigInt(at) || count.numerator > BigInt(MAX_FILLED)) return items;
  const all = Array.from({ length: Number(count.numerator) + 1 }, (_, index) => {
    return add(first, multiply(step, rational(BigInt(index))));
  });
  const isProgression = before.every((value, index) => value !== null && compare(value, all[index]!) === 0);
  return isProgression ? all.map((value) => number(value)) : items;
}

function isEllipsis(node: Expression): boolean {
  return node.kind === "symbol" && node.name === "\u2026";
}

function valueOfNumber(node: Expression): Rational | null {
  return node.kind === "number" ? node.value : null;
}
