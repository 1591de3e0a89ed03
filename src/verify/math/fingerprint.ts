/**
 * A text that two answers share when they are equal, so that votes can be counted without comparing every pair.
 *
 * Exact values are their fraction; other expressions are their values at two fixed points, to 9 significant digits. Two equal
 * answers get different texts only where rounding splits them, about once in 10^6 such pairs; unequal answers share a text with a
 * probability below 10^-15.
 */
import { createBudget, LimitReached } from "./budget.ts";
import { evaluate } from "./evaluate.ts";
import { exactValue } from "./exact.ts";
import { type Expression, freeSymbols, keyOf } from "./expression.ts";

/** Total: what cannot be evaluated is named by its shape. */
export function fingerprint(expression: Expression): string {
  try {
    return fingerprintOf(expression);
  } catch (error) {
    if (error instanceof LimitReached || error instanceof RangeError) return keyOf(expression);
    throw error;
  }
}

function fingerprintOf(node: Expression): string {
  switch (node.kind) {
    case "text":
      return `"${node.words}"`;
    case "set":
    case "list":
      return `{${[...new Set(node.items.map(fingerprintOf))].sort().join(", ")}}`;
    case "tuple":
      return `${node.open}${node.items.map(fingerprintOf).join(", ")}${node.close}`;
    case "relation": {
      const [left, right] = node.sides;
      const isAssignment = node.operators.length === 1 && node.operators[0] === "=" && left?.kind === "symbol";
      return isAssignment && right !== undefined ? fingerprintOf(right) : keyOf(node);
    }
    case "with-unit":
    case "family":
      return fingerprintOf(node.value);
    default:
      return valueKey(node) ?? keyOf(node);
  }
}

function valueKey(node: Expression): string | null {
  const exact = exactValue(node, createBudget());
  if (exact !== null)
    return exact.denominator === 1n ? `${exact.numerator}` : `${exact.numerator}/${exact.denominator}`;
  const names = [...freeSymbols(node)].sort();
  const values = POINTS.map((point) => {
    const symbols = new Map(names.map((name, index) => [name, { re: point + index * 0.61803, im: 0, error: 0 }]));
    return evaluate(node, { symbols, budget: createBudget() });
  });
  if (values.some((value) => value === null)) return null;
  const parts = values.map((value) => `${significant(value!.re)},${significant(value!.im)}`);
  return `~${names.join("")}:${(names.length === 0 ? parts.slice(0, 1) : parts).join(";")}`;
}

/** Points without a special value for any common function. */
const POINTS = [0.73915, 1.3247];

function significant(value: number): string {
  return Math.abs(value) < 1e-12 ? "0" : value.toPrecision(9);
}
