/** Advantage estimators beside the clip family, and the losses they come with. */
import type { ObjectiveSpec } from "../../../src/objectives/create.ts";
import type { Setting } from "./harness.ts";

const noKl = { kl: { coefficient: 0 } } as const;

export const estimatorSettings: Record<string, Setting> = {
  "verl gpg token-mean": { spec: { type: "gpg" } },
  "trl bnpo .2/.2": { spec: { type: "bnpo" } },
  "openrlhf ppo .2/.2 token": { spec: { type: "reinforce++", ...noKl } },
  "openrlhf ppo dual 3": { spec: { type: "reinforce++-baseline", ...noKl, dualClip: 3 } },
  "nemo disable_ppo_ratio (REINFORCE)": { spec: { type: "remax", aggregation: "token-mean" } },
  "skyrl regular .2/.2 token_mean (micro 2, prompts 2x2)": { spec: { type: "maxrl" } },
  "verl vanilla .2/.2 c=3 token-mean": { spec: { type: "grpo-passk", dualClip: 3 } },
};

/** The golden row of each estimator. */
export const estimatorAdvantages: Record<string, readonly ObjectiveSpec[]> = {
  "verl reinforce_plus_plus_baseline": [{ type: "reinforce++-baseline" }],
  "verl reinforce_plus_plus gamma1": [{ type: "reinforce++", ...noKl }],
  "verl opo": [{ type: "opo" }],
  "verl grpo_passk": [{ type: "grpo-passk" }],
  // 12 answers, of which 8 have a reward other than 0 and 8 are in mixed groups: the batch cannot tell the two apart.
  "verl gpg": [{ type: "gpg", alpha: "nonzero-scores" }, { type: "gpg" }],
};
