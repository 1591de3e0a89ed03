/** The clip family, REINFORCE, and the terms they share: corrections between sampler and trainer, KL, aggregation. */
import type { Setting } from "./harness.ts";

const token = { type: "dapo", clipHigh: 0.2 } as const;
const kl = (estimator: "k1" | "k2" | "k3" | "abs" | "k1+" | "k3+"): Setting => ({
  spec: { ...token, kl: { coefficient: 1, estimator } },
  advantages: "zero",
});
const noKl = { kl: { coefficient: 0 } } as const;

export const clipSettings: Record<string, Setting> = {
  "verl vanilla .2/.2 c=3 token-mean": { spec: { ...token, dualClip: 3 } },
  "verl vanilla .2/.2 c=3 seq-mean-token-sum": { spec: { ...token, dualClip: 3, aggregation: "seq-mean-token-sum" } },
  "verl vanilla .2/.2 c=3 seq-mean-token-mean": { spec: { type: "grpo", ...noKl, dualClip: 3 } },
  "verl vanilla .2/.2 c=3 seq-mean-token-sum-norm": { spec: { type: "drgrpo", dualClip: 3 } },
  "verl vanilla .2/.2 c=1e9 token-mean (no dual clip)": { spec: { ...token, dualClip: 1e9 } },
  "verl vanilla .2/.28 c=10 token-mean (DAPO)": { spec: { type: "dapo", dualClip: 10 } },
  "verl gpg token-mean": { spec: { type: "reinforce", aggregation: "token-mean" } },
  "verl vanilla + token TIS<=2": {
    spec: { ...token, dualClip: 3 },
    correction: { type: "tis" },
  },
  "verl vanilla + sequence TIS<=2 (product)": {
    spec: { ...token, dualClip: 3 },
    correction: { type: "sequence-tis" },
  },
  "verl kl_penalty k1 token-mean": kl("k1"),
  "verl kl_penalty abs token-mean": kl("abs"),
  "verl kl_penalty k2 token-mean": kl("k2"),
  "verl kl_penalty k3 token-mean": kl("k3"),
  "verl kl_penalty k1+ token-mean": kl("k1+"),
  "verl kl_penalty k3+ token-mean": kl("k3+"),
  "openrlhf ppo .2/.2 token": { spec: token },
  "openrlhf ppo dual 3": { spec: { ...token, dualClip: 3 } },
  "openrlhf ppo + tis[.5,5]": { spec: token, correction: { type: "tis", floor: 0.5, cap: 5 } },
  "openrlhf ppo + icepop[.5,5]": { spec: token, correction: { type: "token-mask" } },
  "slime ppo .2/.28 per-sample mean": { spec: { type: "grpo", ...noKl, clipHigh: 0.28 } },
  "trl grpo .2/.2": { spec: { type: "grpo", ...noKl } },
  "trl bnpo .2/.2": { spec: token },
  "trl dr_grpo .2/.2": { spec: { type: "drgrpo" } },
  "trl dapo .2/.2": { spec: token },
  "trl dapo .2/.28": { spec: { type: "dapo" } },
  "trl dapo .2/.2 delta 1.5": { spec: { ...token, dualClip: 1.5 } },
  "trl dapo beta .04 (k3)": { spec: { ...token, kl: { coefficient: 0.04 } } },
  "trl dapo + token_truncate 3.0": { spec: token, correction: { type: "tis", cap: 3 } },
  "trl dapo + sequence_mask 3.0": {
    spec: token,
    correction: { type: "sequence-mask" },
  },
  "skyrl regular .2/.2 token_mean (micro 2, prompts 2x2)": { spec: token },
  "skyrl regular .2/.2 token_mean_legacy (micro 2, prompts 2x2)": {
    spec: token,
    microBatches: [
      [0, 1],
      [2, 3],
    ],
  },
  "skyrl regular .2/.2 sequence_mean (micro 2, prompts 2x2)": { spec: { type: "grpo", ...noKl } },
  "skyrl regular .2/.2 seq_mean_token_sum_norm (micro 2, prompts 2x2)": { spec: { type: "drgrpo" } },
  "skyrl regular .2/.2 prompt_mean (micro 2, prompts 2x2)": {
    spec: { ...token, aggregation: "prompt-mean" },
    groups: [0, 0, 1, 1],
  },
  "skyrl dual_clip c=3 token_mean": { spec: { ...token, dualClip: 3 } },
  "nemo token-level .2/.2": { spec: token },
  "nemo token-level .2/.28 c=10": { spec: { type: "dapo", dualClip: 10 } },
  "nemo sequence-level .2/.2 (token_level_loss=false)": { spec: { type: "grpo", ...noKl } },
  "nemo + tis<=2": { spec: token, correction: { type: "tis" } },
  "nemo + icepop .5-5": { spec: token, correction: { type: "token-mask" } },
  "nemo kl .04 k3 (score-function gradient)": {
    spec: { ...token, kl: { coefficient: 0.04, gradient: "score-function" } },
  },
  "nemo disable_ppo_ratio (REINFORCE)": { spec: { type: "reinforce", aggregation: "token-mean" } },
  "control: ppo .2/.2 global token mean, one batch": { spec: token },
  "control: ppo .2/.2 per-micro-batch token mean, 2 x 2 sequences": {
    spec: token,
    microBatches: [
      [0, 1],
      [2, 3],
    ],
  },
  "control: ppo .2/.2 per-micro-batch token mean, 4 x 1 sequence": { spec: token, microBatches: [[0], [1], [2], [3]] },
  "verl token-mean with sample 4 masked out": { spec: { ...token, dualClip: 1e9 }, without: [3] },
};
