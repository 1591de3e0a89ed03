/**
 * Evaluation: k samples of every prompt, and what they say with their uncertainty.
 *
 * pass@1 is the mean over prompts of the share of correct samples; its standard error is over prompts. pass@k is the unbiased
 * estimate. cons@k lets the samples vote by equivalence of their answers, as the verifier sees it: numerically, 1/2 and 0.5 are one
 * vote. Empty and unreadable answers have none.
 */
import type { SamplingParams } from "./engine/engine.ts";
import { majority, passAtK, standardError } from "./math/pass-at-k.ts";
import { mean } from "./math/statistics.ts";
import { rolloutMetrics } from "./metrics.ts";
import { sampleGroups } from "./rollout.ts";
import type { PolicyServer } from "./server/server.ts";
import type { Group, Prompt, ScoredGroup } from "./types.ts";
import { type AnswerParams, answerKey } from "./verify/judge.ts";

export interface EvaluateOptions {
  readonly server: PolicyServer;
  readonly prompts: readonly Prompt[];
  readonly score: (groups: readonly Group[]) => Promise<ScoredGroup[]>;
  /** The reward whose score above 0.5 counts as correct. */
  readonly metric: string;
  /** How answers are found and compared where they vote. */
  readonly answer: AnswerParams;
  /** k */
  readonly numSamples: number;
  readonly params: SamplingParams;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

export interface EvaluationItem {
  readonly id: string;
  readonly prompt: string;
  readonly answer: string | null;
  /** [k] null where the sample could not be judged: it counts as wrong, and is counted. */
  readonly correct: readonly (boolean | null)[];
  readonly completions: readonly string[];
  readonly numTokens: readonly number[];
  readonly truncated: readonly boolean[];
  readonly majorityCorrect: boolean;
}

export interface Evaluation {
  readonly numPrompts: number;
  readonly numSamples: number;
  readonly passAt1: number;
  readonly standardError: number;
  /** pass@k for k = 1, 2, 4 … numSamples. */
  readonly passAtK: Readonly<Record<number, number>>;
  readonly consAtK: number;
  /** Prompts whose vote was tied; the answer that came first counts. */
  readonly numTies: number;
  /** Samples without a verdict (reward abstained or failed). */
  readonly numUnjudged: number;
  readonly meanTokens: number;
  readonly truncatedShare: number;
  /** Means of all rewards, as in training. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly items: readonly EvaluationItem[];
}

export async function evaluate({
  server,
  prompts,
  score,
  metric,
  answer,
  numSamples,
  params,
  seed,
  signal,
}: EvaluateOptions): Promise<Evaluation> {
  const seedOf = (group: number) => seed + group * numSamples;
  const options = { groupSize: numSamples, params, seedOf, exactLogprobs: false };
  const groups = await score(await sampleGroups(server, prompts, options, signal));
  return summarise(groups, metric, answer);
}

/** The numbers of scored groups of equal size. */
export function summarise(groups: readonly ScoredGroup[], metric: string, answer: AnswerParams): Evaluation {
  const numSamples = groups[0]?.rollouts.length ?? 0;
  let numTies = 0;
  const items = groups.map((group): EvaluationItem => {
    const correct = group.rewards.map(({ outcomes }) => {
      const outcome = outcomes[metric];
      return outcome?.status === "scored" ? outcome.score > 0.5 : null;
    });
    const { prefill } = group.prompt;
    const keys = group.rollouts.map(({ completion }) =>
      // As rewards see it: the prefill belongs to the response, never to a whole answer.
      answerKey(answer.from === "whole" ? completion.text : prefill + completion.text, group.prompt, answer),
    );
    const vote = majority(keys, (a, b) => a === b);
    if (vote?.tied) numTies++;
    return {
      id: group.prompt.id,
      prompt: group.prompt.text,
      answer: group.prompt.answer,
      correct,
      completions: group.rollouts.map(({ completion }) => completion.text),
      numTokens: group.rollouts.map(({ completion }) => completion.tokenIds.length),
      truncated: group.rollouts.map(({ completion }) => completion.finishReason === "length"),
      majorityCorrect: vote !== null && correct[vote.index] === true,
    };
  });
  const numCorrect = items.map((item) => item.correct.filter((verdict) => verdict === true).length);
  const perPrompt = numCorrect.map((c) => c / numSamples);
  const ks: number[] = [];
  for (let k = 1; k <= numSamples; k *= 2) ks.push(k);
  return {
    numPrompts: groups.length,
    numSamples,
    passAt1: mean(perPrompt),
    standardError: standardError(perPrompt),
    passAtK: Object.fromEntries(ks.map((k) => [k, mean(numCorrect.map((c) => passAtK(numSamples, c, k)))])),
    consAtK: mean(items.map((item) => (item.majorityCorrect ? 1 : 0))),
    numTies,
    numUnjudged: items.flatMap((item) => item.correct).filter((verdict) => verdict === null).length,
    meanTokens: mean(items.flatMap((item) => item.numTokens)),
    truncatedShare: mean(items.flatMap((item) => item.truncated.map(Number))),
    metrics: rolloutMetrics(groups),
    items,
  };
}
