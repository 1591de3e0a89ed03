/** Configs of other trainers as recipes: the numbers that follow from them, and everything else in words. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { runImport } from "../../src/cli/import.ts";
import { RecipeError, UsageError } from "../../src/errors.ts";
import { type Imported, importRecipe } from "../../src/import/import.ts";
import { loadRecipe } from "../../src/recipe/load.ts";
import type { RlStage } from "../../src/recipe/schema.ts";

const configs = resolve(import.meta.dirname, "configs");
const scratch = mkdtempSync(join(tmpdir(), "grouper-import-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Given {
  readonly set?: readonly string[];
  readonly numProcesses?: number;
  readonly rows?: number;
}

function imported(text: string, { set = [], numProcesses, rows }: Given = {}, label = "c.yaml"): Imported {
  return importRecipe(text, { label, set }, { numProcesses: numProcesses ?? null, rows: rows ?? null });
}

function file(name: string, given: Given = {}): Imported {
  return imported(readFileSync(join(configs, name), "utf8"), given, name);
}

function stageOf({ resolved }: Imported): RlStage {
  const [stage] = resolved.recipe.stages;
  if (stage?.type !== "rl") throw new Error("no rl stage");
  return stage;
}

const keysOf = (left: readonly { readonly key: string }[]) => left.map(({ key }) => key);

describe("TRL", () => {
  const trl = (lines: string, given: Given = {}) =>
    imported(`num_generations: 8\nmodel_name_or_path: m\n${lines}`, given);

  it("Open-R1's file: batch, schedule, rewards and limits", () => {
    const result = file("open-r1.yaml", { numProcesses: 8, rows: 93_733 });
    expect(result.trainer).toBe("trl");
    const stage = stageOf(result);
    // 16 per device x 8 processes x 4 accumulated = 512 completions per optimizer step and generation, of 16 per prompt.
    expect(stage.rollout).toMatchObject({
      promptsPerStep: 32,
      groupSize: 16,
      sampling: { maxTokens: 1024, temperature: 1, topP: 1 },
    });
    expect(stage).toMatchObject({ updatesPerBatch: 1, epochsPerBatch: 1, checkpoint: { everySteps: 50 } });
    // One epoch: 93,733 rows in full batches of 32.
    expect(stage.steps).toBe(2929);
    expect(stage.optimizer).toMatchObject({
      learningRate: 2e-5,
      schedule: "cosine",
      warmupSteps: 293,
      weightDecay: 0,
      beta2: 0.999,
    });
    expect(stage.algorithm).toMatchObject({
      type: "dapo",
      clipLow: 0.2,
      clipHigh: 0.2,
      std: "sample",
      stdEpsilon: 1e-4,
      kl: { coefficient: 0 },
      aggregation: "token-mean",
    });
    expect(stage.rewards.functions).toMatchObject([
      { name: "accuracy", weight: 1, params: { method: "math", from: "auto" } },
      { name: "format", weight: 1, params: { style: "open-r1" } },
      { name: "tag-count", weight: 0.5 },
      { name: "reasoning-steps", weight: 1, params: { numbered: "first-line" } },
    ]);
    expect(stage.data).toMatchObject({
      type: "hub",
      dataset: "open-r1/OpenR1-Math-220k",
      columns: { question: "problem" },
      maxPromptTokens: 512,
    });
    expect(result.resolved.recipe.server.type).toBe("vllm");
    expect(result.resolved.recipe.model.path).toMatch(/models\/Qwen2\.5-1\.5B-Instruct$/);
    expect(keysOf(result.notRepresented)).toContain("reward_funcs.4");
    expect(keysOf(result.unknown)).toEqual(["flux_capacitor"]);
  });

  it("without --num-processes one is assumed, and said", () => {
    const result = trl("per_device_train_batch_size: 16\ngradient_accumulation_steps: 2");
    expect(stageOf(result).rollout.promptsPerStep).toBe(4);
    expect(result.assumed.join("\n")).toMatch(/how many processes train: give --num-processes/);
    expect(trl("per_device_train_batch_size: 16", { numProcesses: 4 }).assumed.join("\n")).not.toMatch(/processes/);
  });

  it("steps_per_generation above gradient_accumulation_steps makes several updates of one generation", () => {
    const stage = stageOf(
      trl(
        "per_device_train_batch_size: 8\ngradient_accumulation_steps: 2\nsteps_per_generation: 8\nnum_iterations: 2\nmax_steps: 100",
      ),
    );
    // 8 x 1 x 8 = 64 completions of 8 per prompt; 16 per optimizer step.
    expect(stage).toMatchObject({ updatesPerBatch: 4, epochsPerBatch: 2, rollout: { promptsPerStep: 8 } });
    // 100 optimizer steps, 8 per generation.
    expect(stage.steps).toBe(13);
  });

  it.each([
    [
      "loss_type: grpo\nbeta: 0.04",
      {
        type: "grpo",
        aggregation: "seq-mean-token-mean",
        kl: { coefficient: 0.04, estimator: "k3", placement: "loss" },
      },
    ],
    ["loss_type: dr_grpo\nscale_rewards: false", { type: "drgrpo", aggregation: "seq-mean-token-sum-norm" }],
    ["loss_type: dr_grpo\nscale_rewards: none", { type: "drgrpo", aggregation: "seq-mean-token-sum-norm" }],
    // The aggregation of Dr. GRPO, and still the deviation of the group: TRL's default.
    ["loss_type: dr_grpo", { type: "grpo", std: "sample", aggregation: "seq-mean-token-sum-norm" }],
    [
      "scale_rewards: batch\nepsilon_high: 0.28\ndelta: 4",
      { type: "dapo", std: "batch", clipLow: 0.2, clipHigh: 0.28, dualClip: 4 },
    ],
    ["loss_type: bnpo", { type: "bnpo", aggregation: "token-mean", stdEpsilon: 1e-4 }],
    ["scale_rewards: mean", { type: "maxrl", aggregation: "token-mean", clipHigh: 0.2 }],
    [
      "multi_objective_aggregation: normalize_then_sum",
      { type: "dapo", rewards: "decoupled-by-answer", std: "sample" },
    ],
  ])("%s", (lines, algorithm) => {
    expect(stageOf(trl(lines)).algorithm).toMatchObject(algorithm);
  });

  it.each([
    // The cap itself: min(r, 5), without a lower bound.
    [
      "loss_type: cispo\nepsilon_high: 5.0",
      { type: "cispo", cap: "absolute", clipLow: null, clipHigh: 5, aggregation: "token-mean" },
    ],
    [
      "loss_type: sapo\nsapo_temperature_neg: 1.1",
      { type: "sapo", tauPositive: 1, tauNegative: 1.1, stdEpsilon: 1e-4 },
    ],
    [
      "loss_type: luspo\nimportance_sampling_level: sequence\nepsilon: 0.002\nepsilon_high: 0.0025",
      { type: "luspo", clipLow: 0.002, clipHigh: 0.0025 },
    ],
    [
      "loss_type: grpo\nimportance_sampling_level: sequence\nepsilon: 3e-4\nepsilon_high: 4e-4",
      { type: "gspo", clipLow: 3e-4, clipHigh: 4e-4, aggregation: "seq-mean-token-mean" },
    ],
    // TRL's default aggregation is not the paper's.
    ["importance_sampling_level: sequence\nepsilon: 3e-4", { type: "gspo", clipHigh: 3e-4, aggregation: "token-mean" }],
    [
      "loss_type: vespo\nuse_vllm: true\nvespo_k_pos: 2.5",
      { type: "vespo", kPositive: 2.5, lambdaPositive: 3, kNegative: 3, lambdaNegative: 2, mismatch: true },
    ],
    [
      "beta: 0.01\nuse_bias_correction_kl: true",
      { kl: { coefficient: 0.01, estimator: "k3", placement: "loss", gradient: "importance" } },
    ],
  ])("%s: one loss more", (lines, algorithm) => {
    const result = trl(lines);
    expect(stageOf(result).algorithm).toMatchObject(algorithm);
    expect(result.unknown).toEqual([]);
  });

  it("with vLLM and nothing said, products above 3 are masked; in vespo they are in the ratio", () => {
    expect(stageOf(trl("use_vllm: true")).rollout.correction).toEqual({ type: "sequence-mask", cap: 3, floor: 0 });
    expect(stageOf(trl("use_vllm: true\nloss_type: vespo")).rollout.correction).toBeUndefined();
    const both = trl("use_vllm: true\nvllm_importance_sampling_mode: token_truncate\noff_policy_mask_threshold: 0.5");
    expect(stageOf(both).rollout.correction).toEqual([
      { type: "tis", cap: 3, floor: 0 },
      { type: "off-policy-mask", delta: 0.5 },
    ]);
  });

  it("a constant schedule has no warm-up there, a linear one ends at 0", () => {
    const constant = trl("lr_scheduler_type: constant\nwarmup_ratio: 0.1\nmax_steps: 200");
    expect(stageOf(constant).optimizer).toMatchObject({ schedule: "constant", warmupSteps: 0 });
    expect(keysOf(constant.notRepresented)).toContain("warmup");
    const linear = stageOf(trl("warmup_ratio: 0.1\nmax_steps: 200")).optimizer;
    expect(linear).toMatchObject({ schedule: "linear", warmupSteps: 20, minLearningRateRatio: 0 });
    const floor = trl(
      "lr_scheduler_type: cosine_with_min_lr\nlearning_rate: 1e-6\nlr_scheduler_kwargs: { min_lr_rate: 0.1 }",
    );
    expect(stageOf(floor).optimizer).toMatchObject({ schedule: "cosine", minLearningRateRatio: 0.1 });
  });

  it("a reference that is mixed has no equal, one that is replaced has", () => {
    const base = "beta: 0.01\nsync_ref_model: true\nref_model_sync_steps: 64";
    expect(stageOf(trl(`${base}\nref_model_mixup_alpha: 1.0`)).refreshReferenceEverySteps).toBe(64);
    const mixed = trl(base);
    expect(stageOf(mixed).refreshReferenceEverySteps).toBeUndefined();
    expect(keysOf(mixed.notRepresented)).toContain("ref_model_mixup_alpha");
  });

  it("token truncation between trainer and server is tis with its cap; off means off", () => {
    const vllm = "use_vllm: true\nvllm_importance_sampling_mode: token_truncate\nvllm_importance_sampling_cap: 2.5";
    expect(stageOf(trl(vllm)).rollout.correction).toMatchObject({ type: "tis", cap: 2.5 });
    expect(stageOf(trl(`${vllm}\nvllm_importance_sampling_correction: false`)).rollout.correction).toBeUndefined();
    expect(stageOf(trl(vllm.replace("use_vllm: true", "use_vllm: false"))).rollout.correction).toBeUndefined();
  });

  it("an adapter: rank, alpha, layers, and a server that takes adapters", () => {
    const { recipe } = trl(
      "use_vllm: true\nuse_peft: true\nlora_r: 64\nlora_target_modules: [q_proj, v_proj]\nlora_dropout: 0.05",
    ).resolved;
    expect(recipe.model.lora).toEqual({ rank: 64, alpha: 32, targets: ["q_proj", "v_proj"] });
    expect(recipe.server).toMatchObject({ publish: { method: "lora" } });
  });

  it("Open-R1's cosine reward: a wrong answer is at its lowest where it is long", () => {
    const cosine = trl(
      "reward_funcs: [accuracy, cosine]\ncosine_max_len: 4000\ncosine_min_value_wrong: -0.2\ncosine_max_value_wrong: -0.8",
    );
    expect(stageOf(cosine).rewards.functions[1]).toMatchObject({
      name: "cosine-length",
      params: { maxTokens: 1000, rightAtZero: 1, rightAtLimit: 0.5, wrongAtZero: -0.2, wrongAtLimit: -0.8 },
    });
  });

  it("JSON is read too", () => {
    const stage = stageOf(
      imported('{"model_name_or_path": "m", "num_generations": 4, "learning_rate": 5e-7}', {}, "c.json"),
    );
    expect([stage.rollout.groupSize, stage.optimizer.learningRate]).toEqual([4, 5e-7]);
  });

  it("a value of the wrong kind is refused with its place", () => {
    expect(() => trl("learning_rate: fast")).toThrow(/c\.yaml:3:16 learning_rate: expected a number, got fast\./);
  });
});

describe("verl", () => {
  const verl = (overrides: string, given: Given = {}) =>
    imported(
      `python3 -m verl.trainer.main_ppo algorithm.adv_estimator=grpo actor_rollout_ref.rollout.n=8 \\\n ${overrides}`,
      given,
      "run.sh",
    );
  const actor = "actor_rollout_ref.actor";

  it("the DAPO script: prompts, updates, clips, filter, overlong, warm-up in optimizer steps", () => {
    const result = file("verl-dapo.sh", {
      set: ["data.max_response_length=20480", "actor_rollout_ref.model.path=Qwen/Qwen2.5-32B"],
    });
    expect(result.trainer).toBe("verl");
    const stage = stageOf(result);
    expect(stage.rollout).toMatchObject({
      promptsPerStep: 512,
      groupSize: 16,
      sampling: { maxTokens: 20_480, topK: 0 },
      dynamicSampling: { maxBatches: 10, metric: "accuracy" },
    });
    // ppo_mini_batch_size counts prompts: 512 / 32 updates.
    expect(stage.updatesPerBatch).toBe(16);
    expect(stage.algorithm).toMatchObject({
      type: "grpo",
      clipLow: 0.2,
      clipHigh: 0.28,
      dualClip: 10,
      std: "sample",
      stdEpsilon: 1e-6,
      kl: { coefficient: 0 },
      aggregation: "token-mean",
    });
    // Ten rollout steps of 16 updates.
    expect(stage.optimizer).toMatchObject({
      learningRate: 1e-6,
      schedule: "constant",
      warmupSteps: 160,
      weightDecay: 0.1,
      maxGradNorm: 1,
    });
    expect(stage.rewards.functions).toMatchObject([
      { name: "accuracy", params: { method: "dapo", right: 1, wrong: -1 } },
      { name: "soft-overlong", weight: 1, params: { maxTokens: 20_480, bufferTokens: 4096 } },
    ]);
    expect(keysOf(result.unknown)).toEqual([
      "trainer.tachyons",
      "$@",
      "data.max_response_length",
      "actor_rollout_ref.model.path",
    ]);
    expect(keysOf(result.circumstances)).toContain("trainer.nnodes");
  });

  it("what the script computes is not computed: it is listed, and can be said", () => {
    const result = file("verl-dapo.sh");
    const left = result.notRepresented.find(({ key }) => key === "data.max_response_length");
    expect(left?.reason).toMatch(
      /arithmetic, which is not computed; say it with --set data\.max_response_length=VALUE/,
    );
    // verl's default.
    expect(stageOf(result).rollout.sampling.maxTokens).toBe(512);
    expect(result.assumed.join("\n")).toMatch(/rollout\.sampling\.maxTokens: 512: .*cannot be read/);
  });

  it("dual clip is on by default, at 3", () => {
    const result = verl("");
    expect(stageOf(result).algorithm).toMatchObject({ type: "grpo", dualClip: 3, clipLow: 0.2, clipHigh: 0.2 });
    expect(result.defaults.join("\n")).toContain(`algorithm.dualClip 3 (${actor}.clip_ratio_c)`);
  });

  it("clip_ratio alone has no effect, and that is said", () => {
    const result = verl(`${actor}.clip_ratio=0.1`);
    expect(stageOf(result).algorithm).toMatchObject({ clipLow: 0.2, clipHigh: 0.2 });
    expect(result.notRepresented.find(({ key }) => key === `${actor}.clip_ratio`)?.reason).toMatch(
      /has no effect there/,
    );
  });

  it.each([
    [`${actor}.use_kl_loss=True ${actor}.kl_loss_coef=0.01`, { coefficient: 0.01, estimator: "k3", placement: "loss" }],
    [`${actor}.use_kl_loss=True ${actor}.kl_loss_type=mse`, { coefficient: 0.001, estimator: "k2", placement: "loss" }],
    [
      `${actor}.use_kl_loss=True ${actor}.kl_loss_type=low_var_kl+`,
      { coefficient: 0.001, estimator: "k3+", placement: "loss" },
    ],
    ["algorithm.use_kl_in_reward=True", { coefficient: 0.001, estimator: "k1", placement: "reward" }],
    [`${actor}.kl_loss_coef=0.5`, { coefficient: 0 }],
  ])("KL: %s", (overrides, kl) => {
    expect(stageOf(verl(overrides)).algorithm).toMatchObject({ kl });
  });

  it("centred rewards over the constant length are Dr. GRPO; another constant is not", () => {
    const base = `algorithm.norm_adv_by_std_in_grpo=False ${actor}.loss_agg_mode=seq-mean-token-sum-norm data.max_response_length=3000`;
    expect(stageOf(verl(base)).algorithm).toMatchObject({ type: "drgrpo", aggregation: "seq-mean-token-sum-norm" });
    const other = verl(`${base} ${actor}.loss_scale_factor=1000`);
    expect(other.notRepresented.find(({ key }) => key.endsWith("loss_scale_factor"))?.reason).toMatch(
      /gradients are 0\.333 times theirs/,
    );
  });

  it.each([
    [
      "gspo",
      `${actor}.clip_ratio_low=3e-4 ${actor}.clip_ratio_high=4e-4`,
      { type: "gspo", clipLow: 3e-4, clipHigh: 4e-4, aggregation: "seq-mean-token-mean" },
    ],
    ["cispo", "", { type: "cispo", cap: "offset", clipLow: 0.2, clipHigh: 0.2 }],
    ["sapo", `${actor}.tau_neg=1.2`, { type: "sapo", tauPositive: 1, tauNegative: 1.2 }],
    [
      "geo_mean",
      `${actor}.clip_ratio_low=0.4 ${actor}.clip_ratio_high=0.4`,
      { type: "gmpo", clipLow: 0.4, clipHigh: 0.4 },
    ],
    [
      "clip_cov",
      `${actor}.policy_loss.clip_cov_ratio=3e-4`,
      { type: "clip-cov", fraction: 3e-4, covarianceLow: 1, covarianceHigh: 5 },
    ],
    ["kl_cov", "", { type: "kl-cov", fraction: 2e-4, penalty: 0.1 }],
    ["dppo_tv", "", { type: "dppo", divergence: "tv", thresholdLow: 0.2, thresholdHigh: 0.2, anchor: "old", cap: 3 }],
    ["dppo_kl", `${actor}.clip_ratio_c=20`, { type: "dppo", divergence: "kl", cap: 20 }],
  ])("loss_mode %s", (mode, overrides, algorithm) => {
    const result = verl(`${actor}.policy_loss.loss_mode=${mode} ${overrides}`);
    expect(stageOf(result).algorithm).toMatchObject(algorithm);
    expect(result.notRepresented).toEqual([]);
  });

  it.each([
    [
      "reinforce_plus_plus",
      "algorithm.gamma=0.99",
      { type: "reinforce++", gamma: 0.99, variance: "sample", dualClip: 3 },
    ],
    ["reinforce_plus_plus_baseline", "", { type: "reinforce++-baseline", variance: "sample", kl: { coefficient: 0 } }],
    ["grpo_passk", "", { type: "grpo-passk", std: "sample", stdEpsilon: 1e-6, dualClip: 3 }],
    ["gdpo", "", { type: "grpo", rewards: "decoupled-by-token", stdEpsilon: 1e-4 }],
    ["gpg", `${actor}.policy_loss.loss_mode=gpg`, { type: "gpg", alpha: "nonzero-scores", aggregation: "token-mean" }],
    ["remax", `${actor}.ppo_mini_batch_size=1024`, { type: "remax", aggregation: "token-mean" }],
    ["opo", `${actor}.ppo_mini_batch_size=1024`, { type: "opo", aggregation: "token-mean" }],
  ])("estimator %s", (estimator, overrides, algorithm) => {
    const result = verl(`algorithm.adv_estimator=${estimator} ${overrides}`);
    expect(stageOf(result).algorithm).toMatchObject(algorithm);
    expect(result.notRepresented).toEqual([]);
  });

  it("a loss of groups under verl's default estimator, gae, is said to lose its critic", () => {
    const result = imported(
      `python3 -m verl.trainer.main_ppo ${actor}.policy_loss.loss_mode=gspo actor_rollout_ref.rollout.n=4`,
      {},
      "run.sh",
    );
    expect(stageOf(result).critic).toBeUndefined();
    expect(result.notRepresented.find(({ key }) => key === "algorithm.adv_estimator")?.reason).toMatch(
      /gspo has the group's rewards/,
    );
  });

  it("an objective without a ratio is verl's with one update per batch, and is said not to be with more", () => {
    const once = verl(`algorithm.adv_estimator=remax ${actor}.ppo_mini_batch_size=1024`);
    expect(once.assumed.join("\n")).toMatch(/with one update per batch verl's is 1/);
    const four = verl("algorithm.adv_estimator=remax");
    expect(four.notRepresented[0]?.reason).toMatch(/with 4 updates per batch they differ from the second on/);
  });

  it("gae is ppo with a critic of its own: rates, value clip, and a policy that waits", () => {
    const base = "algorithm.adv_estimator=gae algorithm.lam=0.95 critic.optim.lr=2e-5 trainer.critic_warmup=20";
    const stage = stageOf(verl(`${base} actor_rollout_ref.rollout.n=1`));
    // critic_warmup 20: the policy trains from step 20 on.
    expect(stage.algorithm).toMatchObject({
      type: "ppo",
      gamma: 1,
      lambda: 0.95,
      valueClip: 0.5,
      dualClip: 3,
      pretrainingSteps: 19,
    });
    expect(stage.critic).toMatchObject({
      weights: "own",
      optimizer: { learningRate: 2e-5, weightDecay: 0.01, schedule: "constant" },
    });
    expect(stage.optimizer.learningRate).toBe(1e-6);
  });

  it("rloo with verl's clipped ratio is grpo without the deviation, and that is said", () => {
    const result = verl("algorithm.adv_estimator=rloo");
    expect(stageOf(result).algorithm).toMatchObject({
      type: "grpo",
      std: "none",
      dualClip: 3,
      aggregation: "token-mean",
    });
    expect(result.assumed.join("\n")).toMatch(/\(G - 1\) \/ G times theirs/);
  });

  const corrected = "algorithm.rollout_correction";
  it.each([
    [
      `${corrected}.rollout_is=token ${corrected}.rollout_is_threshold=0.5_5.0`,
      { type: "token-mask", low: 0.5, high: 5 },
    ],
    [`${corrected}.rollout_is=sequence`, { type: "sequence-tis", cap: 2, floor: 0 }],
    // The bounds hold for the inverse: 0.8 and 2 reject ratios outside 1/2 and 1/0.8.
    [
      `${corrected}.rollout_rs=seq_mean_k1 ${corrected}.rollout_rs_threshold=0.8_2.0`,
      { type: "geometric-mask", low: 0.5, high: 1.25 },
    ],
    [
      `${corrected}.rollout_is=token ${corrected}.rollout_rs=seq_mean_k1 ${corrected}.rollout_rs_threshold=1.25`,
      [
        { type: "tis", cap: 2, floor: 0 },
        { type: "geometric-mask", low: 0.8, high: 1.25 },
      ],
    ],
  ])("%s", (overrides, correction) => {
    expect(stageOf(verl(overrides)).rollout.correction).toEqual(correction);
  });

  it("a rejection that weighs nothing, by token or by product, has no equal", () => {
    const result = verl(`${corrected}.rollout_rs=token_k1 ${corrected}.rollout_rs_threshold=2.0`);
    expect(stageOf(result).rollout.correction).toBeUndefined();
    expect(keysOf(result.notRepresented)).toEqual([`${corrected}.rollout_rs`]);
  });

  it("weights between trainer and server: an upper bound, per token", () => {
    const stage = stageOf(
      verl("algorithm.rollout_correction.rollout_is=token algorithm.rollout_correction.rollout_is_threshold=2.0"),
    );
    expect(stage.rollout.correction).toMatchObject({ type: "tis", cap: 2 });
  });

  it("a group of one with grpo is the bare reward there: reinforce", () => {
    const result = verl("actor_rollout_ref.rollout.n=1");
    expect(stageOf(result).algorithm.type).toBe("reinforce");
    expect(result.assumed.join("\n")).toMatch(/bare reward/);
  });

  it("a batch that its mini-batch does not divide is said", () => {
    const result = verl(`data.train_batch_size=100 ${actor}.ppo_mini_batch_size=64 actor_rollout_ref.rollout.n=2`);
    expect(stageOf(result).updatesPerBatch).toBe(2);
    expect(result.notRepresented.find(({ key }) => key === "updates per batch")?.reason).toMatch(
      /100 is not a multiple of 64/,
    );
  });

  it("validation: greedy by default", () => {
    const result = verl(
      "trainer.test_freq=5 data.val_files=data/test.parquet actor_rollout_ref.rollout.val_kwargs.n=4",
    );
    expect(stageOf(result).eval).toMatchObject({
      everySteps: 5,
      numSamples: 4,
      sampling: { temperature: 0 },
      data: { type: "file" },
    });
  });

  it("the nested YAML says the same as the command line", () => {
    const yaml = imported(
      "algorithm: { adv_estimator: grpo }\nactor_rollout_ref:\n  rollout: { n: 8 }\n  actor:\n    clip_ratio_high: 0.28\n    optim: { lr: 5e-7 }\n",
      {},
      "verl.yaml",
    );
    const command = verl(`${actor}.clip_ratio_high=0.28 ${actor}.optim.lr=5e-7`);
    expect(yaml.resolved.recipe.stages).toEqual(command.resolved.recipe.stages);
  });
});

describe("OpenRLHF", () => {
  const openrlhf = (flags: string, given: Given = {}) =>
    imported(
      `python3 -m openrlhf.cli.train_ppo_ray --algo.advantage.estimator group_norm --rollout.n_samples_per_prompt 8 \\\n ${flags}`,
      given,
      "run.sh",
    );

  it("the ProRL script: batch of samples, asymmetric clip, k2 in the loss, cosine to a tenth", () => {
    const result = file("openrlhf-prorl.sh", { rows: 17_000 });
    expect(result.trainer).toBe("openrlhf");
    const stage = stageOf(result);
    // 512 prompts x 16 = 8,192 samples; 1,024 per optimizer step.
    expect(stage).toMatchObject({
      updatesPerBatch: 8,
      epochsPerBatch: 1,
      rollout: { promptsPerStep: 512, groupSize: 16, sampling: { maxTokens: 8192 } },
    });
    expect(stage.algorithm).toMatchObject({
      type: "grpo",
      clipLow: 0.2,
      clipHigh: 0.27,
      dualClip: null,
      stdEpsilon: 1e-9,
      kl: { coefficient: 1e-4, estimator: "k2", placement: "loss" },
      aggregation: "token-mean",
    });
    // Two episodes of 33 full batches; 8 updates each, of which 3 % warm up.
    expect(stage.steps).toBe(66);
    expect(stage.optimizer).toMatchObject({
      schedule: "cosine",
      minLearningRateRatio: 0.1,
      warmupSteps: 16,
      beta1: 0.9,
      beta2: 0.95,
    });
    expect(stage.eval).toMatchObject({
      everySteps: 5,
      numSamples: 4,
      sampling: { temperature: 1 },
      data: { dataset: "OpenRLHF/aime-2024" },
    });
    expect(stage.rewards.functions).toMatchObject([{ name: "accuracy", params: { method: "math" } }]);
    expect(keysOf(result.unknown)).toEqual(["warp.factor"]);
    expect(keysOf(result.notRepresented)).toContain("reward.remote_url");
  });

  it("flat flags say the same as dotted ones", () => {
    const flat = imported(
      "python3 -m openrlhf.cli.train_ppo_ray --advantage_estimator group_norm --n_samples_per_prompt 8 --actor_learning_rate 5e-7 --use_kl_loss --kl_estimator k3 --init_kl_coef 1e-3 --eps_clip 0.1 --dual_clip 4",
      {},
      "run.sh",
    );
    const dotted = openrlhf(
      "--actor.adam.lr 5e-7 --algo.kl.use_loss --algo.kl.estimator k3 --algo.kl.init_coef 1e-3 --actor.eps_clip 0.1 --actor.dual_clip 4",
    );
    expect(flat.resolved.recipe.stages).toEqual(dotted.resolved.recipe.stages);
    expect(stageOf(flat).algorithm).toMatchObject({
      clipLow: 0.1,
      clipHigh: 0.1,
      dualClip: 4,
      kl: { coefficient: 1e-3, estimator: "k3", placement: "loss" },
    });
  });

  const correct = "--algo.advantage.is_correction_enable --algo.advantage.is_correction_type";
  it.each([
    [`${correct} tis`, { type: "tis", cap: 5, floor: 0.5 }],
    [
      `${correct} icepop --algo.advantage.is_correction_threshold 0.99 1.01`,
      { type: "token-mask", low: 0.99, high: 1.01 },
    ],
    [
      `${correct} seq-mask-tis --algo.advantage.is_correction_threshold 0.999 1.002`,
      [
        // Above e^20, where ratios are held: the token's own weight.
        { type: "tis", cap: 5e8, floor: 0 },
        { type: "geometric-mask", low: 0.999, high: 1.002 },
      ],
    ],
  ])("%s", (flags, correction) => {
    expect(stageOf(openrlhf(flags)).rollout.correction).toEqual(correction);
  });

  it("gae is ppo, with the critic's own rate", () => {
    const stage = stageOf(openrlhf("--algo.advantage.estimator gae --algo.advantage.lambd 0.95"));
    expect(stage.algorithm).toMatchObject({
      type: "ppo",
      lambda: 0.95,
      kl: { coefficient: 0.01, estimator: "k1", placement: "reward" },
    });
    expect(stage.critic?.optimizer).toMatchObject({
      learningRate: 9e-6,
      schedule: "cosine",
      minLearningRateRatio: 0.1,
      beta2: 0.95,
    });
  });

  it.each([
    [
      "reinforce",
      { type: "reinforce++", gamma: 1, variance: "population", kl: { coefficient: 0.01, placement: "reward" } },
    ],
    ["reinforce_baseline", { type: "reinforce++-baseline", variance: "population", clipLow: 0.2 }],
  ])("%s", (estimator, algorithm) => {
    expect(stageOf(openrlhf(`--algo.advantage.estimator ${estimator}`)).algorithm).toMatchObject(algorithm);
  });

  it("dr_grpo is the advantage alone: losses stay means over all tokens", () => {
    expect(stageOf(openrlhf("--algo.advantage.estimator dr_grpo")).algorithm).toMatchObject({
      type: "drgrpo",
      aggregation: "token-mean",
    });
  });

  it("KL is in the reward by default: 0.01 of k1", () => {
    expect(stageOf(openrlhf("")).algorithm).toMatchObject({
      kl: { coefficient: 0.01, estimator: "k1", placement: "reward" },
    });
  });

  it("an adaptive coefficient and a group filter with another range have no equal", () => {
    const result = openrlhf(
      "--algo.kl.target 6 --algo.dynamic_filtering_enable --algo.dynamic_filtering_range 0.1 0.9",
    );
    expect(keysOf(result.notRepresented)).toEqual(
      expect.arrayContaining(["algo.kl.target", "algo.dynamic_filtering_range"]),
    );
    expect(stageOf(result).rollout.dynamicSampling).toBeDefined();
  });

  it("a template with {} asks the question there", () => {
    expect(stageOf(openrlhf("--data.input_template 'User: {} Assistant:'")).template).toMatchObject({
      type: "text",
      text: "User: {question} Assistant:",
    });
  });
});

describe("every import", () => {
  const names = ["open-r1.yaml", "verl-dapo.sh", "openrlhf-prorl.sh"];

  it.each(names)(
    "%s: a recipe that loads, names the snapshot and its source, and says every key of the file",
    async (name) => {
      const output = join(scratch, `${name}.recipe.yaml`);
      const printed: string[] = [];
      const args = {
        file: join(configs, name),
        from: undefined,
        output,
        set: [],
        numProcesses: undefined,
        rows: undefined,
        json: false,
      };
      expect(
        await runImport(
          args,
          (text) => void printed.push(text),
          () => undefined,
        ),
      ).toBe(0);
      const { recipe } = loadRecipe(output);
      expect(recipe.stages.map(({ type }) => type)).toEqual(["rl"]);
      const text = readFileSync(output, "utf8");
      expect(text).toMatch(/^# Imported from .* \((TRL|verl|OpenRLHF)\)\. Defaults: .* 2026\)\.\n/);
      expect(printed.join("")).toMatch(/Recipe: .*recipe\.yaml\nLook at it: grouper check/);
      // Every key of the config appears in the recipe: taken, not represented, a circumstance or unknown.
      const source = readFileSync(join(configs, name), "utf8");
      const keys = name.endsWith(".yaml")
        ? [...source.matchAll(/^([a-z_]+):/gm)].map((match) => match[1]!)
        : [...source.matchAll(/^ {3,4}(?:\+|--)?([a-z_]+\.[\w.]+)/gm)].map((match) => match[1]!);
      expect(keys.length).toBeGreaterThan(15);
      expect(keys.filter((key) => !text.includes(key))).toEqual([]);
      await expect(
        runImport(
          args,
          () => undefined,
          () => undefined,
        ),
      ).rejects.toThrow(UsageError);
    },
  );

  it("an unknown key is listed, wherever it stands", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^zz[a-z_]{1,10}$/), fc.integer(), (key, value) => {
        const result = imported(`num_generations: 8\n${key}: ${value}\nlearning_rate: 1e-6\n`);
        expect(result.unknown).toMatchObject([{ key, value }]);
        expect(result.text).toContain(`- ${key} = ${value} (c.yaml:2:`);
      }),
      { seed: 7, numRuns: 100 },
    );
  });

  it("hostile text in values stays inside comments and strings", () => {
    const evil = 'x\\n# y\\n--- \\u2028 model: {path: "/etc"}';
    const result = imported(
      `num_generations: 8\nsystem_prompt: "${evil.replaceAll('"', '\\"')}"\nzz: "a\\nstages: []"\n`,
    );
    expect(stageOf(result).template).toMatchObject({ type: "chat", system: expect.stringContaining("# y") });
    expect(Object.keys(result.resolved.recipe)).not.toContain("zz");
  });

  it("a file of nobody is refused, and --from decides", () => {
    expect(() => imported("hello: world\n")).toThrow(/could not tell which. Say it with --from/);
    expect(() => imported("echo hello\n", {}, "run.sh")).toThrow(RecipeError);
    const forced = importRecipe(
      "learning_rate: 1e-6\n",
      { label: "c.yaml", from: "trl" },
      { numProcesses: null, rows: null },
    );
    expect(stageOf(forced).optimizer.learningRate).toBe(1e-6);
  });

  it("what no recipe can say is a sentence", () => {
    expect(() => imported("num_generations: 1\nper_device_train_batch_size: 8\n")).toThrow(
      /c\.yaml says what no recipe can: .*groupSize/,
    );
  });

  it("--json gives the recipe and the lists", async () => {
    const printed: string[] = [];
    const args = {
      file: join(configs, "open-r1.yaml"),
      from: "trl",
      output: undefined,
      set: [],
      numProcesses: 1,
      rows: undefined,
      json: true,
    };
    await runImport(
      args,
      (text) => void printed.push(text),
      () => undefined,
    );
    const parsed = JSON.parse(printed.join(""));
    expect(parsed).toMatchObject({ trainer: "trl", unknown: [{ key: "flux_capacitor" }] });
    expect(parsed.recipe).toContain("promptsPerStep: 4");
  });
});
