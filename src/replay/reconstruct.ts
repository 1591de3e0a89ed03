/**
 * From the rollout log back to the records that a step was trained on: what rollout-log.ts wrote, read as what update.ts saw.
 *
 * The log keeps what the loss of its own step read; entropies and values only where that objective asked. It has no log-probabilities of rollouts that the step did not run: those that
 * were excluded, cut off and masked, or of advantage 0 under an objective that rests them.
 */
import { toRollout } from "../rollout.ts";
import type { LoggedRollout } from "../rollout-log.ts";
import type { ScoredGroup, TokenOutputs, TrainedRollout } from "../types.ts";

/** One step as it was trained. */
export interface LoggedStep {
  readonly groups: readonly ScoredGroup[];
  /** [groups][G] arrays over the whole sequence; 0 on the prompt. */
  readonly trained: readonly (readonly TrainedRollout[])[];
}

/** `log` is one file, in its order. The prompt's prefill and columns are not in it: they are empty. */
export function reconstruct(log: readonly LoggedRollout[]): LoggedStep {
  const byGroup: LoggedRollout[][] = [];
  for (const logged of log) {
    if (logged.index === 0) byGroup.push([]);
    byGroup.at(-1)!.push(logged);
  }
  return {
    groups: byGroup.map(groupOf),
    trained: byGroup.map((rollouts) => rollouts.map(trainedOf)),
  };
}

function groupOf(logged: readonly LoggedRollout[]): ScoredGroup {
  const { promptId, prompt, answer, promptTokenIds, greedyReward, rewardWeights } = logged[0]!;
  const rendered = { id: promptId, text: prompt, tokenIds: [...promptTokenIds], prefill: "", answer, fields: {} };
  return {
    prompt: rendered,
    rollouts: logged.map(({ completion, tokenIds, samplingLogprobs, finishReason, policyVersion }) =>
      toRollout(rendered, {
        tokenIds: [...tokenIds],
        logprobs: samplingLogprobs,
        text: completion,
        finishReason,
        policyVersion,
      }),
    ),
    rewards: logged.map(({ reward, outcomes }) => ({ total: reward, outcomes })),
    ...(greedyReward === undefined ? {} : { greedyReward }),
    ...(rewardWeights === undefined ? {} : { rewardWeights }),
  };
}

function trainedOf({ promptTokenIds, advantages, ...logged }: LoggedRollout): TrainedRollout {
  const start = promptTokenIds.length;
  const { oldLogprobs, refLogprobs, logprobs, entropies, values, returns } = logged;
  return {
    advantages: afterPrompt(advantages, start),
    ...(oldLogprobs === undefined ? {} : { oldLogprobs: afterPrompt(oldLogprobs, start) }),
    ...(refLogprobs === undefined ? {} : { refLogprobs: afterPrompt(refLogprobs, start) }),
    ...(logprobs === undefined ? {} : { logprobs: afterPrompt(logprobs, start) }),
    ...(entropies === undefined ? {} : { entropies: afterPrompt(entropies, start) }),
    ...(values === undefined ? {} : { values: afterPrompt(values, start) }),
    ...(returns === undefined ? {} : { returns: afterPrompt(returns, start) }),
  };
}

/** [L] from [T]. */
function afterPrompt(values: Float32Array, start: number): Float32Array {
  const whole = new Float32Array(start + values.length);
  whole.set(values, start);
  return whole;
}

/** [groups][G] what the trainer said before the first update; NaN where the log has nothing, which cannot pass for a number. */
export function oldOutputs({ groups, trained }: LoggedStep): TokenOutputs[][] {
  const hasValues = trained.some((group) => group.some(({ values }) => values !== undefined));
  return groups.map(({ rollouts }, g) =>
    rollouts.map(({ sequence }, i) => {
      const none = absent(sequence.tokenIds.length);
      const { oldLogprobs: logprobs = none, values = none } = trained[g]![i]!;
      return hasValues ? { logprobs, values } : { logprobs };
    }),
  );
}

/** [groups][G] what the reference said, or undefined where the step had none. */
export function refOutputs({ groups, trained }: LoggedStep): TokenOutputs[][] | undefined {
  if (!trained.some((group) => group.some(({ refLogprobs }) => refLogprobs !== undefined))) return undefined;
  return groups.map(({ rollouts }, g) =>
    rollouts.map(({ sequence }, i) => ({
      logprobs: trained[g]![i]!.refLogprobs ?? absent(sequence.tokenIds.length),
    })),
  );
}

function absent(length: number): Float32Array {
  return new Float32Array(length).fill(Number.NaN);
}
