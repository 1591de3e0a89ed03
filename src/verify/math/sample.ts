/**
 * Are two expressions the same function? Their values at random points, in double precision with error bounds.
 *
 * A difference beyond the bounds is certain. Agreement at the points of a plan (points.ts) is taken for equality: two different analytic functions
 * agree on a set of measure zero, and what is left is two functions that differ by less than the precision, 1e-8 of their size,
 * at every point drawn: no more than 1e-8 per point for functions that vary on the scale of the points, 1e-40 for all.
 *
 * One of the points, and every constant, is compared to 600 bits besides (precise.ts), where the functions allow.
 *
 * Symbols are real, as in Math-Verify. Where just one side is real at a real point, or a part of either is not, the point is outside
 * the domain of one reading and decides nothing, unless the side that is real there has an absolute value: ln |x| is written where
 * negative numbers are meant, and is no ln x. Where no point makes both sides real, complex values are compared. Expressions without
 * branches are also compared at complex points.
 */
import type { Random } from "../../random.ts";
import type { Budget } from "./budget.ts";
import { type Complex, complex, isReal, magnitude } from "./complex.ts";
import { evaluate } from "./evaluate.ts";
import { exactValue } from "./exact.ts";
import { type Expression, freeSymbols, some } from "./expression.ts";
import { drawPoint, drawReal, planOf, REQUIRED } from "./points.ts";
import { agreesPrecisely } from "./precise.ts";
import { isEqual, rational } from "./rational.ts";

const COMPLEX_POINTS = 2;
/** An agreement counts only where the error bound is below this share of the values. */
const PRECISION = 1e-8;

/** null where too few points have values. Throws LimitReached when the budget ends. */
export function isSameFunction(a: Expression, b: Expression, random: Random, budget: Budget): boolean | null {
  const plan = planOf(a, b, random);
  const { names, whole } = plan;
  const isComplex = [a, b].some((side) => some(side, (node) => node.kind === "constant" && node.name === "i"));
  if (names.length === 0) {
    const at = compareAt(a, b, new Map(), budget);
    if (at?.agree === false) return false;
    // Doubles agree or cannot tell.
    return agreesPrecisely(a, b, new Map(), budget) ?? at?.agree ?? null;
  }

  let real = 0;
  let beyond = 0;
  let differBeyond = false;
  for (let attempt = 0; attempt < plan.numAttempts && real < plan.numRequired; attempt++) {
    const point = drawPoint(plan, attempt, random);
    const at = compareAt(a, b, point, budget, !isComplex);
    if (at === null) continue;
    if (isComplex || at.kind === "real") {
      if (at.agree === false) return false;
      // One of the agreements is made sure of, and each in which doubles cannot tell.
      const agree = at.agree === null || real === 0 ? agreesPrecisely(a, b, valuesOf(point), budget) : true;
      if (agree === false) return false;
      if (names.every((name) => whole.has(name)) && !agreesExactly(a, b, point, budget)) return false;
      if (at.agree !== null || agree !== null) real++;
    } else if (at.realSide !== null && whole.size === 0 && some(at.realSide === "first" ? a : b, isAbsolute)) {
      return false;
    } else if (at.kind === "complex") {
      if (at.agree !== null) beyond++;
      if (at.agree === false) differBeyond = true;
    }
  }
  if (real < REQUIRED) {
    if (real > 0 || beyond < REQUIRED) return real >= 2 ? true : null;
    return !differBeyond;
  }
  if (whole.size === 0 && isEntire(a) && isEntire(b)) {
    for (let k = 0; k < COMPLEX_POINTS; k++) {
      const point = new Map(names.map((name) => [name, complex(drawReal(0, 0, random), drawReal(9, 0, random))]));
      if (compareAt(a, b, point, budget)?.agree === false) return false;
    }
  }
  return true;
}

/** False where exact arithmetic tells the two apart at a point of whole numbers: n! hides what is added to it from doubles. */
function agreesExactly(a: Expression, b: Expression, point: ReadonlyMap<string, Complex>, budget: Budget): boolean {
  const bindings = new Map([...point].map(([name, value]) => [name, rational(BigInt(value.re))]));
  const left = exactValue(a, budget, bindings);
  const right = left === null ? null : exactValue(b, budget, bindings);
  return left === null || right === null || isEqual(left, right);
}

function valuesOf(point: ReadonlyMap<string, Complex>): ReadonlyMap<string, number> {
  return new Map([...point].map(([name, value]) => [name, value.re]));
}

/** The absolute value of something with a symbol. */
function isAbsolute(node: Expression): boolean {
  return node.kind === "call" && node.name === "abs" && freeSymbols(node).size > 0;
}

interface Comparison {
  /** complex: through values that are not real. mixed: one side real, the other not. */
  readonly kind: "real" | "complex" | "mixed";
  /** The side that alone is real in all its parts; else null. */
  readonly realSide: "first" | "second" | null;
  /** null where the error bound is too wide for an agreement to count. */
  readonly agree: boolean | null;
}

/** null where a side has no value. */
function compareAt(
  a: Expression,
  b: Expression,
  symbols: ReadonlyMap<string, Complex>,
  budget: Budget,
  isRealOnly = false,
): Comparison | null {
  const [leftDomain, rightDomain] = [{ isLeft: false }, { isLeft: false }];
  const left = evaluate(a, { symbols, budget, domain: leftDomain });
  if (left === null) return null;
  const right = evaluate(b, { symbols, budget, domain: rightDomain });
  if (right === null) return null;
  const isFirst = isReal(left) && !(isRealOnly && leftDomain.isLeft);
  const isSecond = isReal(right) && !(isRealOnly && rightDomain.isLeft);
  const realSide = isFirst === isSecond ? null : isFirst ? "first" : "second";
  const kind = isReal(left) !== isReal(right) ? "mixed" : isFirst && isSecond ? "real" : "complex";
  const distance = Math.hypot(left.re - right.re, left.im - right.im);
  const bound = 4 * (left.error + right.error);
  if (distance > bound) return { kind, realSide, agree: false };
  const size = Math.max(magnitude(left), magnitude(right));
  // Zero against zero: the size that counts is that of the terms that cancelled, which the bound knows as bound / 2^-51.
  if (bound <= PRECISION * size || (size <= bound && bound <= 1e-11)) return { kind, realSide, agree: true };
  return { kind, realSide, agree: null };
}

const ENTIRE_FUNCTIONS: ReadonlySet<string> = new Set(
  "sin cos tan cot sec csc sinh cosh tanh coth sech csch".split(" "),
);

/** True without branches: only then are identities of real numbers identities of complex ones. */
function isEntire(node: Expression): boolean {
  return !some(node, (part) => {
    if (part.kind === "call") return part.known && !ENTIRE_FUNCTIONS.has(part.name);
    if (part.kind === "power") {
      const isWhole = part.exponent.kind === "number" && part.exponent.value.denominator === 1n;
      const isExponential = part.base.kind === "constant" && part.base.name === "e";
      return !isWhole && !isExponential && freeSymbols(part.base).size > 0;
    }
    return part.kind === "series";
  });
}
