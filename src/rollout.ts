/**
 * From prompts to groups of completions, and to the scored groups that one step trains on.
 *
 * Dynamic sampling (DAPO, arXiv 2503.14476, section 3.2): groups in which all rewards are equal teach nothing, so they are left
 * out, and sampling goes on until the batch is full. GPG (arXiv 2504.02546) keeps them, and samples more only while the share of
 * informative groups is below beta_th. Here the batch keeps its size all the same: informative groups take the place of others, so that
 * an optimizer step is always of as many completions as the recipe says. Without `refill` (Skywork-OR1, arXiv 2505.22312) groups are
 * left out and nothing takes their place; a step in which all are equal trains as it was sampled, which moves nothing but its KL.
 */
import type { JudgedGroup } from "./dataset/ledger.ts";
import { addEvidence, type Evidence, evidenceOf, explainNoLearning, noEvidence } from "./diagnosis.ts";
import type { SamplingParams } from "./engine/engine.ts";
import { RecipeError } from "./errors.ts";
import { allEqual, mean } from "./math/statistics.ts";
import type { RolloutSpec } from "./recipe/schema.ts";
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

/**
 * One greedy completion per prompt, as a group of its own: the baseline of ReMax (Li et al., arXiv 2310.10505). It is scored like any other
 * and never trained.
 */
export function sampleGreedy(
  server: PolicyServer,
  prompts: readonly Prompt[],
  params: SamplingParams,
  signal?: AbortSignal,
): Promise<Group[]> {
  const greedy = { ...params, temperature: 0, topP: 1, topK: 0, minP: 0 };
  return sampleGroups(server, prompts, { groupSize: 1, params: greedy, seedOf: () => 0, exactLogprobs: false }, signal);
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
  readonly dynamicSampling?: RolloutSpec["dynamicSampling"];
  /** The next prompts of the dataset, in the run's order. */
  readonly nextPrompts: (count: number) => readonly Prompt[];
  readonly sample: (prompts: readonly Prompt[], firstGroup: number) => Promise<Group[]>;
  /** For objectives that need "greedyReward": one group of one greedy completion per prompt. */
  readonly sampleGreedy?: ((prompts: readonly Prompt[]) => Promise<Group[]>) | undefined;
  readonly score: (groups: readonly Group[]) => Promise<ScoredGroup[]>;
}

export interface Collected {
  /** What is trained: promptsPerStep groups (without refill at most as many), in the order they were sampled. */
  readonly groups: readonly ScoredGroup[];
  /** What was made of every sampled group, those left out included, in order. */
  readonly sampled: readonly JudgedGroup[];
  /** Sampled groups that are not trained; with the trained ones they are all. */
  readonly leftOut: LeftOut;
  /** Greedy completions that were sampled beside them, with their rewards. */
  readonly greedy: readonly ScoredGroup[];
  /** Of all that was sampled, but for greedy completions. */
  readonly evidence: Evidence;
  readonly rolloutSeconds: number;
  readonly rewardSeconds: number;
}

/** Groups that were sampled and not trained, by reason. */
export interface LeftOut {
  /** Equal scores above 0.5. */
  readonly allRight: number;
  /** Equal scores up to 0.5. */
  readonly allWrong: number;
  /** No completion with a score. */
  readonly excluded: number;
  /** Informative, but the batch was full. */
  readonly surplus: number;
}

/** The scored groups of one step. Throws RecipeError with the reason when dynamic sampling cannot fill the batch. */
export async function collect(options: CollectOptions): Promise<Collected> {
  const { promptsPerStep, dynamicSampling, nextPrompts, sample, sampleGreedy: sampleBaseline, score } = options;
  const wanted = numInformativeWanted(promptsPerStep, dynamicSampling);
  const candidates: Candidate[] = [];
  const sampled: JudgedGroup[] = [];
  const greedy: ScoredGroup[] = [];
  let numInformative = 0;
  let evidence = noEvidence;
  let rolloutSeconds = 0;
  let rewardSeconds = 0;
  const leftOut = { allRight: 0, allWrong: 0, excluded: 0, surplus: 0 };
  for (let round = 0; round === 0 || numInformative < wanted; round++) {
    if (dynamicSampling !== undefined && round === dynamicSampling.maxBatches) {
      throw new RecipeError(explainShortage(numInformative, wanted, evidence, round));
    }
    const missing = wanted - numInformative;
    // A later round asks for as many groups as should fill the batch at the rate seen so far.
    const share = round === 0 ? 1 : Math.max(numInformative / sampled.length, missing / promptsPerStep);
    const prompts = nextPrompts(round === 0 ? promptsPerStep : Math.min(promptsPerStep, Math.ceil(missing / share)));
    const start = performance.now();
    const [groups, baselines = []] = await Promise.all([sample(prompts, sampled.length), sampleBaseline?.(prompts)]);
    const sampledAt = performance.now();
    const all = await score([...groups, ...baselines]);
    const scored = all.slice(0, groups.length).map((group, i) => withGreedyReward(group, all[groups.length + i]));
    greedy.push(...all.slice(groups.length));
    rolloutSeconds += (sampledAt - start) / 1000;
    rewardSeconds += (performance.now() - sampledAt) / 1000;
    evidence = addEvidence(evidence, evidenceOf(scored));
    for (const group of scored) {
      const verdict = dynamicSampling === undefined ? "informative" : verdictOf(group, dynamicSampling.metric);
      if (verdict === "informative") numInformative++;
      sampled.push({ prompt: group.prompt, rewards: group.rewards });
      // What can never be trained is let go at once: its tokens would only fill the memory.
      if (verdict === "informative" || (wanted < promptsPerStep && candidates.length < promptsPerStep))
        candidates.push({ group, verdict, order: sampled.length });
      else leftOut[verdict]++;
    }
  }
  const mayShrink = dynamicSampling?.refill === false && numInformative > 0;
  const chosen = choose(candidates, mayShrink ? numInformative : promptsPerStep);
  const trained = new Set(chosen);
  for (const candidate of candidates) {
    if (!trained.has(candidate)) leftOut[candidate.verdict === "informative" ? "surplus" : candidate.verdict]++;
  }
  const groups = chosen.map(({ group }) => group);
  return { groups, sampled, leftOut, greedy, evidence, rolloutSeconds, rewardSeconds };
}

/** null: the greedy completion has no reward. */
function withGreedyReward(group: ScoredGroup, greedy: ScoredGroup | undefined): ScoredGroup {
  return greedy === undefined ? group : { ...group, greedyReward: greedy.rewards[0]!.total };
}

type Verdict = "informative" | "allRight" | "allWrong" | "excluded";

interface Candidate {
  readonly group: ScoredGroup;
  readonly verdict: Verdict;
  /** Place among all that was sampled. */
  readonly order: number;
}

/** Informative groups first, then others, each in the order they were sampled; given back in that order as well. */
function choose(candidates: readonly Candidate[], count: number): Candidate[] {
  const informative = candidates.filter(({ verdict }) => verdict === "informative");
  const others = candidates.filter(({ verdict }) => verdict !== "informative");
  return [...informative, ...others].slice(0, count).sort((a, b) => a.order - b.order);
}

function numInformativeWanted(promptsPerStep: number, dynamicSampling: RolloutSpec["dynamicSampling"]): number {
  if (dynamicSampling === undefined || !dynamicSampling.refill) return 0;
  // 0.07 * 100 is a little more than 7 in floating point.
  return Math.ceil(dynamicSampling.minInformativeShare * promptsPerStep - 1e-9);
}

function explainShortage(numInformative: number, wanted: number, evidence: Evidence, numRounds: number): string {
  const reason = explainNoLearning(evidence, {
    gradNorms: [],
    learningRate: 1,
    comparesSiblings: true,
    maskTruncated: false,
  });
  const isHopeless = evidence.numZeroVarianceGroups === evidence.numGroups && reason !== null;
  return (
    `Dynamic sampling found ${numInformative} of ${wanted} informative groups in ${evidence.numGroups} groups of ${numRounds} batches. ` +
    (isHopeless
      ? reason
      : "Use prompts of middle difficulty, a larger groupSize, or a higher dynamicSampling.maxBatches.")
  );
}

/** "informative" when the totals (or the scores of one reward) of the group differ; else what they all are. */
function verdictOf(group: ScoredGroup, metric: string | undefined): Verdict {
  const scores = group.rewards
    .map(({ total, outcomes }) => {
      if (total === null || metric === undefined) return total;
      const outcome = outcomes[metric];
      return outcome?.status === "scored" ? outcome.score : null;
    })
    .filter((score) => score !== null);
  const [first] = scores;
  if (first === undefined) return "excluded";
  if (!allEqual(scores)) return "informative";
  return first > 0.5 ? "allRight" : "allWrong";
}

/**
 * What a step's batch cost: dynamic_sampling/groups_per_trained_group; rollouts_per_trained_rollout, greedy ones included; and, with
 * dynamic sampling, the shares of the sampled groups that were trained, all_right, all_wrong, excluded and surplus; these five add up to 1.
 * greedy/reward (of those that have one) and greedy/mean_length in tokens, where greedy completions were sampled.
 */
export function samplingMetrics(
  { groups, sampled, leftOut, greedy, evidence }: Collected,
  dynamicSampling: RolloutSpec["dynamicSampling"],
): Record<string, number> {
  const numTrained = groups.reduce((sum, group) => sum + group.rollouts.length, 0);
  const shares =
    dynamicSampling === undefined
      ? {}
      : {
          "dynamic_sampling/trained": groups.length / sampled.length,
          "dynamic_sampling/all_right": leftOut.allRight / sampled.length,
          "dynamic_sampling/all_wrong": leftOut.allWrong / sampled.length,
          "dynamic_sampling/excluded": leftOut.excluded / sampled.length,
          "dynamic_sampling/surplus": leftOut.surplus / sampled.length,
        };
  const greedyRewards = greedy.flatMap(({ rewards }) => rewards.map(({ total }) => total));
  const counted = greedyRewards.filter((total) => total !== null);
  return {
    "dynamic_sampling/groups_per_trained_group": sampled.length / groups.length,
    "dynamic_sampling/rollouts_per_trained_rollout": (evidence.numRollouts + greedy.length) / numTrained,
    ...shares,
    ...(counted.length === 0 ? {} : { "greedy/reward": mean(counted) }),
    ...(greedy.length === 0
      ? {}
      : {
          "greedy/mean_length": mean(
            greedy.flatMap(({ rollouts }) => rollouts.map(({ completion }) => completion.tokenIds.length)),
          ),
        }),
  };
}
