/**
 * What a ratio divides by.
 *
 *   old        the trainer's log-probabilities before the first update of the batch: r corrects for the updates since
 *   sampling   the server's: r corrects for these, for an older policy, and for what server and trainer compute differently
 *
 * With `sampling` the recipe's correction between server and trainer would count the same gap twice; it is refused.
 */
import { z } from "zod";
import { clamp } from "../../math/statistics.ts";
import type { Example, Floats } from "../../types.ts";
import type { Formula } from "../objective.ts";
import type { Term } from "./term.ts";

export const anchors = ["old", "sampling"] as const;
export type Anchor = (typeof anchors)[number];

export function anchorOption(value: Anchor) {
  return z
    .enum(anchors)
    .default(value)
    .describe(
      "What ratios divide by: old, the trainer's log-probabilities before the first update (TRL, verl, NeMo-RL); or sampling, the server's (prime-rl, Tinker), which rules out a rollout correction.",
    );
}

/** [L] nats */
export function anchorLogprobs(anchor: Anchor, { old, sequence }: Example): Floats {
  return anchor === "old" ? old.logprobs : sequence.samplingLogprobs;
}

export function anchoredRatioFormula(anchor: Anchor): Formula {
  return {
    symbol: "r_t",
    expression: `exp(logp_t - ${anchor}_t)`,
    source: anchor === "old" ? "PPO, arXiv 1707.06347, section 3" : "the ratio to the policy that sampled",
  };
}

/** Beyond it the penalty is held, like every ratio. */
const MAX_LOG_RATIO = 20;

/** (log r)^2, prime-rl's kl_tau term: 0 and flat at the anchor. */
export function squaredLogRatio(logprob: number, anchorLogprob: number): Term {
  const logRatio = logprob - anchorLogprob;
  const held = clamp(logRatio, -MAX_LOG_RATIO, MAX_LOG_RATIO);
  return { value: held ** 2, dLogprob: held === logRatio ? 2 * logRatio : 0 };
}
