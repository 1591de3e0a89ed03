/** Is a decimal what an exact value rounds to? 4 pi = 12.57. */
import { createBudget, LimitReached } from "./budget.ts";
import { isReal } from "./complex.ts";
import { evaluate } from "./evaluate.ts";
import type { Expression } from "./expression.ts";
import { type Rational, toNumber } from "./rational.ts";

/** True for 1/3 and 0.333; a whole number rounds a value only where the sign says that it is about so much. */
export function isRounding(exact: Expression, rounded: Expression, mayBeWhole: boolean): boolean {
  if (rounded.kind !== "number" || !(rounded.decimal || mayBeWhole)) return false;
  const value = numericValue(exact);
  return value !== null && Math.abs(value - toNumber(rounded.value)) <= 0.5000001 * 10 ** -decimalsOf(rounded.value);
}

function numericValue(node: Expression): number | null {
  try {
    const value = evaluate(node, { symbols: new Map(), budget: createBudget() });
    return value === null || !isReal(value) ? null : value.re;
  } catch (error) {
    if (error instanceof LimitReached) return null;
    throw error;
  }
}

/** The digits after the point that the fraction needs. */
function decimalsOf({ denominator }: Rational): number {
  let decimals = 0;
  for (let scale = 1n; scale % denominator !== 0n && decimals < 20; scale *= 10n) decimals++;
  return decimals;
}
