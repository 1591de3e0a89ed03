/**
 * How two scores of the same completions agree: in value, in which completions they pay, and in the order of siblings.
 *
 * A score pays a completion that it puts above the middle between its lowest and its highest value. That and the order do not ask both
 * scores to count in the same units.
 */
import { meanOf } from "../audit/audit.ts";

/** Scores nearer than this are the same: sums of parts may be added in another order. */
const TOLERANCE = 1e-9;

/** One completion by two scores; null where it has none. */
export interface ScorePair {
  readonly before: number | null;
  readonly after: number | null;
}

/** A pair that has both scores. */
export type WholePair = { readonly before: number; readonly after: number };

/** True of a pair that has both scores. */
export function isWhole<Pair extends ScorePair>(pair: Pair): pair is Pair & WholePair {
  return pair.before !== null && pair.after !== null;
}

/** Another value, or none on one side alone. */
export function isDifferent({ before, after }: ScorePair): boolean {
  return before === null || after === null ? before !== after : Math.abs(before - after) > TOLERANCE;
}

/** Which of the two pays a completion. */
export type PaidBy = "both" | "neither" | "before" | "after";

/** Says of each pair who pays it; null where it has one score only, or where one of the two gives every completion the same. */
export function payersOf(pairs: readonly ScorePair[]): (pair: ScorePair) => PaidBy | null {
  const whole = pairs.filter(isWhole);
  const [before, after] = [middleOf(whole.map((pair) => pair.before)), middleOf(whole.map((pair) => pair.after))];
  return (pair) => {
    if (before === null || after === null || !isWhole(pair)) return null;
    const [isPaid, isPaidAfter] = [pair.before > before, pair.after > after];
    return isPaid === isPaidAfter ? (isPaid ? "both" : "neither") : isPaid ? "before" : "after";
  };
}

/** Between the lowest and the highest; null where all are the same. */
export function middleOf(values: readonly number[]): number | null {
  const low = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const high = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return high > low ? (low + high) / 2 : null;
}

/** True of siblings of whom two change their order or their tie: their advantages would differ. */
export function isReordered(siblings: readonly WholePair[]): boolean {
  const order = (a: number, b: number) => (Math.abs(a - b) <= TOLERANCE ? 0 : Math.sign(a - b));
  return siblings.some((a, i) =>
    siblings.slice(i + 1).some((b) => order(a.before, b.before) !== order(a.after, b.after)),
  );
}

/** Pearson's, over pairs that have both scores; null where one of them never changes. */
export function correlationOf(pairs: readonly ScorePair[]): number | null {
  const whole = pairs.filter(isWhole);
  const [x, y] = [meanOf(whole.map(({ before }) => before)), meanOf(whole.map(({ after }) => after))];
  if (x === null || y === null) return null;
  let [xx, yy, xy] = [0, 0, 0];
  for (const { before, after } of whole) {
    xx += (before - x) ** 2;
    yy += (after - y) ** 2;
    xy += (before - x) * (after - y);
  }
  return xx === 0 || yy === 0 ? null : xy / Math.sqrt(xx * yy);
}
