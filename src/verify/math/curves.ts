/**
 * Do two equations in several symbols have the same solutions? y = e^x and x = ln y do, y = sqrt(x) and y^2 = x do not.
 *
 * On random lines, along which one symbol runs and the others stand, every zero of the one has to be a zero of the other, and the other
 * way round. Only zeros with a change of sign are found; where a side touches zero without one, nothing is decided, and neither is it
 * where a number is so fine or large that the lines could not tell. Two other curves pass within 1e-8 of each other's zeros on all
 * lines with a probability far below 1e-40.
 */
import { createBudget, LimitReached } from "./budget.ts";
import { complex, isReal } from "./complex.ts";
import { evaluate } from "./evaluate.ts";
import { type Expression, freeSymbols, some } from "./expression.ts";
import type { Context } from "./options.ts";
import { sizesOf } from "./points.ts";

const MAX_SYMBOLS = 4;
const NUM_LINES = 3;
/** Zeros that each side has to show. */
const REQUIRED = 4;
const NUM_STEPS = 36;
const NUM_HALVINGS = 60;
const MAX_STEPS = 16_000;
/** Numbers between this and its reciprocal show on the lines. */
const FINEST = 1e-6;

/** For two expressions that are set to zero; false also where it cannot be decided. */
export function haveSameZeros(a: Expression, b: Expression, context: Context): boolean {
  const names = [...freeSymbols(a)];
  const isShared = names.length === freeSymbols(b).size && names.every((name) => freeSymbols(b).has(name));
  if (!isShared || names.length < 2 || names.length > MAX_SYMBOLS) return false;
  if ([a, b].some(isBeyondLines)) return false;
  const budget = createBudget(Math.min(MAX_STEPS, context.budget.steps));
  const before = budget.steps;
  const { random } = context;
  const counts: [number, number] = [0, 0];
  try {
    for (const name of names) {
      for (let line = 0; line < NUM_LINES; line++) {
        const sign = () => (line > 0 && random.below(2) === 0 ? -1 : 1);
        const symbols = new Map(names.map((each) => [each, complex(sign() * (0.3 + 2.5 * random.next()))]));
        const along = (node: Expression) => (x: number) => {
          symbols.set(name, complex(x));
          const domain = { isLeft: false };
          const value = evaluate(node, { symbols, budget, domain });
          return value === null || !isReal(value) || domain.isLeft ? null : value.re;
        };
        const [f, g] = [along(a), along(b)];
        const [first, second] = [zerosOf(f), zerosOf(g)];
        if (first === null || second === null) return false;
        if (!first.every((x) => crosses(g, x, 1e-8)) || !second.every((x) => crosses(f, x, 1e-8))) return false;
        counts[0] += first.length;
        counts[1] += second.length;
      }
    }
  } catch (error) {
    if (error instanceof LimitReached) return false;
    throw error;
  } finally {
    context.budget.steps -= before - Math.max(0, budget.steps);
  }
  return counts.every((count) => count >= REQUIRED);
}

/** True with a number that is small or large, or has many digits; and with an unknown function, whose zeros are nobody's. */
function isBeyondLines(node: Expression): boolean {
  const isBeyond = (part: Expression) =>
    (part.kind === "call" && !part.known) ||
    (part.kind === "number" && (part.value.denominator > 1 / FINEST || part.value.numerator > 1 / FINEST));
  return some(node, isBeyond) || sizesOf(node).some((size) => size < FINEST || size > 1 / FINEST);
}

type Along = (x: number) => number | null;

/** The zeros with a change of sign, dense around 0; null where the values touch zero without one. */
function zerosOf(f: Along): readonly number[] | null {
  const zeros: number[] = [];
  const points: { x: number; value: number | null }[] = [];
  for (let step = 0; step <= NUM_STEPS; step++) {
    const share = 0.0137 + (2 * step) / NUM_STEPS - 1;
    const x = (4.3 * share) / (1.08 - share * share);
    points.push({ x, value: f(x) });
  }
  for (const [index, { x, value }] of points.entries()) {
    const next = points[index + 1];
    if (next === undefined || value === null || next.value === null) continue;
    if (value * next.value < 0) {
      const zero = bisected(f, x, next.x, value);
      if (zero !== null && crosses(f, zero, 1e-6)) zeros.push(zero);
    } else if (touches(f, points[index - 1], points[index]!, next)) return null;
  }
  return zeros;
}

function bisected(f: Along, from: number, to: number, atFrom: number): number | null {
  let [low, high] = [from, to];
  for (let turn = 0; turn < NUM_HALVINGS && high - low > 1e-15 * Math.abs(low); turn++) {
    const middle = (low + high) / 2;
    const value = f(middle);
    if (value === null) return null;
    if (value * atFrom > 0) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** The sign changes at x through zero: no pole and no jump. */
function crosses(f: Along, x: number, share: number): boolean {
  const reach = share * (1 + Math.abs(x));
  const [before, at, after] = [f(x - reach), f(x), f(x + reach)];
  if (before === null || at === null || after === null || before * after >= 0) return false;
  return Math.abs(at) <= 0.01 * Math.min(Math.abs(before), Math.abs(after));
}

interface Point {
  readonly x: number;
  readonly value: number | null;
}

/** A least absolute value among three points that, looked at closely, is zero. */
function touches(f: Along, before: Point | undefined, at: Point, after: Point): boolean {
  if (before === undefined || before.value === null || at.value === null || after.value === null) return false;
  const least = Math.abs(at.value);
  if (least > Math.abs(before.value) || least > Math.abs(after.value) || before.value * at.value <= 0) return false;
  let [low, high] = [before.x, after.x];
  let best = least;
  for (let turn = 0; turn < 40; turn++) {
    const [left, right] = [low + (high - low) / 3, high - (high - low) / 3];
    const [a, b] = [f(left), f(right)];
    if (a === null || b === null) return false;
    best = Math.min(best, Math.abs(a), Math.abs(b));
    if (Math.abs(a) < Math.abs(b)) high = right;
    else low = left;
  }
  return best <= 1e-9 * Math.abs(before.value);
}
