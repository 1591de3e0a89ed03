/**
 * verl's PPO trainer: Hydra keys, from a YAML file or a command line.
 *
 *   prompts per rollout step      = data.train_batch_size
 *   completions per optimizer step = ppo_mini_batch_size x rollout.n       the key counts prompts
 *   learning-rate steps            = rollout steps, so warm-up here is theirs times the updates of a step
 *
 * Dual clip is on by default (clip_ratio_c 3). clip_ratio alone has no effect: clip_ratio_low and clip_ratio_high have defaults.
 * The bounds of `*_k1` rejection rules hold for old / rollout upside down, so low and high become 1 / high and 1 / low.
 *
 * Defaults: verl-project/verl 1dda039 (22 August 2026).
 */
import { assumption, byDefault, certain, type Draft, type Known } from "./draft.ts";
import {
  algorithmOf,
  at,
  type Correction,
  type ImportOptions,
  LOCAL_VLLM,
  type Options,
  putAlgorithm,
  putClippedRloo,
  putCorrections,
  putCritic,
  putData,
  putLora,
  putModel,
  putSchedule,
  putServer,
  quotient,
  stepsOf,
} from "./parts.ts";
import { verlCircumstances, verlRefused } from "./verl-rest.ts";

/** Where verl's numbers were read. */
export const verlSnapshot = "verl-project/verl 1dda039 (22 August 2026)";

const ACTOR = "actor_rollout_ref.actor";
const ROLLOUT = "actor_rollout_ref.rollout";
const MODEL = "actor_rollout_ref.model";

/** Writes the recipe of a verl config. */
export function importVerl(draft: Draft, options: ImportOptions): void {
  putModel(draft, `${MODEL}.path`);
  const rank = draft.number(`${MODEL}.lora_rank`, 0);
  if (rank.value > 0) {
    const key = `${MODEL}.target_modules`;
    putLora(draft, rank, draft.number(`${MODEL}.lora_alpha`, 16), { key, known: draft.optional(key) });
  }
  const engine = draft.text(`${ROLLOUT}.name`, "vllm");
  if (engine.value !== "vllm") draft.assume(`${engine.value} sampled there; vLLM does here`);
  putServer(
    draft,
    { ...engine, value: true },
    assumption(LOCAL_VLLM, "verl starts its own; here it is started with vllm serve"),
    rank.value > 0,
  );
  draft.set(["engine", "activationCheckpointing"], draft.boolean(`${MODEL}.enable_gradient_checkpointing`, true));
  draft.set(at("type"), certain("rl", "PPO"));
  putRows(draft);
  const maxTokens = draft.number("data.max_response_length", 512);
  putRewards(draft, maxTokens);
  putObjective(draft, maxTokens);
  putRollout(draft, maxTokens, options);
  if (algorithmOf(draft) === "ppo") {
    const model = draft.optionalText("critic.model.path");
    if (model !== null) draft.assume("critic.model.path names a model's folder: download it if it is on the hub");
    putCritic(draft, draft.number("critic.optim.lr", 1e-5), model);
  }
  putEvaluation(draft);
  draft.refuse(verlRefused);
  draft.setAside(verlCircumstances);
}

function putRows(draft: Draft): void {
  const files =
    draft.optional("data.train_files") ?? assumption("data/train.parquet", "the file does not say data.train_files");
  const first = Array.isArray(files.value) ? files.value : [files.value];
  const key = draft.text("data.prompt_key", "prompt");
  const columns = {
    question: draft.derive(`${key.value}.0.content`, "the first message of the conversation", [key]),
    answer: certain("reward_model.ground_truth", "verl's parquet files have it there"),
  };
  putData(draft, at("data"), { ...files, value: String(first[0]) }, columns);
  if (first.length > 1) {
    draft.entries.splice(
      draft.entries.findIndex(({ path }) => path.at(-1) === "path" && path.includes("data")),
      1,
    );
    draft.set(at("data", "path"), { ...files, value: first.map(String) });
  }
  draft.set(at("data", "maxPromptTokens"), draft.number("data.max_prompt_length", 512));
  if (draft.take("data.filter_overlong_prompts")?.value !== true)
    draft.assume(
      "longer prompts are left out here; verl fails or cuts them unless data.filter_overlong_prompts is set",
    );
  draft.take("data.truncation");
  draft.set(at("template"), certain("chat", "prompts are messages there, rendered by the model's own template"));
  const seed = draft.optionalNumber("data.seed");
  if (seed !== null) draft.set(["seed"], seed);
}

/** Rewards are Python there; which one runs depends on the rows' data_source. */
function putRewards(draft: Draft, maxTokens: Known<number>): void {
  const manager = draft.optionalText("reward_model.reward_manager") ?? draft.optionalText("reward.reward_manager.name");
  const accuracy = { name: "accuracy", params: { method: "numeric", from: "auto" } };
  const prefix = [
    "reward_model.overlong_buffer",
    "custom_reward_function.overlong_buffer",
    "reward_model.reward_kwargs.overlong_buffer_cfg",
    "reward.reward_kwargs.overlong_buffer_cfg",
  ].find((name) => draft.says(`${name}.enable`) || draft.says(`${name}.len`));
  const isOn = prefix === undefined ? null : draft.boolean(`${prefix}.enable`, false);
  const length = prefix === undefined ? null : draft.number(`${prefix}.len`, 0);
  const factor = prefix === undefined ? null : draft.number(`${prefix}.penalty_factor`, 1);
  for (const name of ["log", "max_resp_len"]) if (prefix !== undefined) draft.take(`${prefix}.${name}`);
  const why = `a guess: verl chooses the reward in Python, by the rows' data_source${manager === null ? "" : ` (reward manager ${manager.value})`}`;
  const right = manager?.value === "dapo" ? { right: 1, wrong: -1, unparseable: -1 } : {};
  const functions: unknown[] = [{ ...accuracy, params: { ...accuracy.params, ...right } }];
  if (isOn?.value === true && length !== null && length.value > 0) {
    functions.push({
      name: "soft-overlong",
      weight: factor?.value ?? 1,
      params: { maxTokens: maxTokens.value, bufferTokens: length.value },
    });
  }
  draft.set(at("rewards", "functions"), assumption(functions, why));
}

const KL_ESTIMATORS: Readonly<Record<string, string>> = {
  kl: "k1",
  k1: "k1",
  abs: "abs",
  mse: "k2",
  k2: "k2",
  low_var_kl: "k3",
  k3: "k3",
  "kl+": "k1+",
  "k1+": "k1+",
  "low_var_kl+": "k3+",
  "k3+": "k3+",
};

/** Types here by policy_loss.loss_mode; vanilla is the clipped ratio of the estimator's own type. */
const LOSS_MODES: Readonly<Record<string, string>> = {
  gspo: "gspo",
  sapo: "sapo",
  gpg: "gpg",
  clip_cov: "clip-cov",
  "clip-cov": "clip-cov",
  kl_cov: "kl-cov",
  "kl-cov": "kl-cov",
  geo_mean: "gmpo",
  cispo: "cispo",
  dppo_tv: "dppo",
  dppo_kl: "dppo",
};

/** Types here by algorithm.adv_estimator, with the clipped loss. */
const ESTIMATORS: Readonly<Record<string, string>> = {
  gae: "ppo",
  grpo: "grpo",
  rloo: "rloo",
  remax: "remax",
  opo: "opo",
  grpo_passk: "grpo-passk",
  gdpo: "grpo",
  gpg: "gpg",
  reinforce_plus_plus: "reinforce++",
  reinforce_plus_plus_baseline: "reinforce++-baseline",
};

function putObjective(draft: Draft, maxTokens: Known<number>): void {
  const estimator = draft.text("algorithm.adv_estimator", "gae");
  const mode = draft.text(`${ACTOR}.policy_loss.loss_mode`, "vanilla");
  const aggregation = draft.text(`${ACTOR}.loss_agg_mode`, "token-mean");
  const isDivided = draft.boolean("algorithm.norm_adv_by_std_in_grpo", true);
  const scaleFactor = draft.optionalNumber(`${ACTOR}.loss_scale_factor`);
  const own = ESTIMATORS[estimator.value];
  if (own === undefined) {
    draft.cannot(
      { key: "algorithm.adv_estimator", value: estimator.value, place: estimator.origin },
      "no such estimator here; grpo's stands in for it",
    );
  }
  // Centred rewards over the constant length are Dr. GRPO.
  const isDrgrpo =
    own === "grpo" && !isDivided.value && aggregation.value === "seq-mean-token-sum-norm" && mode.value === "vanilla";
  const type = LOSS_MODES[mode.value] ?? (isDrgrpo ? "drgrpo" : (own ?? "grpo"));
  if (mode.value !== "vanilla" && LOSS_MODES[mode.value] === undefined)
    draft.cannot(
      { key: "policy_loss.loss_mode", value: mode.value, place: mode.origin },
      `no such loss here; ${type}'s stands in for it`,
    );
  if (LOSS_MODES[mode.value] !== undefined && own !== "grpo" && own !== undefined && own !== type)
    draft.cannot(
      { key: "algorithm.adv_estimator", value: estimator.value, place: estimator.origin },
      `${type} has the group's rewards as advantages here`,
    );
  const usesStd = (own === "grpo" && !isDrgrpo) || own === "grpo-passk";
  const isGdpo = estimator.value === "gdpo";
  const options: Options = {
    ...ratioOptions(draft, type, mode),
    rewards: isGdpo ? { ...estimator, value: "decoupled-by-token" } : null,
    std: usesStd ? { ...isDivided, value: isDivided.value ? "sample" : "none" } : null,
    stdEpsilon: usesStd && isDivided.value ? certain(isGdpo ? 1e-4 : 1e-6, "as verl adds to the deviation") : null,
    variance: own?.startsWith("reinforce++") === true ? certain("sample", "verl divides by the tokens less one") : null,
    ...(type === "gpg" ? { alpha: alphaOf(own, estimator) } : {}),
    ...klOf(draft),
    aggregation: aggregationOf(draft, type, aggregation, scaleFactor, maxTokens),
    gamma: own === "ppo" || own === "reinforce++" ? draft.number("algorithm.gamma", 1) : null,
    lambda: own === "ppo" ? draft.number("algorithm.lam", 1) : null,
    valueClip: own === "ppo" ? draft.number("critic.cliprange_value", 0.5) : null,
    pretrainingSteps: own === "ppo" ? criticWarmup(draft) : null,
  };
  const from = mode.value === "vanilla" ? [estimator] : [estimator, mode];
  tellUnclipped(draft, type, mode, estimator);
  if (type === "rloo") putClippedRloo(draft, estimator, options);
  else putAlgorithm(draft, draft.derive(type, "", isDrgrpo ? [...from, isDivided, aggregation] : from), options);
  if (options["gamma"] === null)
    draft.refuse({ "algorithm.gamma": { idle: [1], reason: `${type} discounts nothing here` } });
  if (options["lambda"] === null) draft.refuse({ "algorithm.lam": { idle: [1], reason: `${type} has no critic` } });
  if (own !== "ppo") draft.setAside(["critic."]);
  tellGroupOfOne(draft, type);
}

/** The policy trains from this step on, counted from 1. */
function criticWarmup(draft: Draft): Known<number> {
  const from = draft.number("trainer.critic_warmup", 0);
  return from.value === 0 ? from : draft.derive(from.value - 1, `the policy trains from step ${from.value} on`, [from]);
}

/** clip_ratio counts only where low or high is null, and neither is by default. */
function clipOf(draft: Draft): Options {
  const both = draft.optionalNumber(`${ACTOR}.clip_ratio`);
  const low = draft.number(`${ACTOR}.clip_ratio_low`, 0.2);
  const high = draft.number(`${ACTOR}.clip_ratio_high`, 0.2);
  if (both !== null && (both.value !== low.value || both.value !== high.value)) {
    draft.cannot(
      { key: `${ACTOR}.clip_ratio`, value: both.value, place: both.origin },
      `has no effect there: clip_ratio_low is ${low.value} and clip_ratio_high is ${high.value}`,
    );
  }
  return { clipLow: low, clipHigh: high };
}

/** verl's gpg counts scores that are not 0; with another estimator its loss has no such factor. */
function alphaOf(own: string | undefined, estimator: Known<string>): Known<string> {
  return own === "gpg"
    ? { ...estimator, value: "nonzero-scores" }
    : certain("none", "the estimator has no such factor");
}

/** Objectives without a ratio here, whose advantages go through the clipped ratio in verl. */
const WITHOUT_RATIO: ReadonlySet<string> = new Set(["remax", "opo", "gpg"]);

/** At the first update of a batch every ratio is 1, and a clipped ratio has the plain gradient. */
function tellUnclipped(draft: Draft, type: string, mode: Known<string>, estimator: Known<string>): void {
  if (!WITHOUT_RATIO.has(type) || mode.value !== "vanilla") return;
  const updates =
    (draft.number("data.train_batch_size", 1024).value / draft.number(`${ACTOR}.ppo_mini_batch_size`, 256).value) *
    draft.number(`${ACTOR}.ppo_epochs`, 1).value;
  if (updates <= 1)
    draft.assume(`${type} has no ratio here; with one update per batch verl's is 1, and the gradient the same`);
  else
    draft.cannot(
      { key: "algorithm.adv_estimator", value: estimator.value, place: estimator.origin },
      `${type} has no ratio and no clip here, verl has both: with ${updates} updates per batch they differ from the second on`,
    );
}

/** Clip ranges and the options of one loss alone. */
function ratioOptions(draft: Draft, type: string, mode: Known<string>): Options {
  const clip = clipOf(draft);
  const cap = draft.number(`${ACTOR}.clip_ratio_c`, 3);
  const tau = { tauPositive: draft.number(`${ACTOR}.tau_pos`, 1), tauNegative: draft.number(`${ACTOR}.tau_neg`, 1.05) };
  const policyLoss = `${ACTOR}.policy_loss`;
  const clipCov = {
    fraction: draft.number(`${policyLoss}.clip_cov_ratio`, 2e-4),
    covarianceLow: draft.number(`${policyLoss}.clip_cov_lb`, 1),
    covarianceHigh: draft.number(`${policyLoss}.clip_cov_ub`, 5),
  };
  const klCov = {
    fraction: draft.number(`${policyLoss}.kl_cov_ratio`, 2e-4),
    penalty: draft.number(`${policyLoss}.ppo_kl_coef`, 0.1),
  };
  switch (type) {
    case "cispo":
      return { cap: certain("offset", "verl's bounds are offsets from 1"), ...clip };
    case "sapo":
      return tau;
    case "clip-cov":
      return { ...clip, ...clipCov };
    case "kl-cov":
      return klCov;
    case "dppo":
      return {
        divergence: { ...mode, value: mode.value === "dppo_kl" ? "kl" : "tv" },
        thresholdLow: clip.clipLow!,
        thresholdHigh: clip.clipHigh!,
        anchor: certain("old", "verl's ratios are to the trainer's own log-probabilities"),
        cap,
      };
    default:
      if (WITHOUT_RATIO.has(type)) return {};
      return mode.value === "vanilla" ? { ...clip, dualClip: cap } : clip;
  }
}

/** In the loss, in the reward, or none; both at once have no equal. */
function klOf(draft: Draft): Options {
  const inLoss = draft.boolean(`${ACTOR}.use_kl_loss`, false);
  const inReward = draft.boolean("algorithm.use_kl_in_reward", false);
  const lossCoefficient = draft.number(`${ACTOR}.kl_loss_coef`, 0.001);
  const lossType = draft.text(`${ACTOR}.kl_loss_type`, "low_var_kl");
  const rewardCoefficient = draft.number("algorithm.kl_ctrl.kl_coef", 0.001);
  const rewardType = draft.text("algorithm.kl_penalty", "kl");
  const control = draft.text("algorithm.kl_ctrl.type", "fixed");
  if (inReward.value && control.value !== "fixed")
    draft.cannot(
      { key: "algorithm.kl_ctrl.type", value: control.value, place: control.origin },
      "the coefficient is fixed here",
    );
  if (inLoss.value && inReward.value)
    draft.cannot(
      { key: "algorithm.use_kl_in_reward", value: true, place: inReward.origin },
      "one KL term here: the one in the loss stays",
    );
  if (!inLoss.value && !inReward.value) return { "kl.coefficient": { ...inLoss, value: 0 } };
  const [coefficient, kind] = inLoss.value ? [lossCoefficient, lossType] : [rewardCoefficient, rewardType];
  const estimator = KL_ESTIMATORS[kind.value];
  if (estimator === undefined)
    draft.cannot(
      { key: "kl type", value: kind.value, place: kind.origin },
      "estimators here are k1, k2, k3, abs, k1+ and k3+; k3 stands in for it",
    );
  return {
    "kl.coefficient": coefficient,
    "kl.estimator": { ...kind, value: estimator ?? "k3" },
    "kl.placement": inLoss.value ? { ...inLoss, value: "loss" } : { ...inReward, value: "reward" },
  };
}

/** gspo and sapo take the mean over sequences, whatever the config says. */
function aggregationOf(
  draft: Draft,
  type: string,
  aggregation: Known<string>,
  scaleFactor: Known<number> | null,
  maxTokens: Known<number>,
): Known<string> | null {
  if (["gspo", "sapo", "gmpo"].includes(type)) return null;
  if (aggregation.value === "token-sum") {
    draft.cannot(
      { key: `${ACTOR}.loss_agg_mode`, value: "token-sum", place: aggregation.origin },
      "a sum is not independent of the batch's size; token-mean stands in for it",
    );
    return { ...aggregation, value: "token-mean" };
  }
  if (
    aggregation.value === "seq-mean-token-sum-norm" &&
    scaleFactor !== null &&
    scaleFactor.value !== maxTokens.value
  ) {
    draft.cannot(
      { key: `${ACTOR}.loss_scale_factor`, value: scaleFactor.value, place: scaleFactor.origin },
      `the constant here is the generation limit, ${maxTokens.value}: gradients are ${(scaleFactor.value / maxTokens.value).toPrecision(3)} times theirs`,
    );
  }
  return aggregation;
}

/** verl takes mean 0 and deviation 1 for a group of one: the bare reward is the advantage. */
function tellGroupOfOne(draft: Draft, type: string): void {
  const size = draft.number(`${ROLLOUT}.n`, 1);
  if (size.value > 1 || type !== "grpo") return;
  draft.assume(
    "grpo with rollout.n 1 weighs answers by their bare reward there; that is reinforce, without its clip, here",
  );
  const entries = draft.entries.filter(({ path }) => path[2] !== "algorithm");
  draft.entries.splice(0, draft.entries.length, ...entries);
  draft.set(at("algorithm", "type"), certain("reinforce", "a group of one has nothing to compare with"));
}

function putRollout(draft: Draft, maxTokens: Known<number>, options: ImportOptions): void {
  const prompts = draft.number("data.train_batch_size", 1024);
  const mini = draft.number(`${ACTOR}.ppo_mini_batch_size`, 256);
  const epochs = draft.number(`${ACTOR}.ppo_epochs`, 1);
  draft.set(at("rollout", "promptsPerStep"), prompts);
  draft.set(at("rollout", "groupSize"), draft.number(`${ROLLOUT}.n`, 1));
  const updates = quotient(draft, "updates per batch", prompts, mini);
  draft.set(at("updatesPerBatch"), updates);
  draft.set(at("epochsPerBatch"), epochs);
  const sampling = at("rollout", "sampling");
  draft.set([...sampling, "temperature"], draft.number(`${ROLLOUT}.temperature`, 1));
  draft.set([...sampling, "topP"], draft.number(`${ROLLOUT}.top_p`, 1));
  const topK = draft.number(`${ROLLOUT}.top_k`, -1);
  draft.set([...sampling, "topK"], { ...topK, value: Math.max(0, topK.value) });
  draft.set([...sampling, "maxTokens"], maxTokens);
  putFilter(draft);
  putMismatch(draft);
  const total = draft.optionalNumber("trainer.total_training_steps");
  const steps = stepsOf(total, draft.number("trainer.total_epochs", 30), prompts, draft, options);
  draft.set(at("steps"), steps);
  putOptimizer(draft, updates.value * epochs.value, steps.value);
  const save = draft.number("trainer.save_freq", -1);
  if (save.value > 0) draft.set(at("checkpoint", "everySteps"), save);
  const keep = draft.optionalNumber("trainer.max_actor_ckpt_to_keep");
  if (keep !== null) draft.set(at("checkpoint", "keep"), keep);
}

function putFilter(draft: Draft): void {
  const prefix = "algorithm.filter_groups";
  const isOn = draft.boolean(`${prefix}.enable`, false);
  const metric = draft.text(`${prefix}.metric`, "reward");
  const batches = draft.number(`${prefix}.max_num_gen_batches`, 0);
  if (!isOn.value) return;
  const path = at("rollout", "dynamicSampling");
  if (batches.value > 0) draft.set([...path, "maxBatches"], batches);
  else draft.set([...path, "maxBatches"], assumption(1000, "there is no limit there"));
  const onTotal = ["reward", "score", "seq_reward", "seq_final_reward"].includes(metric.value);
  if (!onTotal)
    draft.set([...path, "metric"], { ...metric, value: metric.value === "acc" ? "accuracy" : metric.value });
}

/** Weights (rollout_is) and rejections (rollout_rs) between the trainer's and the server's log-probabilities. */
function putMismatch(draft: Draft): void {
  const prefix = "algorithm.rollout_correction";
  const weights = draft.optionalText(`${prefix}.rollout_is`);
  const threshold = draft.text(`${prefix}.rollout_is_threshold`, "2.0");
  const rejection = draft.optionalText(`${prefix}.rollout_rs`);
  const rejectionThreshold = draft.optionalText(`${prefix}.rollout_rs_threshold`);
  draft.refuse({
    [`${prefix}.bypass_mode`]: { idle: [false], reason: "ratios here are to the trainer's own log-probabilities" },
    [`${prefix}.rollout_is_batch_normalize`]: { idle: [false], reason: "weights are not normalised here" },
  });
  draft.take(`${prefix}.loss_type`);
  const isOn = (known: Known<string> | null): known is Known<string> =>
    known !== null && !["null", "None", "false"].includes(known.value);
  const corrections: Correction[] = [];
  if (isOn(weights))
    corrections.push({
      rule: weightsOf(weights.value, threshold.value),
      from: draft.derive(null, "", [weights, threshold]),
    });
  if (isOn(rejection)) {
    const rule = rejectionOf(rejection.value, rejectionThreshold?.value ?? "");
    const from = rejectionThreshold === null ? rejection : draft.derive(null, "", [rejection, rejectionThreshold]);
    if (rule === null)
      draft.cannot(
        { key: `${prefix}.rollout_rs`, value: rejection.value, place: rejection.origin },
        "rules that reject without weighing are geometric-mask (seq_mean_k1) alone here",
      );
    else {
      corrections.push({ rule, from });
      draft.assume(
        "bounds of k1 hold for the inverse ratio in verl, so they are 1 / high and 1 / low here; what is rejected stays in the denominators here",
      );
    }
  }
  putCorrections(draft, corrections);
}

function weightsOf(level: string, threshold: string): Readonly<Record<string, unknown>> {
  const [low, high] = boundsOf(threshold);
  if (level === "sequence") return { type: "sequence-tis", cap: high };
  return low === null ? { type: "tis", cap: high } : { type: "token-mask", low, high };
}

/** token_k1 and seq_sum_k1 reject and weigh nothing; here, only the geometric mean does. */
function rejectionOf(rule: string, threshold: string): Readonly<Record<string, unknown>> | null {
  const [low, high] = boundsOf(threshold);
  if (rule !== "seq_mean_k1" || !Number.isFinite(high)) return null;
  // One number is the upper bound, and its inverse the lower.
  return { type: "geometric-mask", low: 1 / high, high: low === null ? high : 1 / low };
}

/** "2.0" is an upper bound, "0.5_5.0" both. */
function boundsOf(threshold: string): [number | null, number] {
  const parts = threshold.split("_").map(Number);
  return parts.length === 2 ? [parts[0]!, parts[1]!] : [null, parts[0] ?? Number.NaN];
}

function putOptimizer(draft: Draft, updatesPerStep: number, steps: number): void {
  const optim = `${ACTOR}.optim`;
  draft.set(at("optimizer", "learningRate"), draft.number(`${optim}.lr`, 1e-6));
  const legacy = draft.optionalText(`${optim}.warmup_style`);
  const name =
    draft.optionalText(`${optim}.lr_scheduler_type`) ??
    legacy ??
    byDefault("constant", "verl", `${optim}.lr_scheduler_type`);
  putSchedule(draft, name, `${optim}.lr_scheduler_type`);
  draft.set(at("optimizer", "minLearningRateRatio"), draft.number(`${optim}.min_lr_ratio`, 0));
  const warmup = draft.optionalNumber(`${optim}.lr_warmup_steps`);
  const ratio = draft.number(`${optim}.lr_warmup_steps_ratio`, 0);
  if (warmup !== null && warmup.value > 0) {
    draft.set(
      at("optimizer", "warmupSteps"),
      draft.derive(warmup.value * updatesPerStep, `${warmup.value} rollout steps x ${updatesPerStep} updates`, [
        warmup,
      ]),
    );
  } else if (ratio.value > 0) {
    const rolloutSteps = Math.floor(ratio.value * steps);
    draft.set(
      at("optimizer", "warmupSteps"),
      draft.derive(
        rolloutSteps * updatesPerStep,
        `${ratio.value} x ${steps} rollout steps x ${updatesPerStep} updates`,
        [ratio],
      ),
    );
  }
  const betas = draft.optional(`${optim}.betas`);
  const [beta1, beta2] = Array.isArray(betas?.value) ? betas.value : [0.9, 0.999];
  const origin = betas ?? byDefault(null, "verl", `${optim}.betas`);
  draft.set(at("optimizer", "beta1"), { ...origin, value: beta1 });
  draft.set(at("optimizer", "beta2"), { ...origin, value: beta2 });
  draft.set(at("optimizer", "weightDecay"), draft.number(`${optim}.weight_decay`, 0.01));
  const clip = draft.optionalNumber(`${optim}.clip_grad`) ?? draft.number(`${ACTOR}.grad_clip`, 1);
  draft.take(`${ACTOR}.grad_clip`);
  draft.set(at("optimizer", "maxGradNorm"), clip);
}

/** Greedy and once by default. */
function putEvaluation(draft: Draft): void {
  const every = draft.number("trainer.test_freq", -1);
  const files = draft.optional("data.val_files");
  const prefix = `${ROLLOUT}.val_kwargs`;
  const samples = draft.number(`${prefix}.n`, 1);
  const temperature = draft.number(`${prefix}.temperature`, 0);
  const isSampled = draft.boolean(`${prefix}.do_sample`, false);
  const topP = draft.number(`${prefix}.top_p`, 1);
  draft.take(`${prefix}.top_k`);
  draft.take("trainer.val_before_train");
  if (every.value <= 0) return;
  if (files === null) {
    draft.cannot(
      { key: "trainer.test_freq", value: every.value, place: every.origin },
      "the file does not say which rows are held out (data.val_files): add eval with its data",
    );
    return;
  }
  const paths = (Array.isArray(files.value) ? files.value : [files.value]).map(String);
  const path = at("eval");
  draft.set([...path, "everySteps"], every);
  draft.set([...path, "data", "type"], certain("file", files.origin));
  draft.set([...path, "data", "path"], { ...files, value: paths.length === 1 ? paths[0]! : paths });
  draft.set([...path, "data", "columns", "question"], certain("prompt.0.content", "as in training"));
  draft.set([...path, "data", "columns", "answer"], certain("reward_model.ground_truth", "as in training"));
  draft.set([...path, "numSamples"], samples);
  draft.set([...path, "sampling", "temperature"], isSampled.value ? temperature : { ...isSampled, value: 0 });
  draft.set([...path, "sampling", "topP"], topP);
}
