/** Objectives that change the ratio: of the whole answer, softly gated, capped as a weight, or masked by a trust region. */
import type { Setting } from "./harness.ts";

const wide = { clipLow: 0.2, clipHigh: 0.2 } as const;
const offset = { type: "cispo", cap: "offset" } as const;

export const ratioSettings: Record<string, Setting> = {
  "verl gspo 3e-4/4e-4": { spec: { type: "gspo" } },
  "verl gspo .2/.2": { spec: { type: "gspo", ...wide } },
  "openrlhf gspo .2/.2": { spec: { type: "gspo", ...wide } },
  "trl grpo sequence 3e-4/4e-4 (GSPO)": { spec: { type: "gspo" } },
  "nemo gspo 3e-4/4e-4": { spec: { type: "gspo" } },
  "trl luspo sequence 2e-3/2.5e-3": { spec: { type: "luspo" } },
  "verl geo_mean .4/.4": { spec: { type: "gmpo" } },
  "verl sapo 1.0/1.05": { spec: { type: "sapo" } },
  "trl sapo .2/.2": { spec: { type: "sapo" } },
  "verl cispo .2/.2": { spec: { ...offset, clipLow: 0.2, clipHigh: 0.2 } },
  "verl cispo 10/.2": { spec: { ...offset, clipLow: null, clipHigh: 0.2 } },
  "nemo cispo .2/.2": { spec: { ...offset, clipLow: 0.2, clipHigh: 0.2 } },
  "trl cispo eps_high 5.0": { spec: { type: "cispo" } },
  "trl cispo eps_high 1.2": { spec: { type: "cispo", clipHigh: 1.2 } },
  "verl dppo_tv .2/.2 c=20": { spec: { type: "dppo", anchor: "old" } },
  "verl dppo_kl .05/.05 c=20": { spec: { type: "dppo", divergence: "kl", anchor: "old" } },
  "prime-rl default DPPO .2/.2 kl_tau 1e-3 (anchor rollout)": {
    spec: { type: "dppo", surrogate: "ratio", cap: null, klTau: 1e-3, std: "none" },
  },
  "prime-rl ipo .1 kl_tau 1e-3 (anchor rollout)": { spec: { type: "ipo" } },
};
