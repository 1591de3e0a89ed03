/**
 * The points at which two expressions are compared (sample.ts): as many, and such, that what tells them apart is met.
 *
 *   every symbol           small values of all signs, then some further out
 *   absolute values, roots and other functions with branches: besides, values up to twice the largest number in the expressions, spread
 *                          evenly, so that sqrt((x - 5)^2) is seen on both sides of 5
 *   floors and ceilings    besides, whole numbers, halves, thirds and quarters, where alone they may differ
 *   whole symbols          different small numbers; beside divisors and remainders more of them, and near multiples of the numbers
 */
import type { Random } from "../../random.ts";
import { type Complex, complex } from "./complex.ts";
import { childrenOf, type Expression, freeSymbols, some } from "./expression.ts";
import { toNumber } from "./rational.ts";

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
  return {
    names,
    whole,
    stepped,
    hasBranches,
    hasDivisors,
    numRequired: isHard ? 24 : REQUIRED,
    numAttempts: isHard ? 60 : 24,
    landmarks: [...new Set([...landmarksOf(a), ...landmarksOf(b)])].slice(0, MAX_LANDMARKS),
    offsets: new Map(names.map((name) => [name, random.below(7)])),
  };
}

const MAX_LANDMARKS = 20;
const MAX_LANDMARK = 1_000;

function landmarksOf(node: Expression): readonly number[] {
  if (node.kind !== "number") return childrenOf(node).flatMap(landmarksOf);
  const size = Math.abs(toNumber(node.value));
  return size >= 1 && size <= MAX_LANDMARK ? [size] : [];
}

/** The values of all symbols at the attempt. */
export function drawPoint(plan: Plan, attempt: number, random: Random): ReadonlyMap<string, Complex> {
  return new Map(
    plan.names.map((name, index) => {
      if (plan.whole.has(name)) return [name, complex(drawWhole(plan, name, index, attempt, random))];
      if (attempt % 2 === 1 && plan.stepped.has(name)) {
        return [name, complex((random.below(24) - 11) / (1 + ((attempt >> 1) % 4)))];
      }
      const isWide = plan.hasBranches && attempt % 2 === 1;
      return [name, complex(isWide ? drawWide(plan, index, attempt >> 1, random) : drawReal(attempt, index, random))];
    }),
  );
}

/** No number twice among seven, so that even and odd are met. Every other one beside divisors lies near a multiple of a landmark. */
function drawWhole(
  { offsets, hasDivisors, landmarks }: Plan,
  name: string,
  index: number,
  attempt: number,
  random: Random,
): number {
  const offset = offsets.get(name) ?? 0;
  if (!hasDivisors) return 1 + ((offset + attempt * (index + 1)) % (attempt < 14 ? 7 : 12));
  if (attempt % 2 === 1 && landmarks.length > 0) {
    const landmark = Math.floor(landmarks[(attempt >> 1) % landmarks.length]!);
    return Math.max(1, landmark * (1 + random.below(3)) + (attempt % 4 === 1 ? 0 : random.below(5) - 2));
  }
  return 1 + offset + (index === 0 ? attempt : random.below(40));
}

/** One after the other from six equal parts of the range, all positive and then all negative. */
function drawWide({ landmarks }: Plan, index: number, turn: number, random: Random): number {
  const reach = 2 * Math.max(3, ...landmarks);
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
