/**
 * Chains in an answer, x = 9 * 2 = 18 and 22/7 = 3.14…: in strict mode a chain is an answer only where it is true, so that all its
 * members are one value. 17 = 18 = 19 names three values, one of which may be the gold.
 */
import { equalMath } from "./equal.ts";
import { type Expression, freeSymbols, keyOf, type Relation } from "./expression.ts";
import type { Parsed } from "./parse.ts";
import { isRounding } from "./rounding.ts";
import { isName } from "./unwrap.ts";

/** The answer with a true chain replaced by its value; null for a chain that is not true; every other answer as it is. */
export function withoutChain(parsed: Parsed): Parsed | null {
  const relation = parsed.expression;
  if (relation.kind !== "relation" || !relation.operators.every((each) => each === "=" || each === "approx")) {
    return parsed;
  }
  const { sides } = relation;
  const name = isName(sides[0]!) ? sides[0]! : null;
  const values = name === null ? sides : sides.slice(1);
  // x = x says nothing about x.
  if (name !== null && values.some((value) => keyOf(value) === keyOf(name))) return null;
  if (values.length === 1) return name !== null && isUnreadable(name, parsed.source) ? null : parsed;
  const isEquation = values.length === 2 && relation.operators[0] === "=" && freeSymbols(relation).size > 0;
  if (isEquation && name === null) return parsed;
  const operators = relation.operators.slice(1 - values.length);
  const isTrue = operators.every((operator, index) => isSame(values[index]!, operator, values[index + 1]!, parsed));
  if (!isTrue) return null;
  // What stands before an approximation sign is the exact value.
  const rounded = operators.indexOf("approx");
  return { ...parsed, expression: values.at(rounded === -1 ? -1 : rounded)!, asList: null };
}

/** 19 ?? = 18: what cannot be read ends in a number of its own, which no operator makes a part of the working. */
function isUnreadable(name: Expression, source: string): boolean {
  if (name.kind !== "symbol" || name.name !== "working") return false;
  const working = source.slice(0, source.lastIndexOf("=")).slice(-80);
  return /(?<![-+*/^\u00d7\u00b7\u00f7]\s{0,4})(?<![\w.,^])\d[\d.,]*[\s?!]*$/.test(working);
}

/** True when both sides are one value, or the right one is the left one, rounded. */
export function isSame(left: Expression, operator: Relation, right: Expression, like: Parsed): boolean {
  const as = (expression: Expression): Parsed => ({ ...like, expression, asList: null, words: "" });
  return (
    equalMath(as(left), as(right), { mode: "strict" }).equal ||
    isRounding(left, right, operator === "approx") ||
    isRounding(right, left, false)
  );
}
