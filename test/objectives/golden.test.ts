/** Conformance: our objectives against the shipped code of eight trainers, on one batch, in value and in every token's gradient. */
import { describe, expect, it } from "vitest";
import { makeBatch } from "../../src/assemble.ts";
import { createObjective, type ObjectiveSpec } from "../../src/objectives/create.ts";
import type { TokenOutputs } from "../../src/types.ts";
import { exampleOf, groupOf, outputsOf, stepOf, withPrompt } from "./fixtures.ts";
import { clipSettings } from "./golden/clip.ts";
import { covarianceSettings } from "./golden/covariance.ts";
import { criticSettings } from "./golden/critic.ts";
import { estimatorAdvantages, estimatorSettings } from "./golden/estimators.ts";
import { checkLoss, golden, type Setting, TOLERANCE } from "./golden/harness.ts";
import { ratioSettings } from "./golden/ratios.ts";

const settings: Record<string, Setting> = {
  ...clipSettings,
  ...covarianceSettings,
  ...criticSettings,
  ...ratioSettings,
};

/** Rows that are no setting of ours, and where they are met instead. */
const OTHERWISE: Readonly<Record<string, string>> = {
  "verl value loss clip .5 token-mean": "has no policy gradient: critic.test.ts",
  "trl vespo": "differentiates a weight that the paper holds constant: below",
  "skyrl kl_cov token_mean (as shipped)": "sums what it means to average: covariance.test.ts",
  "ROLL token-mean with sample 4 masked out": "trains what it masks: below",
};

describe("objectives against the code of other trainers", () => {
  it("every setting has a golden row", () => {
    expect(Object.keys(settings).filter((name) => golden.loss[name]?.grad === undefined)).toEqual([]);
  });

  it("every golden row has a setting, or a test that says why its gradient is not ours", () => {
    const told = Object.keys(settings).concat(Object.keys(estimatorSettings), Object.keys(OTHERWISE));
    expect(Object.keys(golden.loss).filter((name) => !told.includes(name))).toEqual([]);
    expect(Object.keys(golden.loss)).toHaveLength(70);
  });

  it.each(Object.entries(settings))("%s", checkLoss);

  // Rows that other variants hit too.
  it.each(Object.entries(estimatorSettings))("%s", checkLoss);
});

describe("advantages against the code of other trainers", () => {
  const noKl = { kl: { coefficient: 0 } } as const;
  const estimators: Record<string, ObjectiveSpec> = {
    "verl grpo (eps 1e-6)": { type: "grpo" },
    "verl grpo no std (Dr.GRPO)": { type: "drgrpo" },
    "verl rloo": { type: "rloo", ...noKl },
    "nemo grpo LOO (default)": { type: "grpo", std: "leave-one-out" },
    "nemo grpo (use_leave_one_out_baseline=false)": { type: "dapo" },
    "verl gae g1 l.95": { type: "ppo" },
    "trl scale_rewards=group (formula: +1e-4, unbiased std)": { type: "grpo", stdEpsilon: 1e-4 },
    "trl scale_rewards=batch (formula)": { type: "grpo", std: "batch", stdEpsilon: 1e-4 },
  };

  const rows = [
    ...Object.entries(estimators),
    ...Object.entries(estimatorAdvantages).flatMap(([name, specs]) => specs.map((spec) => [name, spec] as const)),
  ];

  it("every golden row has an estimator", () => {
    expect([...new Set(rows.map(([name]) => name))].sort()).toEqual(Object.keys(golden.adv.out).sort());
  });

  it("every estimator has a golden row", () => {
    expect(Object.keys(estimators).filter((name) => golden.adv.out[name] === undefined)).toEqual([]);
  });

  it.each(rows)("%s: %j", (name, spec) => {
    const { rewards, groups, mask, values, out } = golden.adv;
    const lengths = mask.map((row) => row.reduce((a, b) => a + b));
    const members = [...new Set(groups)].map((key) => groups.flatMap((group, i) => (group === key ? [i] : [])));
    const batch = members.map((indices) =>
      groupOf(
        indices.map((i) => rewards[i]!),
        indices.map((i) => lengths[i]!),
      ),
    );
    const old = members.map((indices) =>
      indices.map((i): TokenOutputs => {
        const ofTokens = withPrompt(values[i]!.slice(0, lengths[i]!));
        return { logprobs: ofTokens.map(() => -1), values: ofTokens };
      }),
    );
    const advantages = createObjective(spec).advantages(batch, old, undefined);
    let numChecked = 0;
    members.forEach((indices, g) => {
      indices.forEach((i, member) => {
        const expected = withPrompt(out[name]![i]!.slice(0, lengths[i]!));
        expected.forEach((value, t) => {
          expect(Math.abs(advantages[g]![member]![t]! - value)).toBeLessThan(TOLERANCE);
          numChecked++;
        });
      });
    });
    expect(numChecked).toBeGreaterThan(20);
  });
});

it("ROLL's masked sample still trains: only its denominator knows the mask, which ours and verl's do not copy", () => {
  const roll = golden.loss["ROLL token-mean with sample 4 masked out"]!;
  const whole = golden.loss["control: ppo .2/.2 global token mean, one batch"]!;
  const numTokens = golden.batch.mask.flat().filter((m) => m === 1).length;
  const numKept = golden.batch.mask
    .slice(0, 3)
    .flat()
    .filter((m) => m === 1).length;
  // The sum over all 14 tokens, sample 4's included, over the 12 that are not masked.
  expect(Math.abs(roll.loss - (whole.loss * numTokens) / numKept)).toBeLessThan(TOLERANCE);
  expect(Math.abs(roll.grad![3]![1]!)).toBeGreaterThan(0.3);
  // Ours is the row of verl with the same sample left out, in the settings above.
  expect(golden.loss["verl token-mean with sample 4 masked out"]!.grad![3]).toEqual([0, 0, 0, 0, 0]);
});

it("trl vespo: the loss is ours; the row's gradient differentiates the weight too, which the paper and TRL hold constant", () => {
  const { mask, logp, old, adv, max_len } = golden.batch;
  const rows = mask.map((row, i) => {
    const cut = (values: readonly number[]) => values.slice(0, row.filter((m) => m === 1).length);
    return { logp: cut(logp[i]!), old: cut(old[i]!), advantage: adv[i]! };
  });
  const expected = golden.loss["trl vespo"]!;
  const { loss, gradient } = stepOf({ type: "vespo" }, makeBatch(rows.map(exampleOf), max_len), rows.map(outputsOf));
  expect(Math.abs(loss - expected.loss)).toBeLessThan(TOLERANCE);
  rows.forEach((row, i) => {
    // d phi / d logp_t = phi (k - lambda W), and every token's loss has phi in it
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
    const [k, lambda] = row.advantage >= 0 ? [2, 3] : [3, 2];
    const ofWeight = 1 + sum(row.logp) * (k - lambda * Math.exp(sum(row.logp) - sum(row.old)));
    row.logp.forEach((_, t) => {
      expect(Math.abs(gradient[i]![t + 1]! * ofWeight - expected.grad![i]![t]!)).toBeLessThan(TOLERANCE);
    });
  });
});
