/**
 * `equalMath`: is the predicted answer the gold answer? The gold comes first, and the two are not alike: an inequality as gold is
 * met by the interval it describes, while an interval as gold is not met by an inequality, which may only echo the question.
 */
import { createRandom } from "../../random.ts";
import { equalExpressions } from "./answers.ts";
import { equalUpToConstants } from "./arbitrary.ts";
import { createBudget, LimitReached } from "./budget.ts";
import { sameTime } from "./clock.ts";
import { sameDate } from "./dates.ts";
import { call, type Expression, freeSymbols, mapChildren, some } from "./expression.ts";
import { type Context, different, type EqualOptions, same, type Verdict } from "./options.ts";
import { lowerCase, type Parsed } from "./parse.ts";
import { isRounding } from "./rounding.ts";

export type { EqualOptions, Verdict } from "./options.ts";

const SEED = 20_250_122;

/** Total and deterministic: limits end in `equal: false` with the limit as the reason, never in an exception. */
export function equalMath(gold: Parsed, pred: Parsed, options: EqualOptions = {}): Verdict {
  const mode = options.mode ?? "lenient";
  const context: Context = {
    mode,
    floatRounding: options.floatRounding ?? 6,
    units: options.units ?? (mode === "lenient" ? "drop" : "compare"),
    percent: options.percent ?? "value",
    allowSetRelation: options.allowSetRelation ?? false,
    budget: createBudget(),
    random: createRandom(SEED),
  };
  if (gold.words !== "" && gold.words === pred.words && sameCase(gold, pred)) return same("the same text");
  if (gold.expression.kind === "text" && sameNames(gold.words, pred.words)) return same("the same words in some order");
  const isSameTime = sameTime(gold.source, pred.source);
  if (isSameTime !== null) return isSameTime ? same("the same time of day") : different("different times of day");
  const isSameDate = sameDate(gold.source, pred.source);
  if (isSameDate !== null) return isSameDate ? same("the same date") : different("different dates");
  const [g, p] = [readingOf(gold, pred), readingOf(pred, gold)];
  const [a, b] = unifyConstants(namedTuple(g, p), namedTuple(p, g));
  const equal = (x: Expression, y: Expression) => equalExpressions(...unifyCase(x, y), context);
  try {
    const verdict = equal(a, b);
    if (verdict.equal) return verdict;
    const decimals = mode === "lenient" ? decimalsOf(b) : null;
    if (decimals !== null && equal(a, decimals).equal)
      return same("the decimals that the prediction gives of its value");
    return equalUpToConstants(a, b, context, equal) ?? verdict;
  } catch (error) {
    if (error instanceof LimitReached) return different(`the comparison reached its limit of ${error.what}`);
    if (error instanceof RangeError) return different("the comparison reached the limit of large numbers");
    throw error;
  }
}

/** 12.57 of 4 pi = 12.57, where these are the decimals of what stands before the sign. */
function decimalsOf(pred: Expression): Expression | null {
  if (pred.kind !== "relation" || pred.operators.at(-1) !== "approx") return null;
  const [exact, rounded] = pred.sides.slice(-2);
  return exact !== undefined && rounded !== undefined && isRounding(exact, rounded, false) ? rounded : null;
}

/** 1,2 in plain text is a decimal, but two values where the other answer has several. */
function readingOf(answer: Parsed, other: Parsed): Expression {
  const hasSeveral =
    /^(?:list|set|tuple|relation)$/.test(other.expression.kind) ||
    some(other.expression, (part) => part.kind === "plus-minus");
  return hasSeveral && answer.asList !== null ? answer.asList : answer.expression;
}

/** "Alice and Bob", "Bob, Alice". */
function sameNames(gold: string, pred: string): boolean {
  const names = (words: string) => words.split(/,? and |, ?| & /).map((name) => name.trim());
  const [a, b] = [names(gold), names(pred)];
  return a.length > 1 && a.length === b.length && !a.includes("") && a.sort().join() === b.sort().join();
}

/** P(2, 3) beside a tuple is a point with its name; C(5, 2) and P(5, 2) beside a number count choices and arrangements. */
function namedTuple(side: Expression, other: Expression): Expression {
  if (side.kind !== "product" || side.factors.length !== 2) return side;
  const [name, tuple] = side.factors;
  if (name?.kind !== "symbol" || tuple?.kind !== "tuple" || tuple.open !== "(" || tuple.close !== ")") return side;
  if (other.kind === "tuple" || other.kind === "list") return /^[A-Z]$/.test(name.name) ? tuple : side;
  const isCount = tuple.items.length === 2 && tuple.items.every((item) => item.kind === "number");
  if (!isCount || !/^[CP]$/.test(name.name) || freeSymbols(other).size > 0) return side;
  return call(name.name === "C" ? "binom" : "permutations", ...tuple.items);
}

/** Words are compared without case, formulas with it: the two letters of R - r are two. */
function sameCase(gold: Parsed, pred: Parsed): boolean {
  return (
    gold.expression.kind === "text" || pred.expression.kind === "text" || gold.source.trim() === pred.source.trim()
  );
}

/** E and I as SymPy prints them, where the other side has the constant e or i: letters of the gold answer stay letters. */
function unifyConstants(gold: Expression, pred: Expression): readonly [Expression, Expression] {
  const isConstant = (name: string) => (part: Expression) => part.kind === "constant" && part.name === name;
  const isLetter = (name: string) => (part: Expression) => part.kind === "symbol" && part.name === name;
  const read = (side: Expression, other: Expression): Expression => {
    const letters = (["e", "i"] as const).filter((name) => {
      const capital = isLetter(name.toUpperCase());
      return (
        some(side, capital) && !some(side, isConstant(name)) && some(other, isConstant(name)) && !some(other, capital)
      );
    });
    const change = (part: Expression): Expression => {
      const name = part.kind === "symbol" ? letters.find((letter) => letter.toUpperCase() === part.name) : undefined;
      return name === undefined ? mapChildren(part, change) : { kind: "constant", name };
    };
    return letters.length === 0 ? side : change(side);
  };
  return [read(gold, pred), read(pred, gold)];
}

/**
 * As in Math-Verify case does not count; but where one side has both A and a they are two symbols, and against a side without
 * symbols a letter may be a unit, which has a case.
 */
function unifyCase(gold: Expression, pred: Expression): readonly [Expression, Expression] {
  if (freeSymbols(gold).size === 0 || freeSymbols(pred).size === 0) return [gold, pred];
  const isAmbiguous = [gold, pred].some((side) => {
    const names = freeSymbols(side);
    return new Set([...names].map((name) => name.toLowerCase())).size < names.size;
  });
  return isAmbiguous ? [gold, pred] : [lowerCase(gold), lowerCase(pred)];
}
