/** Traps of rollouts: what the ratios are of, and what is left out. */
import { createObjective } from "../../objectives/create.ts";
import { rewardLabel } from "../../reward/reward.ts";
import type { RewardsSpec } from "../schema.ts";
import type { Rule } from "./rule.ts";

export const samplingTemperature: Rule = {
  name: "sampling-temperature",
  source: "huggingface/trl#4159",
  fix: "train at temperature 1, and give eval its own",
  // 0 is a problem, not a doubt.
  rl: ({ rollout: { sampling } }) =>
    sampling.temperature === 1 || sampling.temperature === 0
      ? null
      : {
          path: ["rollout", "sampling", "temperature"],
          message: `importance ratios and KL are those of the policy at temperature ${sampling.temperature}, not at 1`,
        },
};

export const samplingFilters: Rule = {
  name: "sampling-filters",
  source: "huggingface/trl#6789 and #7269: kept mass 0.895",
  fix: "train with topP 1, topK 0, minP 0",
  rl: ({ rollout: { sampling } }) => {
    const { topP, topK, minP } = sampling;
    const filters = [
      topP < 1 ? `topP ${topP}` : "",
      topK > 0 ? `topK ${topK}` : "",
      minP > 0 ? `minP ${minP}` : "",
    ].filter((text) => text !== "");
    if (filters.length === 0) return null;
    return {
      path: ["rollout", "sampling"],
      message: `${filters.join(", ")}: completions come from a filtered distribution, but importance ratios are of the whole one`,
    };
  },
};

export const offPolicy: Rule = {
  name: "off-policy",
  source: "one step of staleness in every ratio",
  fix: "add correction: { type: tis }, which weighs what that changes",
  rl: ({ algorithm, rollout: { prefetch, correction } }) =>
    prefetch === 0 || correction !== undefined || createObjective(algorithm).anchorsToSampling === true
      ? null
      : { path: ["rollout", "prefetch"], message: "batches are sampled one step before they train" },
};

export const uncorrectedServer: Rule = {
  name: "uncorrected-server",
  source: "Yao et al., Your Efficient RL Framework Secretly Brings You Off-Policy RL Training; huggingface/trl#3867",
  fix: "add rollout.correction: { type: tis }",
  rl: ({ algorithm, rollout: { prefetch, correction } }, { recipe: { server } }) =>
    server.type !== "vllm" ||
    correction !== undefined ||
    prefetch > 0 ||
    createObjective(algorithm).anchorsToSampling === true
      ? null
      : {
          path: ["rollout"],
          message:
            "the server's log-probabilities are not the trainer's (other kernels, other precision), so every batch is a little off-policy and nothing weighs it",
        },
};

/** Where a product of per-token mismatches begins to shrink the gradient. */
const LONG_PRODUCT = 2048;

export const sequenceProduct: Rule = {
  name: "sequence-product",
  source: "huggingface/trl#4772, #5814 and #5815",
  fix: "use geometric-mask, token-mask or tis",
  rl: ({ rollout: { correction, sampling } }) => {
    if (correction === undefined || sampling.maxTokens < LONG_PRODUCT) return null;
    const list = Array.isArray(correction) ? correction : [correction];
    const index = list.findIndex(({ type }) => type === "sequence-tis" || type === "sequence-mask");
    if (index === -1) return null;
    return {
      path: ["rollout", "correction", ...(Array.isArray(correction) ? [index] : []), "type"],
      message: `a product of ratios over up to ${sampling.maxTokens} tokens shrinks with length: at a mismatch of 0.02 nats per token, 8,000 tokens keep 93 % of the answers and 39 % of the gradient`,
    };
  },
};

export const overlongCap: Rule = {
  name: "overlong-cap",
  source: "DAPO, arXiv 2503.14476, eq. 13",
  fix: "leave its maxTokens out: it is the generation limit then",
  rl: ({ rewards, rollout: { sampling } }) => {
    const index = rewards.functions.findIndex((spec) => nameOf(spec) === "soft-overlong");
    const spec = rewards.functions[index];
    if (spec === undefined || typeof spec === "string") return null;
    const { maxTokens: limit = sampling.maxTokens, bufferTokens = Math.floor(Number(limit) / 5) } = spec.params;
    if (typeof limit !== "number" || typeof bufferTokens !== "number" || limit <= sampling.maxTokens) return null;
    const isIdle = limit - bufferTokens >= sampling.maxTokens;
    return {
      path: ["rewards", "functions", index],
      message: `soft-overlong punishes from ${limit - bufferTokens} tokens on and reaches -1 at ${limit}, but completions end at maxTokens ${sampling.maxTokens}: ${isIdle ? "it never acts" : "it never reaches -1"}`,
    };
  },
};

/** Shipped rewards that differ between almost any two completions. */
const CONTINUOUS: ReadonlySet<string> = new Set([
  "soft-overlong",
  "cosine-length",
  "kimi-length",
  "repetition",
  "language",
]);

export const dynamicSamplingDetails: Rule = {
  name: "dynamic-sampling-details",
  source: "DAPO, arXiv 2503.14476, eq. 11: the condition is on the number of right answers",
  fix: "set dynamicSampling.metric, e.g. accuracy",
  rl: ({ rewards, rollout: { dynamicSampling } }) => {
    if (dynamicSampling === undefined || dynamicSampling.metric !== undefined) return null;
    const names = continuousOf(rewards);
    if (names.length === 0) return null;
    return {
      path: ["rollout", "dynamicSampling"],
      message: `the total differs in almost every group by ${names.join(", ")} alone, so groups that are all right or all wrong stay`,
    };
  },
};

function continuousOf({ functions }: RewardsSpec): string[] {
  return functions.map(nameOf).filter((name) => CONTINUOUS.has(name));
}

/** The shipped reward behind a label. */
function nameOf(spec: RewardsSpec["functions"][number]): string {
  return typeof spec === "string" ? spec : spec.file === undefined ? (spec.name ?? "") : rewardLabel(spec);
}
