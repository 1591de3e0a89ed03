/**
 * What a study says: every run's scores, paired differences between every two recipes, one verdict for each, and the cost to target.
 *
 * The final score alone decides, since it was chosen before; best score and area are told with their intervals and decide nothing.
 */
import { mean, sampleStd } from "../math/statistics.ts";
import { ALPHA, holm, minimumDetectableEffect, type PairedDifference, pairedDifference } from "./paired.ts";
import { type Cost, costToTarget, type RunCurves } from "./read-run.ts";

export interface StudyRun {
  readonly label: string;
  readonly seed: number;
  /** The run's folder. */
  readonly run: string;
  readonly status: "complete" | "interrupted" | "failed";
  /** Why it failed; null unless it did. */
  readonly reason: string | null;
  /** null unless it is complete. */
  readonly curves: RunCurves | null;
}

export interface Summary {
  readonly label: string;
  readonly numRuns: number;
  /** NaN-free: null where no run is complete. */
  readonly final: MeanAndStd | null;
  readonly best: MeanAndStd | null;
  readonly area: MeanAndStd | null;
  readonly cost: Cost | null;
  readonly toTarget: {
    /** Runs that reached it, of those complete; the others are counted and not averaged. */
    readonly numReached: number;
    readonly cost: Cost | null;
  };
}

export interface MeanAndStd {
  readonly mean: number;
  /** Between seeds; null for one. */
  readonly std: number | null;
}

export interface Comparison {
  /** The one with the higher mean final score, where they differ. */
  readonly a: string;
  readonly b: string;
  readonly verdict: "better" | "noDifferenceShown" | "noVerdict";
  readonly sentence: string;
  /** a - b, in shares of 1; null where no seed has both runs. */
  readonly final: PairedDifference | null;
  /** Of `final`, for all comparisons of the study at once (Holm). */
  readonly adjustedP: number | null;
  /** Found with power 0.8 at the spread that was measured; null where it was not. */
  readonly minimumDetectableEffect: number | null;
  readonly best: PairedDifference | null;
  readonly area: PairedDifference | null;
}

export interface StudyResult {
  readonly labels: readonly string[];
  readonly seeds: readonly number[];
  /** Final score that cost is counted to. */
  readonly target: number | null;
  readonly runs: readonly StudyRun[];
  readonly summaries: readonly Summary[];
  readonly comparisons: readonly Comparison[];
}

/** `target` is a score from 0 to 1; by default the lowest of the recipes' mean final scores, which each reaches on average. */
export function judge(
  labels: readonly string[],
  seeds: readonly number[],
  runs: readonly StudyRun[],
  chosenTarget?: number,
): StudyResult {
  const finals = labels.map((label) => ofLabel(runs, label).map(({ finalScore }) => finalScore));
  const known = finals.filter((scores) => scores.length > 0).map(mean);
  const target = chosenTarget ?? (known.length === 0 ? null : Math.min(...known));
  return {
    labels,
    seeds,
    target,
    runs,
    summaries: labels.map((label) => summarise(label, ofLabel(runs, label), target)),
    comparisons: compareAll(labels, runs),
  };
}

function ofLabel(runs: readonly StudyRun[], label: string): RunCurves[] {
  return runs.flatMap((run) => (run.label === label && run.curves !== null ? [run.curves] : []));
}

function summarise(label: string, curves: readonly RunCurves[], target: number | null): Summary {
  const reached = curves.flatMap((run) => (target === null ? [] : (costToTarget(run, target) ?? [])));
  return {
    label,
    numRuns: curves.length,
    final: meanAndStd(curves.map(({ finalScore }) => finalScore)),
    best: meanAndStd(curves.map(({ bestScore }) => bestScore)),
    area: meanAndStd(curves.flatMap(({ area }) => area ?? [])),
    cost: meanCost(curves.map(({ cost }) => cost)),
    toTarget: { numReached: reached.length, cost: meanCost(reached) },
  };
}

function meanAndStd(values: readonly number[]): MeanAndStd | null {
  return values.length === 0 ? null : { mean: mean(values), std: values.length === 1 ? null : sampleStd(values) };
}

function meanCost(costs: readonly Cost[]): Cost | null {
  if (costs.length === 0) return null;
  const of = (unit: keyof Cost) => mean(costs.map((cost) => cost[unit]));
  return { samples: of("samples"), tokens: of("tokens"), seconds: of("seconds") };
}

function compareAll(labels: readonly string[], runs: readonly StudyRun[]): Comparison[] {
  const pairs = labels.flatMap((a, i) => labels.slice(i + 1).map((b) => measurePair(a, b, runs)));
  const tested = pairs.filter(({ final }) => final?.p != null);
  const adjusted = holm(tested.map(({ final }) => final!.p!));
  return pairs.map((pair) => {
    const rank = tested.indexOf(pair);
    return withVerdict({ ...pair, adjustedP: rank < 0 ? null : adjusted[rank]! }, tested.length);
  });
}

type MeasuredPair = Pick<Comparison, "a" | "b" | "final" | "best" | "area">;

function measurePair(first: string, second: string, runs: readonly StudyRun[]): MeasuredPair {
  const pairs = (a: string, b: string) =>
    runs.flatMap((run) => {
      const other = runs.find(({ label, seed }) => label === b && seed === run.seed);
      return run.label === a && run.curves !== null && other?.curves != null
        ? [[run.curves, other.curves] as const]
        : [];
    });
  const differences = (a: string, b: string, of: (curves: RunCurves) => number | null) =>
    pairs(a, b).flatMap(([left, right]) => {
      const [x, y] = [of(left), of(right)];
      return x === null || y === null ? [] : [x - y];
    });
  const ahead = mean(differences(first, second, ({ finalScore }) => finalScore)) < 0 ? second : first;
  const behind = ahead === first ? second : first;
  const measured = (of: (curves: RunCurves) => number | null) => {
    const values = differences(ahead, behind, of);
    return values.length === 0 ? null : pairedDifference(values);
  };
  return {
    a: ahead,
    b: behind,
    final: measured(({ finalScore }) => finalScore),
    best: measured(({ bestScore }) => bestScore),
    area: measured(({ area }) => area),
  };
}

/** Bonferroni's level for the smallest effect, which Holm's procedure never does worse than. */
function withVerdict(pair: MeasuredPair & { readonly adjustedP: number | null }, numTests: number): Comparison {
  const { a, b, final, adjustedP } = pair;
  const effect =
    final?.std == null || final.std === 0 ? null : minimumDetectableEffect(final.std, final.numSeeds, ALPHA / numTests);
  const say = (verdict: Comparison["verdict"], sentence: string): Comparison => ({
    ...pair,
    verdict,
    sentence,
    minimumDetectableEffect: effect,
  });
  if (final === null) return say("noVerdict", `No verdict on ${a} and ${b}: no seed has a complete run of both.`);
  const difference = `${points(final.mean)} points`;
  if (final.p === null || adjustedP === null) {
    return say(
      "noVerdict",
      `No verdict on ${a} and ${b}: one seed gives a difference, ${difference}, and no interval around it. Use --seeds 5.`,
    );
  }
  const bounds = final.interval;
  const measured =
    bounds === null ? `${difference} in every seed` : `${difference} [${points(bounds[0])}, ${points(bounds[1])}]`;
  const test = `${final.numSeeds} seeds, p = ${shownP(adjustedP)}${numTests > 1 ? ` after Holm for ${numTests} comparisons` : ""}`;
  if (adjustedP < ALPHA)
    return say("better", `${a} is better than ${b} by ${measured} of final held-out score (${test}).`);
  const unseen =
    effect === null
      ? "So the spread that decides what could have been seen is not known."
      : `With ${final.numSeeds} seeds and the spread that was measured, a difference under ${points(effect)} points could not have been seen reliably (four times out of five).`;
  const alone = final.p < ALPHA ? " Alone, this comparison would count; among so many it does not." : "";
  return say(
    "noDifferenceShown",
    `No difference shown between ${a} and ${b}: ${measured} (${test}).${alone} ${unseen}`,
  );
}

/** A share as percentage points: 0.0312 is "3.1". */
export function points(share: number): string {
  const text = (100 * share).toFixed(1);
  return text === "-0.0" ? "0.0" : text;
}

/** Three decimals, and more where three would not say on which side of the level it is: 0.0498, not 0.050. */
export function shownP(p: number): string {
  if (p < 0.001) return "below 0.001";
  return Math.abs(p - ALPHA) < 0.001 ? p.toFixed(5) : p.toFixed(3);
}
