/**
 * The points at which two expressions are compared (sample.ts): as many, and such, that what tells them apart is met.
 *
 *   every symbol           small values of all signs, then some further out
 *   absolute values, roots and other functions with branches: besides, values up to twice the largest number in the expressions, spread
 *                          evenly, so that sqrt((x - 5)^2) is seen on both sides of 5; the same on the scale of every number far from
 *                          1 and of its root, so that max(x, 10^6) is seen beyond 10^6; and 0, for signs
 *   floors and ceilings    besides, whole numbers, halves, thirds and quarters, where alone they may differ, on the same scales
 *   whole symbols          different small numbers, then larger ones, at which a polynomial with small roots is not 0; beside divisors and
 *                          remainders more of them, and near multiples of the numbers
 */
import type { Random } from "../../random.ts";
import { createBudget, LimitReached } from "./budget.ts";
import { type Complex, complex, isReal } from "./complex.ts";
import { evaluate } from "./evaluate.ts";
import { childrenOf, type Expression, freeSymbols, some } from "./expression.ts";

/** What is drawn for two expressions. */
export interface Plan {
  readonly names: readonly string[];
  /** Symbols that stand for whole numbers. */
  readonly whole: ReadonlySet<string>;
  /** Points that have to agree, and points that are tried for them. */
  readonly numRequired: number;
  readonly numAttempts: number;
  readonly stepped: ReadonlySet<string>;
  readonly hasBranches: boolean;
  readonly hasDivisors: boolean;
  /** The numbers of ordinary size in the expressions. */
  readonly landmarks: readonly number[];
  /** Where branches and steps may lie: 1 for the landmarks, the size of each number far from 1, and its root. */
  readonly scales: readonly number[];
  /** Where each whole symbol starts to count. */
  readonly offsets: ReadonlyMap<string, number>;
}

/** Agreement at so many points is enough for functions without branches, steps and divisors. */
export const REQUIRED = 5;

/** Letters that stand for whole numbers inside of floors and ceilings. */
const WHOLE_LETTERS = /^[ijklmn](?:_|$)/;

export function planOf(a: Expression, b: Expression, random: Random): Plan {
  const names = [...new Set([...freeSymbols(a), ...freeSymbols(b)])].sort();
  const stepped = new Set([...steppedSymbols(a), ...steppedSymbols(b)]);
  const whole = new Set([...wholeSymbols(a), ...wholeSymbols(b)]);
  for (const name of stepped) if (WHOLE_LETTERS.test(name)) whole.add(name);
  const hasSeries = [a, b].some((side) => some(side, (part) => part.kind === "series"));
  const hasBranches = !hasSeries && [a, b].some((side) => some(side, isBranched));
  const hasDivisors = !hasSeries && [a, b].some((side) => some(side, isDivisor));
  const isHard = stepped.size > 0 || hasBranches || hasDivisors;
  const sizes = [...new Set([...sizesOf(a), ...sizesOf(b)])].slice(0, MAX_LANDMARKS);
  const scales = isHard && !hasSeries ? scalesOf(sizes) : [1];
  return {
    names,
    whole,
    stepped,
    hasBranches,
    hasDivisors,
    numRequired: isHard ? 24 * scales.length : names.some((name) => whole.has(name)) ? REQUIRED_WHOLE : REQUIRED,
    numAttempts: isHard ? 60 * scales.length : 24,
    landmarks: sizes.filter((size) => size >= 1 && size <= MAX_LANDMARK),
    scales,
    offsets: new Map(names.map((name) => [name, random.below(7)])),
  };
}

const REQUIRED_WHOLE = 8;
const MAX_LANDMARKS = 20;
const MAX_LANDMARK = 1_000;
const MAX_SCALES = 3;
const LARGEST_SCALE = 1e12;

/** The sizes of the numbers in an expression, and of all parts without symbols. */
export function sizesOf(node: Expression): readonly number[] {
  const parts = node.kind === "number" ? [] : childrenOf(node).flatMap(sizesOf);
  if (node.kind === "call" || node.kind === "series" || freeSymbols(node).size > 0) return parts;
  try {
    const value = evaluate(node, { symbols: new Map(), budget: createBudget(100) });
    return value !== null && isReal(value) && value.re !== 0 ? [...parts, Math.abs(value.re)] : parts;
  } catch (error) {
    if (error instanceof LimitReached) return parts;
    throw error;
  }
}

/** 1, and every size far from it with its root; sizes within a factor of ten count once. */
function scalesOf(sizes: readonly number[]): readonly number[] {
  const far = sizes.filter((size) => size <= LARGEST_SCALE && size >= 1 / LARGEST_SCALE && (size > 100 || size < 0.1));
  const scales = [1];
  for (const scale of far.flatMap((size) => [size, Math.sqrt(size)])) {
    if (scales.length < MAX_SCALES && scales.every((other) => Math.abs(Math.log10(scale / other)) > 1))
      scales.push(scale);
  }
  return scales;
}

/** The values of all symbols at the attempt. */
export function drawPoint(plan: Plan, attempt: number, random: Random): ReadonlyMap<string, Complex> {
  const round = Math.floor(attempt / plan.scales.length);
  const scale = plan.scales[attempt % plan.scales.length]!;
  return new Map(
    plan.names.map((name, index) => {
      if (plan.whole.has(name)) return [name, complex(drawWhole(plan, name, index, round, scale, random))];
      const steps = (random.below(24) - 11) / (1 + ((round >> 1) % 4));
      if (round % 2 === 1 && plan.stepped.has(name)) return [name, complex(steps * scale)];
      if (plan.hasBranches && round === ZERO_ROUND + 2 * index) return [name, complex(0)];
      const isWide = plan.hasBranches && round % 2 === 1;
      return [
        name,
        complex(isWide ? drawWide(plan, index, round >> 1, scale, random) : drawReal(round, index, random)),
      ];
    }),
  );
}

/** The round in which the first symbol is 0, beside functions that may jump there. */
const ZERO_ROUND = 6;

/** No number twice among seven, so that even and odd are met. Every other one beside divisors lies near a multiple of a landmark. */
function drawWhole(
  { offsets, hasDivisors, landmarks }: Plan,
  name: string,
  index: number,
  attempt: number,
  scale: number,
  random: Random,
): number {
  const offset = offsets.get(name) ?? 0;
  if (scale > 1 && attempt % 2 === 1)
    return Math.max(1, Math.floor(scale) * (1 + random.below(3)) + random.below(5) - 2);
  if (!hasDivisors) {
    const isLarge = index === 0 ? attempt % 8 === 4 : attempt % 8 === 6;
    return isLarge ? 13 + random.below(30) : 1 + ((offset + attempt * (index + 1)) % (attempt < 14 ? 7 : 12));
  }
  if (attempt % 2 === 1 && landmarks.length > 0) {
    const landmark = Math.floor(landmarks[(attempt >> 1) % landmarks.length]!);
    return Math.max(1, landmark * (1 + random.below(3)) + (attempt % 4 === 1 ? 0 : random.below(5) - 2));
  }
  return 1 + offset + (index === 0 ? attempt : random.below(40));
}

/** One after the other from six equal parts of the range, all positive and then all negative. */
function drawWide({ landmarks }: Plan, index: number, turn: number, scale: number, random: Random): number {
  const reach = scale === 1 ? 2 * Math.max(3, ...landmarks) : 3 * scale;
  const part = (turn * (index + 1) + index) % 6;
  const value = ((part + 0.02 + 0.96 * random.next()) / 6) * reach;
  return ((turn / 6) | 0) % 2 === 1 ? -value : value;
}

/** All positive, then all negative, then signs that differ from symbol to symbol, so that no sign is missed. */
export function drawReal(attempt: number, index: number, random: Random): number {
  const reach = attempt % 5 === 4 ? 12 : attempt % 5 === 3 ? 1 : 3;
  const value = 0.1 + random.next() * reach;
  const isNegative =
    attempt === 0 ? false : attempt === 1 || (attempt < 4 ? (index + attempt) % 2 === 0 : random.below(2) === 0);
  return isNegative ? -value : value;
}

const DIVISORS: ReadonlySet<string> = new Set(["gcd", "lcm", "mod"]);

function isDivisor(node: Expression): boolean {
  return node.kind === "call" && DIVISORS.has(node.name);
}

const BRANCHED = /^(?:abs|max|min|sgn|root|arg|arc.*)$/;

/** Absolute values, inverse functions, and roots of what is more than a symbol. */
function isBranched(node: Expression): boolean {
  if (node.kind === "call") return node.known && BRANCHED.test(node.name) && freeSymbols(node).size > 0;
  if (node.kind !== "power" || node.exponent.kind !== "number" || node.exponent.value.denominator === 1n) return false;
  return node.base.kind !== "symbol" && freeSymbols(node.base).size > 0;
}

const WHOLE_FUNCTIONS: ReadonlySet<string> = new Set([
  ...DIVISORS,
  ..."factorial doublefactorial binom combinations permutations".split(" "),
]);

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

function isNegativeOrImaginary(base: Expression): boolean {
  return (base.kind === "number" && base.value.numerator < 0n) || (base.kind === "constant" && base.name === "i");
}

/** Symbols inside of floors and ceilings. */
function steppedSymbols(node: Expression, found: Set<string> = new Set()): Set<string> {
  if (node.kind === "call" && (node.name === "floor" || node.name === "ceil")) {
    for (const arg of node.args) freeSymbols(arg, found);
  } else for (const part of childrenOf(node)) steppedSymbols(part, found);
  return found;
}
