/**
 * From prompts to groups of completions, and to the scored groups that one step trains on.
 *
 * Dynamic sampling (DAPO, arXiv 2503.14476, section 3.2): groups in which all rewards are equal teach nothing, so they are left
 * out, and sampling goes on until the batch is full.
 */

import { addEvidence, type Evidence, evidenceOf, explainNoLearning, noEvidence } from "./diagnosis.ts";
import type { SamplingParams } from "./engine/engine.ts";
import { RecipeError } from "./errors.ts";
import { allEqual } from "./math/statistics.ts";
import type { PolicyServer } from "./server/server.ts";
import type { Completion, Group, Prompt, Rollout, ScoredGroup } from "./types.ts";

export interface GroupOptions {
  /** G */
  readonly groupSize: number;
  readonly params: SamplingParams;
  /** Seed of the i-th group; completion j of it runs with seed + j. */
  readonly seedOf: (group: number) => number;
  /** False when nobody trains on the log-probabilities. Default true. */
  readonly exactLogprobs?: boolean;
}

/** One group per prompt, in order; prompts that are equal make groups of their own. */
export function sampleGroups(
  server: PolicyServer,
  prompts: readonly Prompt[],
  { groupSize, params, seedOf, exactLogprobs = true }: GroupOptions,
  signal?: AbortSignal,
): Promise<Group[]> {
  return Promise.all(
    prompts.map(async (prompt, i) => {
      const request = { prompt, numCompletions: groupSize, seed: seedOf(i), params, exactLogprobs };
      const completions = await server.sample(request, signal);
      return { prompt, rollouts: completions.map((completion) => toRollout(prompt, completion)) };
    }),
  );
}

/** Prompt and completion end to end; exactly the completion's tokens are trained. */
export function toRollout(prompt: Prompt, completion: Completion): Rollout {
  const start = prompt.tokenIds.length;
  const length = start + completion.tokenIds.length;
  const tokenIds = new Int32Array(length);
  tokenIds.set(prompt.tokenIds);
  tokenIds.set(completion.tokenIds, start);
  const samplingLogprobs = new Float32Array(length);
  samplingLogprobs.set(completion.logprobs, start);
  return { completion, sequence: { tokenIds, lossMask: new Uint8Array(length).fill(1, start), samplingLogprobs } };
}

export interface CollectOptions {
  readonly promptsPerStep: number;
  readonly dynamicSampling?: { readonly maxBatches: number; readonly metric?: string | undefined } | undefined;
  /** The next prompts of the dataset, in the run's order. */
  readonly nextPrompts: (count: number) => readonly Prompt[];
  readonly sample: (prompts: readonly Prompt[], firstGroup: number) => Promise<Group[]>;
  readonly score: (groups: readonly Group[]) => Promise<ScoredGroup[]>;
}

export interface Collected {
  /** What is trained: promptsPerStep groups. */
  readonly groups: readonly ScoredGroup[];
  /** Groups sampled for it, those left out included. */
  readonly numSampledGroups: number;
  /** Of all that was sampled. */
  readonly evidence: Evidence;
  readonly rolloutSeconds: number;
  readonly rewardSeconds: number;
}

/** The scored groups of one step. Throws RecipeError with the reason when dynamic sampling cannot fill the batch. */
export async function collect(options: CollectOptions): Promise<Collected> {
  const { promptsPerStep, dynamicSampling, nextPrompts, sample, score } = options;
  const kept: ScoredGroup[] = [];
  let numSampledGroups = 0;
  let evidence = noEvidence;
  let rolloutSeconds = 0;
  let rewardSeconds = 0;
  for (let round = 0; kept.length < promptsPerStep; round++) {
    if (dynamicSampling !== undefined && round === dynamicSampling.maxBatches) {
      const reason = explainNoLearning(evidence, {
        gradNorms: [],
        learningRate: 1,
        comparesSiblings: true,
        maskTruncated: false,
      });
      throw new RecipeError(
        `Dynamic sampling found ${kept.length} of ${promptsPerStep} informative groups in ${numSampledGroups} groups of ${round} batches. ` +
          `${evidence.numZeroVarianceGroups === evidence.numGroups && reason !== null ? reason : "Use prompts of middle difficulty, a larger groupSize, or a higher dynamicSampling.maxBatches."}`,
      );
    }
    const missing = promptsPerStep - kept.length;
    // A later round asks for as many groups as should fill the batch at the rate seen so far.
    const share = round === 0 ? 1 : Math.max(kept.length / numSampledGroups, missing / promptsPerStep);
    const prompts = nextPrompts(Math.min(promptsPerStep, Math.ceil(missing / share)));
    const start = performance.now();
    const groups = await sample(prompts, numSampledGroups);
    const sampled = performance.now();
    const scored = await score(groups);
    rolloutSeconds += (sampled - start) / 1000;
    rewardSeconds += (performance.now() - sampled) / 1000;
    numSampledGroups += scored.length;
    evidence = addEvidence(evidence, evidenceOf(scored));
    kept.push(
      ...(dynamicSampling === undefined
        ? scored
        : scored.filter((group) => isInformative(group, dynamicSampling.metric))),
    );
  }
  return { groups: kept.slice(0, promptsPerStep), numSampledGroups, evidence, rolloutSeconds, rewardSeconds };
}

/** True when the totals (or the scores of one reward) of the group differ. */
function isInformative(group: ScoredGroup, metric: string | undefined): boolean {
  const scores = group.rewards.map(({ total, outcomes }) => {
    if (total === null || metric === undefined) return total;
    const outcome = outcomes[metric];
    return outcome?.status === "scored" ? outcome.score : null;
  });
  return !allEqual(scores.filter((score) => score !== null));
}
