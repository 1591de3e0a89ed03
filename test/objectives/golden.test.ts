/** Conformance: our objectives against the shipped code of six trainers, on one batch, in value and in every token's gradient. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { makeBatch } from "../../src/assemble.ts";
import { createObjective, type ObjectiveSpec } from "../../src/objectives/create.ts";
import { exampleOf, groupOf, outputsOf, type Row, stepOf, withPrompt } from "./fixtures.ts";

interface Golden {
  readonly batch: {
    readonly mask: number[][];
    readonly logp: number[][];
    readonly old: number[][];
    readonly rollout: number[][];
    readonly ref: number[][];
    readonly adv: number[];
    readonly max_len: number;
  };
  readonly loss: Record<string, { readonly loss: number; readonly grad: number[][] }>;
  readonly adv: {
    readonly rewards: number[];
    readonly groups: string[];
    readonly mask: number[][];
    readonly out: Record<string, number[][]>;
  };
}

const golden: Golden = JSON.parse(readFileSync(new URL("../golden/objectives.json", import.meta.url), "utf8"));
const TOLERANCE = 1e-6;

/** How a golden row is said with our objectives. */
interface Setting {
  readonly spec: ObjectiveSpec;
  /** [S][T] token weights, from rho = exp(old - rollout) of one sequence. */
  readonly weights?: (rho: readonly number[]) => number[];
  /** Sequences left out of the loss and of its denominators. */
  readonly without?: readonly number[];
  /** Sequences of each micro-batch where the trainer divides by micro-batches and averages; we only do so to show the harm. */
  readonly microBatches?: readonly (readonly number[])[];
  readonly advantages?: "zero";
}

const token = { type: "dapo", clipHigh: 0.2 } as const;
const product = (rho: readonly number[]) => rho.reduce((a, b) => a * b, 1);
const icepop = (rho: readonly number[]) => rho.map((w) => (w < 0.5 || w > 5 ? 0 : w));
const kl = (estimator: "k1" | "k2" | "k3" | "abs" | "k1+" | "k3+"): Setting => ({
  spec: { ...token, kl: { coefficient: 1, estimator } },
  advantages: "zero",
});
const noKl = { kl: { coefficient: 0 } } as const;

const settings: Record<string, Setting> = {
  "verl vanilla .2/.2 c=3 token-mean": { spec: { ...token, dualClip: 3 } },
  "verl vanilla .2/.2 c=3 seq-mean-token-sum": { spec: { ...token, dualClip: 3, aggregation: "seq-mean-token-sum" } },
  "verl vanilla .2/.2 c=3 seq-mean-token-mean": { spec: { type: "grpo", ...noKl, dualClip: 3 } },
  "verl vanilla .2/.2 c=3 seq-mean-token-sum-norm": { spec: { type: "drgrpo", dualClip: 3 } },
  "verl vanilla .2/.2 c=1e9 token-mean (no dual clip)": { spec: { ...token, dualClip: 1e9 } },
  "verl vanilla .2/.28 c=10 token-mean (DAPO)": { spec: { type: "dapo", dualClip: 10 } },
  "verl gpg token-mean": { spec: { type: "reinforce", aggregation: "token-mean" } },
  "verl vanilla + token TIS<=2": {
    spec: { ...token, dualClip: 3 },
    weights: (rho) => rho.map((w) => Math.min(w, 2)),
  },
  "verl vanilla + sequence TIS<=2 (product)": {
    spec: { ...token, dualClip: 3 },
    weights: (rho) => rho.map(() => Math.min(product(rho), 2)),
  },
  "verl kl_penalty k1 token-mean": kl("k1"),
  "verl kl_penalty abs token-mean": kl("abs"),
  "verl kl_penalty k2 token-mean": kl("k2"),
  "verl kl_penalty k3 token-mean": kl("k3"),
  "verl kl_penalty k1+ token-mean": kl("k1+"),
  "verl kl_penalty k3+ token-mean": kl("k3+"),
  "openrlhf ppo .2/.2 token": { spec: token },
  "openrlhf ppo dual 3": { spec: { ...token, dualClip: 3 } },
  "openrlhf ppo + tis[.5,5]": { spec: token, weights: (rho) => rho.map((w) => Math.min(Math.max(w, 0.5), 5)) },
  "openrlhf ppo + icepop[.5,5]": { spec: token, weights: icepop },
  "slime ppo .2/.28 per-sample mean": { spec: { type: "grpo", ...noKl, clipHigh: 0.28 } },
  "trl grpo .2/.2": { spec: { type: "grpo", ...noKl } },
  "trl bnpo .2/.2": { spec: token },
  "trl dr_grpo .2/.2": { spec: { type: "drgrpo" } },
  "trl dapo .2/.2": { spec: token },
  "trl dapo .2/.28": { spec: { type: "dapo" } },
  "trl dapo .2/.2 delta 1.5": { spec: { ...token, dualClip: 1.5 } },
  "trl dapo beta .04 (k3)": { spec: { ...token, kl: { coefficient: 0.04 } } },
  "trl dapo + token_truncate 3.0": { spec: token, weights: (rho) => rho.map((w) => Math.min(w, 3)) },
  "trl dapo + sequence_mask 3.0": {
    spec: token,
    weights: (rho) => rho.map(() => (product(rho) > 3 ? 0 : product(rho))),
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
    spec: token,
    microBatches: [
      [0, 1],
      [2, 3],
    ],
  },
  "skyrl dual_clip c=3 token_mean": { spec: { ...token, dualClip: 3 } },
  "nemo token-level .2/.2": { spec: token },
  "nemo token-level .2/.28 c=10": { spec: { type: "dapo", dualClip: 10 } },
  "nemo sequence-level .2/.2 (token_level_loss=false)": { spec: { type: "grpo", ...noKl } },
  "nemo + tis<=2": { spec: token, weights: (rho) => rho.map((w) => Math.min(w, 2)) },
  "nemo + icepop .5-5": { spec: token, weights: icepop },
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

function rowOf(index: number, { weights, advantages }: Setting): Row {
  const { mask, logp, old, rollout, ref, adv } = golden.batch;
  const length = mask[index]!.reduce((a, b) => a + b);
  const rho = old[index]!.slice(0, length).map((value, t) => Math.exp(value - rollout[index]![t]!));
  return {
    logp: logp[index]!.slice(0, length),
    old: old[index]!.slice(0, length),
    ref: ref[index]!.slice(0, length),
    advantage: advantages === "zero" ? 0 : adv[index]!,
    ...(weights === undefined ? {} : { weights: weights(rho) }),
  };
}

describe("objectives against the code of other trainers", () => {
  it("every golden row has a setting", () => {
    expect(Object.keys(settings).sort()).toEqual(Object.keys(golden.loss).sort());
  });

  it.each(Object.entries(settings))("%s", (name, setting) => {
    const expected = golden.loss[name]!;
    const indices = [0, 1, 2, 3].filter((index) => !setting.without?.includes(index));
    const parts = setting.microBatches ?? [indices];
    let loss = 0;
    const gradient = expected.grad.map((row) => row.map(() => 0));
    for (const part of parts) {
      const rows = part.map((index) => rowOf(index, setting));
      const step = stepOf(setting.spec, makeBatch(rows.map(exampleOf), golden.batch.max_len), rows.map(outputsOf));
      loss += step.loss / parts.length;
      part.forEach((index, i) => {
        step.gradient[i]!.slice(1).forEach((value, t) => {
          gradient[index]![t] = value / parts.length;
        });
      });
    }
    expect(Math.abs(loss - expected.loss)).toBeLessThan(TOLERANCE);
    const errors = expected.grad.flatMap((row, i) => row.map((value, t) => Math.abs(value - gradient[i]![t]!)));
    expect(errors).toHaveLength(20);
    expect(Math.max(...errors)).toBeLessThan(TOLERANCE);
  });

  it("nemo kl .04 k3: the value is that of k3 in the loss (its gradient adds a score-function term that ours has not)", () => {
    const rows = [0, 1, 2, 3].map((index) => rowOf(index, { spec: token }));
    const spec = { ...token, kl: { coefficient: 0.04 } } as const;
    const { loss } = stepOf(spec, makeBatch(rows.map(exampleOf), 8), rows.map(outputsOf));
    expect(Math.abs(loss - 0.10789514)).toBeLessThan(TOLERANCE);
  });
});

describe("advantages against the code of other trainers", () => {
  const estimators: Record<string, ObjectiveSpec> = {
    "verl grpo (eps 1e-6)": { type: "grpo" },
    "verl grpo no std (Dr.GRPO)": { type: "drgrpo" },
    "verl rloo": { type: "rloo", kl: { coefficient: 0 } },
    "nemo grpo (use_leave_one_out_baseline=false)": { type: "dapo" },
    "trl scale_rewards=group (formula: +1e-4, unbiased std)": { type: "grpo", stdEpsilon: 1e-4 },
  };

  it("every golden estimator has a setting", () => {
    expect(Object.keys(estimators).sort()).toEqual(Object.keys(golden.adv.out).sort());
  });

  it.each(Object.entries(estimators))("%s", (name, spec) => {
    const { rewards, groups, mask, out } = golden.adv;
    let numChecked = 0;
    for (const key of new Set(groups)) {
      const members = groups.flatMap((group, i) => (group === key ? [i] : []));
      const lengths = members.map((i) => mask[i]!.reduce((a, b) => a + b));
      const group = groupOf(
        members.map((i) => rewards[i]!),
        lengths,
      );
      const advantages = createObjective(spec).advantages(group, [], undefined);
      members.forEach((i, g) => {
        const expected = withPrompt(out[name]![i]!.slice(0, lengths[g]!));
        expected.forEach((value, t) => {
          expect(Math.abs(advantages[g]![t]! - value)).toBeLessThan(TOLERANCE);
          numChecked++;
        });
      });
    }
    expect(numChecked).toBeGreaterThan(20);
  });
});
