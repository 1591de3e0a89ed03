/**
 * Scores the completions of a step: every reward on every completion, then one total each.
 *
 *   total = sum of weight_k · score_k over the rewards that scored; null when none did, or when any failed
 *
 * A null total excludes the rollout: its advantage is 0, and it counts in no mean. Rewards of weight 0 are only watched. Past a
 * share of failed completions the step throws instead of training on the lucky rest.
 */
import { RecipeError } from "./errors.ts";
import type { RewardPool } from "./reward/pool.ts";
import { type RewardSpec, rewardLabel } from "./reward/reward.ts";
import type { CompletionGroup } from "./reward/units.ts";
import type { Group, Reward, RewardOutcome, ScoredGroup } from "./types.ts";

export interface ScoreOptions {
  /** Share of completions that may fail in one call before it throws, 0 to 1. One completion may always fail. Default 0.05. */
  readonly maxFailedShare?: number;
}

/** Throws a RecipeError with the reasons and an example of each when too many completions failed. */
export async function scoreGroups(
  groups: readonly Group[],
  pool: RewardPool,
  specs: readonly RewardSpec[],
  maxTokens: number,
  { maxFailedShare = 0.05 }: ScoreOptions = {},
): Promise<ScoredGroup[]> {
  if (specs.every(({ weight }) => weight === 0)) {
    throw new RecipeError(
      "Expected at least one reward with a weight other than 0, got none: every advantage would be 0.",
    );
  }
  const scored = await pool.score(groups.map((group) => completionGroupOf(group, maxTokens)));
  const rewardWeights = Object.fromEntries(specs.map((spec) => [rewardLabel(spec), spec.weight]));
  const result = groups.map((group, index): ScoredGroup => {
    const rewards = scored[index]!.map(({ outcomes }): Reward => ({ total: totalOf(outcomes, specs), outcomes }));
    return { ...group, rewards, rewardWeights };
  });
  checkFailures(result, specs, maxFailedShare);
  return result;
}

/** A group as rewards see it; `maxTokens` is the limit that it was sampled under. */
export function completionGroupOf({ prompt, rollouts }: Group, maxTokens: number): CompletionGroup {
  return {
    prompt: prompt.text,
    prefill: prompt.prefill,
    answer: prompt.answer,
    fields: prompt.fields,
    maxTokens,
    completions: rollouts.map(({ completion: { text, tokenIds, finishReason } }) => ({
      text,
      numTokens: tokenIds.length,
      finishReason,
    })),
  };
}

/** null: no reward of a weight other than 0 scored, or one of them failed. */
export function totalOf(outcomes: Reward["outcomes"], specs: readonly RewardSpec[]): number | null {
  let total = 0;
  let numScored = 0;
  for (const spec of specs) {
    const outcome = outcomes[rewardLabel(spec)]!;
    if (spec.weight === 0 || outcome.status === "abstained") continue;
    if (outcome.status === "failed") return null;
    total += spec.weight * outcome.score;
    numScored++;
  }
  return numScored === 0 ? null : total;
}

function checkFailures(groups: readonly ScoredGroup[], specs: readonly RewardSpec[], maxFailedShare: number): void {
  const trained = specs.filter(({ weight }) => weight !== 0).map(rewardLabel);
  const completions = groups.flatMap(({ prompt, rewards }) =>
    rewards.map(({ outcomes }, index) => ({
      where: `prompt ${prompt.id}, completion ${index}`,
      error: firstError(outcomes, trained),
    })),
  );
  const failed = completions.filter((completion) => completion.error !== undefined);
  if (failed.length <= Math.max(1, maxFailedShare * completions.length)) return;
  const byReason = new Map<string, string[]>();
  for (const { where, error } of failed) byReason.set(error!, [...(byReason.get(error!) ?? []), where]);
  const reasons = [...byReason].sort(([, a], [, b]) => b.length - a.length).slice(0, 3);
  throw new RecipeError(
    `Rewards failed on ${failed.length} of ${completions.length} completions of this step, more than the ${Number((100 * maxFailedShare).toFixed(2))} % allowed. ` +
      reasons.map(([error, places]) => `${error} (${places.length} times, e.g. ${places[0]})`).join(" "),
  );
}

function firstError(outcomes: Readonly<Record<string, RewardOutcome>>, labels: readonly string[]): string | undefined {
  for (const label of labels) {
    const outcome = outcomes[label]!;
    if (outcome.status === "failed") return outcome.error;
  }
  return undefined;
}
