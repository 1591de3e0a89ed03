/**
 * One small batch that nobody sampled, so that a recipe can be explained before it has run: five completions of one prompt, of which
 * one is cut off and one has no reward, by a policy that has moved since. Its numbers are chosen so that every clip can show.
 */

import type { RlStage } from "../recipe/schema.ts";
import type { LoggedStep } from "../replay/reconstruct.ts";
import { rewardLabel } from "../reward/reward.ts";
import { toRollout } from "../rollout.ts";
import type { FinishReason, Prompt, Reward, TrainedRollout } from "../types.ts";

/** The text of each token id. */
export const EXAMPLE_TOKENS = ["2", "+", "=", "4", "5", "so", "hm", "…", "<end>"] as const;

const prompt: Prompt = { id: "example", text: "2+2=", tokenIds: [0, 1, 0, 2], prefill: "", answer: "4", fields: {} };

interface Row {
  readonly tokens: readonly (typeof EXAMPLE_TOKENS)[number][];
  /** What every reward of the recipe gives; null: it failed. */
  readonly score: number | null;
  readonly finishReason: FinishReason;
  /** [T] current over old probability. */
  readonly ratios: readonly number[];
}

const ROWS: readonly Row[] = [
  { tokens: ["4", "<end>"], score: 1, finishReason: "stop", ratios: [1.5, 0.9] },
  { tokens: ["so", "4", "<end>"], score: 0.5, finishReason: "stop", ratios: [1, 1.1, 0.7] },
  { tokens: ["hm", "5", "<end>"], score: 0, finishReason: "stop", ratios: [0.6, 12, 1] },
  { tokens: ["hm", "so", "hm", "…"], score: 0, finishReason: "length", ratios: [1, 0.95, 1.05, 1] },
  { tokens: ["…", "<end>"], score: null, finishReason: "stop", ratios: [1, 1] },
];

/** The batch under the rewards of a stage, with all that an objective may ask for. */
export function exampleStep({ rewards: { functions } }: RlStage): LoggedStep {
  const specs = functions.map((spec) => (typeof spec === "string" ? { name: spec, weight: 1, params: {} } : spec));
  const rollouts = ROWS.map(({ tokens, finishReason }, i) => {
    const tokenIds = tokens.map((token) => EXAMPLE_TOKENS.indexOf(token));
    return toRollout(prompt, {
      tokenIds,
      logprobs: Float32Array.from(tokenIds, (_, t) => oldLogprob(i, t) - 0.01),
      text: tokens.join(""),
      finishReason,
      policyVersion: 0,
    });
  });
  const rewards = ROWS.map(({ score }): Reward => {
    const outcomes = specs.map((spec) => [
      rewardLabel(spec),
      score === null ? { status: "failed", error: "the example's reward failed" } : { status: "scored", score },
    ]);
    const total = score === null ? null : score * specs.reduce((sum, { weight }) => sum + weight, 0);
    return { total, outcomes: Object.fromEntries(outcomes) };
  });
  const trained = ROWS.map((row, i): TrainedRollout => {
    const over = (value: (t: number) => number) =>
      Float32Array.from([...prompt.tokenIds.map(() => 0), ...row.ratios.map((_, t) => value(t))]);
    const oldLogprobs = over((t) => oldLogprob(i, t));
    return {
      advantages: over(() => 0),
      oldLogprobs,
      logprobs: over((t) => oldLogprob(i, t) + Math.log(row.ratios[t]!)),
      refLogprobs: over((t) => oldLogprob(i, t) - 0.05 * (t + 1)),
      entropies: over((t) => 0.4 + 0.1 * t),
      values: over((t) => 0.3 + 0.1 * t),
    };
  });
  const rewardWeights = Object.fromEntries(specs.map((spec) => [rewardLabel(spec), spec.weight]));
  return { groups: [{ prompt, rollouts, rewards, rewardWeights, greedyReward: 0 }], trained: [trained] };
}

/** nats */
function oldLogprob(completion: number, t: number): number {
  return -0.4 - 0.3 * ((completion + 2 * t) % 3);
}
