/** A step of training as the audit sees it. */
import type { JudgedGroup } from "../dataset/ledger.ts";
import type { Reward, ScoredGroup } from "../types.ts";
import { type AuditedCompletion, type AuditedStep, meanOf } from "./audit.ts";
import type { AuditResult } from "./detectors.ts";
import type { AuditState } from "./history.ts";

/** A step as the training loop has it. */
export interface StepToAudit {
  readonly step: number;
  /** What is trained, in the order of the rollout log. */
  readonly groups: readonly ScoredGroup[];
  /** What was made of every sampled group, those left out included. */
  readonly sampled: readonly Pick<JudgedGroup, "rewards">[];
}

/** What a training loop asks of an audit. */
export interface Auditor {
  /** Looks at a step beside its training. `maxTokens` is the limit that it was sampled under. No held-out reward makes it fail. */
  readonly look: (step: StepToAudit, maxTokens: number, before: AuditState) => Promise<AuditResult>;
  /** Says and logs the alarms of a step, whose rollouts are in the log. */
  readonly tell: (step: number, alarms: AuditResult["alarms"]) => Promise<void>;
}

/** `shadows` are [sample] outcomes, in the order of sampleOf; empty where nobody was asked. */
export function auditedStepOf(
  { step, groups, sampled }: StepToAudit,
  primary: string,
  sample: readonly (readonly [group: number, index: number])[],
  shadows: readonly AuditedCompletion["shadows"][],
): AuditedStep {
  const rewards = sampled.flatMap((group) => group.rewards);
  const completions = groups.map((group, g) =>
    group.rollouts.map((_, i) => {
      const place = sample.findIndex(([sampledGroup, index]) => sampledGroup === g && index === i);
      return auditedOf(step, group, g, i, primary, shadows[place] ?? {});
    }),
  );
  return {
    step,
    completions: completions.flat(),
    sample: sample.map(([g, i]) => completions[g]![i]!),
    reward: meanOf(rewards.flatMap(({ total }) => total ?? [])),
    primary: meanOf(rewards.flatMap((reward) => scoreOf(reward, primary) ?? [])),
  };
}

function auditedOf(
  step: number,
  { prompt, rollouts, rewards, rewardWeights = {} }: ScoredGroup,
  group: number,
  index: number,
  primary: string,
  shadows: AuditedCompletion["shadows"],
): AuditedCompletion {
  const { completion } = rollouts[index]!;
  const reward = rewards[index]!;
  return {
    ...{ step, group, index, promptId: prompt.id, prompt: prompt.text, answer: prompt.answer, shadows },
    response: prompt.prefill + completion.text,
    numTokens: completion.tokenIds.length,
    finishReason: completion.finishReason,
    total: reward.total,
    components: componentsOf(reward.outcomes, rewardWeights),
    primary: scoreOf(reward, primary),
  };
}

/** By reward: weight times score, where it scored and has a weight. */
export function componentsOf(
  outcomes: Reward["outcomes"],
  weights: Readonly<Record<string, number>>,
): Record<string, number> {
  const components: Record<string, number> = {};
  for (const [name, weight] of Object.entries(weights)) {
    const outcome = outcomes[name];
    if (outcome?.status === "scored" && weight !== 0) components[name] = weight * outcome.score;
  }
  return components;
}

/** null where the reward did not score. */
export function scoreOf({ outcomes }: Pick<Reward, "outcomes">, name: string): number | null {
  const outcome = outcomes[name];
  return outcome?.status === "scored" ? outcome.score : null;
}
