/**
 * What a step was like, as numbers under the names that TRL and verl users know, and, for a run that cannot learn, as a sentence.
 */
import { allEqual, mean, populationStd, sampleStd } from "./math/statistics.ts";
import type { Metric, MetricEffectiveShare, RewardOutcome, ScoredGroup } from "./types.ts";

/** Adds metrics of sequences or micro-batches; exact, so any split reports the same. */
export function mergeMetrics(parts: Iterable<Readonly<Record<string, Metric>>>): Record<string, Metric> {
  const merged: Record<string, Metric> = {};
  for (const part of parts) {
    for (const [name, metric] of Object.entries(part)) merged[name] = mergeMetric(name, merged[name], metric);
  }
  return merged;
}

function mergeMetric(name: string, before: Metric | undefined, added: Metric): Metric {
  if (before === undefined) return added;
  if ("max" in before && "max" in added) return { max: Math.max(before.max, added.max) };
  if ("min" in before && "min" in added) return { min: Math.min(before.min, added.min) };
  if ("sum" in before && "sum" in added && "sumOfSquares" in before === "sumOfSquares" in added) {
    const sums = { sum: before.sum + added.sum, count: before.count + added.count };
    if (!("sumOfSquares" in before && "sumOfSquares" in added)) return sums;
    return { ...sums, sumOfSquares: before.sumOfSquares + added.sumOfSquares };
  }
  throw new Error(`metric ${name} is one kind in one place and another elsewhere`);
}

/** The number of each metric; a mean of nothing is left out. */
export function metricValues(metrics: Readonly<Record<string, Metric>>): Record<string, number> {
  const values: Record<string, number> = {};
  for (const [name, metric] of Object.entries(metrics)) {
    if ("max" in metric) values[name] = metric.max;
    else if ("min" in metric) values[name] = metric.min;
    else if ("sumOfSquares" in metric) Object.assign(values, effectiveShare(name, metric));
    else if (metric.count > 0) values[name] = metric.sum / metric.count;
  }
  return values;
}

/** 0 where every weight is 0: nothing is left. */
function effectiveShare(name: string, { sum, sumOfSquares, count }: MetricEffectiveShare): Record<string, number> {
  if (count === 0) return {};
  return { [name]: sumOfSquares === 0 ? 0 : sum ** 2 / (count * sumOfSquares) };
}

/**
 * Rewards and lengths of one step's rollouts; a number that has nothing to be made of is left out.
 *
 * reward: mean over rollouts that have one. reward_std: mean over groups of their sample standard deviation.
 * rewards/NAME/mean, std (over all scored completions), failed and abstained (counts), parts/PART (means).
 * frac_reward_zero_std: share of groups that teach nothing to a group-relative objective. rewards/excluded: share of rollouts.
 * completions/…_length in tokens, clipped_ratio: share cut off at the limit, …_terminated_length: of the others.
 */
export function rolloutMetrics(groups: readonly ScoredGroup[]): Record<string, number> {
  const rollouts = groups.flatMap((group) => group.rollouts);
  const rewards = groups.flatMap((group) => group.rewards);
  const totals = rewards.map((reward) => reward.total).filter((total) => total !== null);
  const lengths = rollouts.map(({ completion }) => completion.tokenIds.length);
  const terminated = rollouts.filter(({ completion }) => completion.finishReason === "stop");
  const groupTotals = groups.map(countedTotals).filter((counted) => counted.length > 0);
  if (rollouts.length === 0) return {};
  return {
    ...(totals.length === 0 ? {} : { reward: mean(totals), reward_std: mean(groupTotals.map(sampleStd)) }),
    frac_reward_zero_std: groups.filter(hasZeroVariance).length / groups.length,
    ...rewardMetrics(rewards.map((reward) => reward.outcomes)),
    "rewards/excluded": 1 - totals.length / rewards.length,
    ...lengthMetrics("length", lengths),
    ...lengthMetrics(
      "terminated_length",
      terminated.map(({ completion }) => completion.tokenIds.length),
    ),
    "completions/clipped_ratio": 1 - terminated.length / rollouts.length,
  };
}

function rewardMetrics(outcomes: readonly Readonly<Record<string, RewardOutcome>>[]): Record<string, number> {
  const metrics: Record<string, number> = {};
  for (const name of new Set(outcomes.flatMap((outcome) => Object.keys(outcome)))) {
    const ofName = outcomes.map((outcome) => outcome[name]).filter((outcome) => outcome !== undefined);
    const scored = ofName.filter((outcome) => outcome.status === "scored");
    if (scored.length > 0) {
      const scores = scored.map((outcome) => outcome.score);
      metrics[`rewards/${name}/mean`] = mean(scores);
      metrics[`rewards/${name}/std`] = populationStd(scores);
    }
    for (const part of new Set(scored.flatMap((outcome) => Object.keys(outcome.parts ?? {})))) {
      const values = scored.map((outcome) => outcome.parts?.[part]).filter((value) => value !== undefined);
      metrics[`rewards/${name}/parts/${part}`] = mean(values);
    }
    metrics[`rewards/${name}/failed`] = ofName.filter((outcome) => outcome.status === "failed").length;
    metrics[`rewards/${name}/abstained`] = ofName.filter((outcome) => outcome.status === "abstained").length;
  }
  return metrics;
}

function lengthMetrics(name: string, lengths: readonly number[]): Record<string, number> {
  if (lengths.length === 0) return {};
  return {
    [`completions/mean_${name}`]: mean(lengths),
    [`completions/min_${name}`]: lengths.reduce((a, b) => Math.min(a, b)),
    [`completions/max_${name}`]: lengths.reduce((a, b) => Math.max(a, b)),
  };
}

/** Reward totals of the rollouts that count. */
function countedTotals(group: ScoredGroup): number[] {
  return group.rewards.map((reward) => reward.total).filter((total) => total !== null);
}

/** True when no two counted rewards of the group differ: a group-relative objective learns nothing from it. */
export function hasZeroVariance(group: ScoredGroup): boolean {
  return allEqual(countedTotals(group));
}
