/** What the policies use where the graders they name use SymPy: our own exact comparison, with nothing forgiven. */
import { createBudget, LimitReached } from "../math/budget.ts";
import { equalMath } from "../math/equal.ts";
import { evaluate } from "../math/evaluate.ts";
import { freeSymbols, type Kind } from "../math/expression.ts";
import { parseMath } from "../math/parse.ts";

/** Where the graders find an expression that has a value: SymPy reads relations, lists, sets and units not at all, or without them. */
const VALUES: ReadonlySet<Kind> = new Set([
  "number",
  "symbol",
  "constant",
  "sum",
  "product",
  "power",
  "call",
  "series",
]);

/** The same value as formulas. */
export function sameFormula(gold: string, answer: string): boolean {
  const [a, b] = [parseMath(gold), parseMath(answer)];
  if (a === null || b === null || !VALUES.has(a.expression.kind) || !VALUES.has(b.expression.kind)) return false;
  return equalMath(a, b, { floatRounding: 12, units: "keep" }).equal;
}

/** The real value of a formula without symbols; null for any other. */
export function realValue(text: string): number | null {
  const parsed = parseMath(text);
  if (parsed === null || parsed.expression.kind === "text" || freeSymbols(parsed.expression).size > 0) return null;
  try {
    const value = evaluate(parsed.expression, { symbols: new Map(), budget: createBudget() });
    return value === null || value.im !== 0 ? null : value.re;
  } catch (error) {
    if (error instanceof LimitReached || error instanceof RangeError) return null;
    throw error;
  }
}
