/** Inputs of rewards as tests write them. */
import type { RewardInput, SampleReward } from "../../src/reward/reward.ts";

export function inputOf(completion: string, overrides: Partial<RewardInput> = {}): RewardInput {
  const prefill = overrides.prefill ?? "";
  const rest = {
    prompt: `Q${prefill}`,
    prefill,
    answer: null,
    fields: {},
    numTokens: 10,
    maxTokens: 1000,
    finishReason: "stop" as const,
  };
  return { ...rest, completion, response: prefill + completion, ...overrides };
}

export function score<Params>(reward: SampleReward<Params>, input: RewardInput, params: Record<string, unknown> = {}) {
  return reward.score(input, reward.params!.parse(params));
}
