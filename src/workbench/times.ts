/** How long calls of rewards take. */

/** A reward of which the first calls all pass their deadline is not waited for any longer. */
export const PATIENCE = 4;

/** In milliseconds. */
export interface CallTimes {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** Zeros for no calls. */
export function callTimesOf(elapsedMs: readonly number[]): CallTimes {
  const times = elapsedMs.toSorted((a, b) => a - b);
  const percentile = (share: number) => times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? 0;
  return { p50: percentile(0.5), p95: percentile(0.95), p99: percentile(0.99), max: percentile(1) };
}
