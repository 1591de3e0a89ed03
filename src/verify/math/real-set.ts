/**
 * Sets of real numbers as disjoint pieces in order, so that two descriptions of a set are equal when their pieces are.
 *
 * An end is an expression, compared exactly, with a double that orders it; infinite ends are open.
 */

/** An end of a piece: its double, and what tells equal ends from near ones. */
export interface End<T> {
  readonly at: number;
  /** null for the infinite ends. */
  readonly exact: T | null;
}

/** From `low` to `high`; a point has equal ends, both closed. */
export interface Piece<T> {
  readonly low: End<T>;
  readonly high: End<T>;
  readonly lowClosed: boolean;
  readonly highClosed: boolean;
}

/** Pieces in order that neither overlap nor touch. */
export type RealSet<T> = readonly Piece<T>[];

/** Are two ends the same number? Called where their doubles are close. */
export type SameEnd<T> = (a: End<T>, b: End<T>) => boolean;

/** Negative, zero or positive as a stands left of b, on it, or right of it. */
export function order<T>(a: End<T>, b: End<T>, same: SameEnd<T>): number {
  if (a.exact === null || b.exact === null) return a.at === b.at ? 0 : a.at < b.at ? -1 : 1;
  const isClose = Math.abs(a.at - b.at) <= 1e-9 * Math.max(1, Math.abs(a.at));
  if (isClose && same(a, b)) return 0;
  return a.at < b.at ? -1 : 1;
}

/** The union of any pieces. */
export function union<T>(pieces: readonly Piece<T>[], same: SameEnd<T>): RealSet<T> {
  const sorted = [...pieces].sort((a, b) => order(a.low, b.low, same) || Number(b.lowClosed) - Number(a.lowClosed));
  const result: Piece<T>[] = [];
  for (const piece of sorted) {
    const last = result.at(-1);
    const gap = last === undefined ? 1 : order(piece.low, last.high, same);
    if (last === undefined || gap > 0 || (gap === 0 && !piece.lowClosed && !last.highClosed)) {
      result.push(piece);
      continue;
    }
    const reach = order(piece.high, last.high, same);
    if (reach < 0) continue;
    const highClosed = reach === 0 ? piece.highClosed || last.highClosed : piece.highClosed;
    result[result.length - 1] = { ...last, high: piece.high, highClosed };
  }
  return result;
}

/** All real numbers that are not in the set. */
export function complement<T>(set: RealSet<T>): RealSet<T> {
  const result: Piece<T>[] = [];
  let low: End<T> = { at: Number.NEGATIVE_INFINITY, exact: null };
  let lowClosed = false;
  for (const piece of set) {
    if (piece.low.at !== Number.NEGATIVE_INFINITY) {
      result.push({ low, lowClosed, high: piece.low, highClosed: !piece.lowClosed });
    }
    low = piece.high;
    lowClosed = !piece.highClosed;
  }
  if (low.at !== Number.POSITIVE_INFINITY) {
    result.push({ low, lowClosed, high: { at: Number.POSITIVE_INFINITY, exact: null }, highClosed: false });
  }
  return result;
}

/** What both sets hold, by the rule of De Morgan. */
export function intersection<T>(a: RealSet<T>, b: RealSet<T>, same: SameEnd<T>): RealSet<T> {
  return complement(union([...complement(a), ...complement(b)], same));
}

/** True when the two hold the same numbers. */
export function isSameSet<T>(a: RealSet<T>, b: RealSet<T>, same: SameEnd<T>): boolean {
  return (
    a.length === b.length &&
    a.every((piece, index) => {
      const other = b[index]!;
      return (
        piece.lowClosed === other.lowClosed &&
        piece.highClosed === other.highClosed &&
        order(piece.low, other.low, same) === 0 &&
        order(piece.high, other.high, same) === 0
      );
    })
  );
}
