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
import { putVerlObjective } from "./verl-objective.ts";
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
  putVerlObjective(draft, maxTokens);
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
  const isDapo = manager?.value === "dapo";
  const accuracy = { name: "accuracy", params: { method: isDapo ? "dapo" : "math", from: "auto" } };
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
  const right = isDapo ? { right: 1, wrong: -1, unparseable: -1 } : {};
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
