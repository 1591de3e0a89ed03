/**
 * What paired runs say: one difference per seed, its mean, an interval and two tests; and what so many seeds could not have seen.
 *
 *   mean +- t(1 - alpha/2, n - 1) s / sqrt(n)                          Student's interval over n paired differences
 *   p = share of the 2^n sign patterns whose |mean| is as large        Fisher's exact sign-flip test
 *   p_(i) -> max over j <= i of min(1, (m - j + 1) p_(j))              Holm 1979, m comparisons, smallest p first
 *   MDE = (t(1 - alpha/2, n - 1) + t(power, n - 1)) s / sqrt(n)        Bloom 1995, minimum detectable effect
 *   s^2 = spread^2 + 2 p (1 - p) / samples                             differences of runs plus binomial noise of two evaluations
 *
 * Seeds are the unit: two thousand evaluation prompts of one run are still one run.
 */
import { mean, sampleStd } from "../math/statistics.ts";
import { tQuantile, twoSidedP } from "../math/student-t.ts";

export const ALPHA = 0.05;
export const POWER = 0.8;

export interface PairedDifference {
  /** Seeds with both runs. */
  readonly numSeeds: number;
  readonly mean: number;
  /** Of the differences, n - 1; null for one seed. */
  readonly std: number | null;
  /** 95 % interval of Student; null for one seed, and where all differences are equal, whose width of 0 would be no knowledge. */
  readonly interval: readonly [number, number] | null;
  /** Two-sided, of the t test; null for one seed. Where all differences are equal, which has no t, the sign-flip test's. */
  readonly p: number | null;
  /** Two-sided, exact, without an assumption about the shape; null past MAX_FLIPPED seeds. */
  readonly signFlipP: number | null;
}

/** `differences` are one per seed, in any unit. */
export function pairedDifference(differences: readonly number[]): PairedDifference {
  const numSeeds = differences.length;
  const center = mean(differences);
  const signFlipP = exactSignFlipP(differences);
  if (numSeeds < 2) return { numSeeds, mean: center, std: null, interval: null, p: null, signFlipP };
  const std = sampleStd(differences);
  const error = std / Math.sqrt(numSeeds);
  const reach = tQuantile(1 - ALPHA / 2, numSeeds - 1) * error;
  // Equal differences leave nothing to divide by; their rounding must not pass for certainty.
  const isFlat = error <= 1e-12 * Math.abs(center) || error === 0;
  const p = isFlat ? signFlipP : twoSidedP(center / error, numSeeds - 1);
  const interval = isFlat ? null : ([center - reach, center + reach] as const);
  return { numSeeds, mean: center, std: isFlat ? 0 : std, interval, p, signFlipP };
}

/** Seeds up to which all sign patterns are counted. */
const MAX_FLIPPED = 16;

function exactSignFlipP(differences: readonly number[]): number | null {
  const n = differences.length;
  if (n === 0 || n > MAX_FLIPPED) return null;
  const observed = Math.abs(differences.reduce((a, b) => a + b, 0));
  const slack = 1e-12 * differences.reduce((sum, d) => sum + Math.abs(d), 0);
  let numAsLarge = 0;
  for (let signs = 0; signs < 2 ** n; signs++) {
    const sum = differences.reduce((total, d, i) => total + (signs & (1 << i) ? d : -d), 0);
    if (Math.abs(sum) >= observed - slack) numAsLarge++;
  }
  return numAsLarge / 2 ** n;
}

/** Holm's adjustment for that many comparisons at once, in the order given. */
export function holm(pValues: readonly number[]): number[] {
  const order = pValues.map((_, i) => i).sort((a, b) => pValues[a]! - pValues[b]!);
  const adjusted = [...pValues];
  let largest = 0;
  order.forEach((index, rank) => {
    largest = Math.max(largest, Math.min(1, (pValues.length - rank) * pValues[index]!));
    adjusted[index] = largest;
  });
  return adjusted;
}

/** The difference that `numSeeds` pairs find with power 0.8, `std` being that of a pair's difference; null for one seed. */
export function minimumDetectableEffect(std: number, numSeeds: number, alpha = ALPHA): number | null {
  if (numSeeds < 2) return null;
  const df = numSeeds - 1;
  return ((tQuantile(1 - alpha / 2, df) + tQuantile(POWER, df)) * std) / Math.sqrt(numSeeds);
}

/** Standard deviation of a pair's difference: `spread` of the training runs themselves, and two evaluations of `numSamples` at rate `p`. */
export function pairStd(spread: number, numSamples: number, p = 0.5): number {
  return Math.sqrt(spread ** 2 + (2 * p * (1 - p)) / numSamples);
}
