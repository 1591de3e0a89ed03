/**
 * Are two expressions the same function? Their values at random points, in double precision with error bounds.
 *
 * A difference beyond the bounds is certain. Agreement at REQUIRED points is taken for equality: two different analytic functions
 * agree on a set of measure zero, and what is left is two functions that differ by less than the precision, 1e-8 of their size,
 * at every point drawn: no more than 1e-8 per point for functions that vary on the scale of the points, 1e-40 for all.
 *
 * One of the points, and every constant, is compared to 600 bits besides (precise.ts), where the functions allow.
 *
 * Symbols are real, as in Math-Verify. Where just one side is real at a real point, the point is outside the domain of one reading
 * and decides nothing; where no point makes both sides real, complex values are compared. Expressions without branches are also
 * compared at complex points.
 */
import type { Random } from "../../random.ts";
import type { Budget } from "./budget.ts";
import { type Complex, complex, isReal, magnitude } from "./complex.ts";
import { evaluate } from "./evaluate.ts";
import { childrenOf, type Expression, freeSymbols, some } from "./expression.ts";
import { agreesPrecisely } from "./precise.ts";

/** Points that have to agree, and points that are tried for them. */
const REQUIRED = 5;
const MAX_ATTEMPTS = 24;
const COMPLEX_POINTS = 2;
/** An agreement counts only where the error bound is below this share of the values. */
const PRECISION = 1e-8;

/** null where too few points have values. Throws LimitReached when the budget ends. */
export function isSameFunction(a: Expression, b: Expression, random: Random, budget: Budget): boolean | null {
  const names = [...new Set([...freeSymbols(a), ...freeSymbols(b)])].sort();
  const whole = new Set([...wholeSymbols(a), ...wholeSymbols(b)]);
  const stepped = new Set([...steppedSymbols(a), ...steppedSymbols(b)]);
  for (const name of stepped) if (WHOLE_LETTERS.test(name)) whole.add(name);
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
  const required = stepped.size > 0 ? 2 * REQUIRED : REQUIRED;
  for (let attempt = 0; attempt < MAX_ATTEMPTS && real < required; attempt++) {
    const point = drawPoint(names, whole, attempt, random);
    // Functions with steps may differ on the steps alone: every other point stands on whole numbers, halves, thirds or quarters.
    const share = attempt % 2 === 1 ? 1 + ((attempt >> 1) % 4) : 0;
    if (share > 0)
      for (const name of stepped) point.set(name, complex((random.below(24) - 11) / (whole.has(name) ? 1 : share)));
    const at = compareAt(a, b, point, budget);
    if (at === null) continue;
    if (isComplex || at.kind === "real") {
      if (at.agree === false) return false;
      // One of the agreements is made sure of, and each in which doubles cannot tell.
      const agree = at.agree === null || real === 0 ? agreesPrecisely(a, b, valuesOf(point), budget) : true;
      if (agree === false) return false;
      if (at.agree !== null || agree !== null) real++;
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

function valuesOf(point: ReadonlyMap<string, Complex>): ReadonlyMap<string, number> {
  return new Map([...point].map(([name, value]) => [name, value.re]));
}

interface Comparison {
  /** mixed: one side real, the other not. */
  readonly kind: "real" | "complex" | "mixed";
  /** null where the error bound is too wide for an agreement to count. */
  readonly agree: boolean | null;
}

/** null where a side has no value. */
function compareAt(
  a: Expression,
  b: Expression,
  symbols: ReadonlyMap<string, Complex>,
  budget: Budget,
): Comparison | null {
  const left = evaluate(a, { symbols, budget });
  if (left === null) return null;
  const right = evaluate(b, { symbols, budget });
  if (right === null) return null;
  const kind = isReal(left) !== isReal(right) ? "mixed" : isReal(left) ? "real" : "complex";
  const distance = Math.hypot(left.re - right.re, left.im - right.im);
  const bound = 4 * (left.error + right.error);
  if (distance > bound) return { kind, agree: false };
  const size = Math.max(magnitude(left), magnitude(right));
  // Zero against zero: the size that counts is that of the terms that cancelled, which the bound knows as bound / 2^-51.
  if (bound <= PRECISION * size || (size <= bound && bound <= 1e-11)) return { kind, agree: true };
  return { kind, agree: null };
}

/** Small values first, of both signs; later attempts reach further, for functions that are defined far from zero only. */
function drawPoint(
  names: readonly string[],
  whole: ReadonlySet<string>,
  attempt: number,
  random: Random,
): Map<string, Complex> {
  return new Map(
    names.map((name, index) => {
      const value = whole.has(name) ? 1 + random.below(attempt < 12 ? 7 : 12) : drawReal(attempt, index, random);
      return [name, complex(value)];
    }),
  );
}

/** All positive, then all negative, then signs that differ from symbol to symbol, so that no sign is missed. */
function drawReal(attempt: number, index: number, random: Random): number {
  const reach = attempt % 5 === 4 ? 12 : attempt % 5 === 3 ? 1 : 3;
  const value = 0.1 + random.next() * reach;
  const isNegative =
    attempt === 0 ? false : attempt === 1 || (attempt < 4 ? (index + attempt) % 2 === 0 : random.below(2) === 0);
  return isNegative ? -value : value;
}

const WHOLE_FUNCTIONS: ReadonlySet<string> = new Set(
  "factorial doublefactorial binom combinations permutations gcd lcm mod".split(" "),
);

/** Symbols that stand for whole numbers: in factorials, in bounds of sums, in exponents of negative numbers and of i. */
function wholeSymbols(node: Expression, found: Set<string> = new Set()): Set<string> {
  if (node.kind === "call" && WHOLE_FUNCTIONS.has(node.name)) for (const arg of node.args) freeSymbols(arg, found);
  if (node.kind === "series" && node.name !== "integral") {
    freeSymbols(node.from, found);
    freeSymbols(node.to, found);
  }
  if (node.kind === "power" && isNegativeOrImaginary(node.base)) freeSymbols(node.exponent, found);
  for (const part of childrenOf(node)) wholeSymbols(part, found);
  return found;
}

/** Letters that stand for whole numbers inside of floors and ceilings. */
const WHOLE_LETTERS = /^[ijklmn](?:_|$)/;

/** Symbols inside of floors and ceilings. */
function steppedSymbols(node: Expression, found: Set<string> = new Set()): Set<string> {
  if (node.kind === "call" && (node.name === "floor" || node.name === "ceil")) {
    for (const arg of node.args) freeSymbols(arg, found);
  } else for (const part of childrenOf(node)) steppedSymbols(part, found);
  return found;
}

function isNegativeOrImaginary(base: Expression): boolean {
  return (base.kind === "number" && base.value.numerator < 0n) || (base.kind === "constant" && base.name === "i");
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
