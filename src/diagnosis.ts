/** Why a run cannot learn, in one plain sentence, from counts that add up over steps. */
import { hasZeroVariance } from "./metrics.ts";
import type { ScoredGroup } from "./types.ts";

/** Counts over the groups of one or more steps; `addEvidence` makes one of two. */
export interface Evidence {
  readonly numGroups: number;
  readonly numZeroVarianceGroups: number;
  readonly numRollouts: number;
  readonly numTruncated: number;
  /** Rollouts whose reward total is null. */
  readonly numExcluded: number;
  /** Failed outcomes by reward name. */
  readonly failures: Readonly<Record<string, { readonly count: number; readonly firstError: string }>>;
  /** Over counted rewards; Infinity and -Infinity when there are none. */
  readonly minReward: number;
  readonly maxReward: number;
}

export const noEvidence: Evidence = {
  numGroups: 0,
  numZeroVarianceGroups: 0,
  numRollouts: 0,
  numTruncated: 0,
  numExcluded: 0,
  failures: {},
  minReward: Number.POSITIVE_INFINITY,
  maxReward: Number.NEGATIVE_INFINITY,
};

/** The evidence of one step's groups. */
export function evidenceOf(groups: readonly ScoredGroup[]): Evidence {
  let minReward = noEvidence.minReward;
  let maxReward = noEvidence.maxReward;
  const failures: Record<string, { count: number; firstError: string }> = {};
  for (const { total, outcomes } of groups.flatMap((group) => group.rewards)) {
    if (total !== null) {
      minReward = Math.min(minReward, total);
      maxReward = Math.max(maxReward, total);
    }
    for (const [name, outcome] of Object.entries(outcomes)) {
      if (outcome.status !== "failed") continue;
      const seen = failures[name];
      failures[name] = { count: (seen?.count ?? 0) + 1, firstError: seen?.firstError ?? outcome.error };
    }
  }
  return {
    numGroups: groups.length,
    numZeroVarianceGroups: groups.filter(hasZeroVariance).length,
    numRollouts: groups.reduce((sum, group) => sum + group.rollouts.length, 0),
    numTruncated: groups
      .flatMap((group) => group.rollouts)
      .filter(({ completion }) => completion.finishReason === "length").length,
    numExcluded: groups.flatMap((group) => group.rewards).filter((reward) => reward.total === null).length,
    failures,
    minReward,
    maxReward,
  };
}

export function addEvidence(a: Evidence, b: Evidence): Evidence {
  const failures = { ...a.failures };
  for (const [name, { count, firstError }] of Object.entries(b.failures)) {
    const seen = failures[name];
    failures[name] = { count: (seen?.count ?? 0) + count, firstError: seen?.firstError ?? firstError };
  }
  return {
    numGroups: a.numGroups + b.numGroups,
    numZeroVarianceGroups: a.numZeroVarianceGroups + b.numZeroVarianceGroups,
    numRollouts: a.numRollouts + b.numRollouts,
    numTruncated: a.numTruncated + b.numTruncated,
    numExcluded: a.numExcluded + b.numExcluded,
    failures,
    minReward: Math.min(a.minReward, b.minReward),
    maxReward: Math.max(a.maxReward, b.maxReward),
  };
}

/** What the updates of those steps did, and what the recipe says that bears on it. */
export interface UpdateEvidence {
  /** L2 norms before clipping, one per update; not finite where an update was skipped. */
  readonly gradNorms: readonly number[];
  /** Largest learning rate of those updates. */
  readonly learningRate: number;
  /** False for objectives that learn from a reward without comparing siblings (reinforce). */
  readonly comparesSiblings: boolean;
  readonly maskTruncated: boolean;
}

/** The sentence that says why nothing was learned and what to change, or null when none of the known reasons holds. */
export function explainNoLearning(rollouts: Evidence, updates: UpdateEvidence): string | null {
  return (
    explainExclusion(rollouts) ??
    explainTruncation(rollouts, updates) ??
    explainRewards(rollouts, updates) ??
    explainUpdates(rollouts, updates)
  );
}

function explainExclusion({ numRollouts, numExcluded, failures }: Evidence): string | null {
  if (numRollouts === 0) return "Nothing was sampled: no group of completions reached the trainer.";
  if (numExcluded < numRollouts) return null;
  const [worst] = Object.entries(failures).sort(([, a], [, b]) => b.count - a.count);
  if (worst === undefined) {
    return `All ${numRollouts} completions were excluded: every reward abstained. Check that the rewards apply to these rows, e.g. that the rows have answers.`;
  }
  const [name, { count, firstError }] = worst;
  return `All ${numRollouts} completions were excluded, and none was trained: reward ${name} failed on ${count} of them. First failure: ${firstError}`;
}

function explainTruncation({ numRollouts, numTruncated }: Evidence, { maskTruncated }: UpdateEvidence): string | null {
  if (!maskTruncated || numTruncated < numRollouts) return null;
  return `All ${numRollouts} completions were cut off at maxTokens, and maskTruncated leaves none to train. Raise rollout.sampling.maxTokens.`;
}

function explainRewards(rollouts: Evidence, { comparesSiblings }: UpdateEvidence): string | null {
  const { numGroups, numZeroVarianceGroups, numRollouts, numTruncated, minReward, maxReward } = rollouts;
  if (!comparesSiblings) {
    if (minReward !== 0 || maxReward !== 0) return null;
    return `Every reward is 0, so no completion is made likelier.${hint(rollouts)}`;
  }
  if (numZeroVarianceGroups < numGroups) return null;
  const start = `100 % of groups (${numGroups} of ${numGroups}) have zero variance:`;
  if (minReward < maxReward) {
    return `${start} rewards lie between ${minReward} and ${maxReward}, but the completions of one prompt always score the same. Use a larger groupSize, a higher temperature, or a reward that grades completions and not prompts.`;
  }
  const cutOff = numTruncated === numRollouts ? " All completions were cut off at maxTokens; raise it." : "";
  return `${start} every reward is ${minReward}.${cutOff}${hint(rollouts)}`;
}

/** What to do about a reward that never varies: it is too high to rise, or was never earned. */
function hint({ maxReward }: Evidence): string {
  return maxReward > 0
    ? " If that is full marks, the problems are solved already: use harder ones. If not, the reward does not tell good from bad."
    : " The model never earns it by chance: start from an sft stage that teaches the form, use easier problems or a larger groupSize, or add a reward for part of the way.";
}

function explainUpdates(rollouts: Evidence, { gradNorms, learningRate, maskTruncated }: UpdateEvidence): string | null {
  if (gradNorms.length === 0) return "No optimizer step was taken.";
  if (gradNorms.every((norm) => !Number.isFinite(norm))) {
    return `All ${gradNorms.length} updates were skipped, because the gradient was not finite. Lower the learning rate, and check the starting weights.`;
  }
  if (gradNorms.every((norm) => norm === 0)) {
    const informative = rollouts.numGroups - rollouts.numZeroVarianceGroups;
    const masked = maskTruncated
      ? ` ${rollouts.numTruncated} of ${rollouts.numRollouts} completions were left out by maskTruncated.`
      : "";
    return `The gradient is exactly 0 although the rewards of ${informative} groups differ: no trained token has a weight that counts.${masked} Check clipping, masks and off-policy correction.`;
  }
  if (learningRate === 0) return "The learning rate is 0. Check optimizer.learningRate, warm-up and schedule.";
  return null;
}
