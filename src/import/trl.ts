/**
 * TRL's GRPOConfig, with the ModelConfig and ScriptArguments that `trl grpo` and Open-R1 read from the same file.
 *
 *   completions per optimizer step  = per_device_train_batch_size x processes x gradient_accumulation_steps
 *   completions per generation      = per_device_train_batch_size x processes x steps_per_generation
 *   loss_type is the aggregation; scale_rewards divides by a deviation whatever the loss is; epsilon_high is an offset, but CISPO's cap
 *
 * Defaults: huggingface/trl f2cd577 (24 July 2026, 1.10.0.dev0), and TrainingArguments of transformers for the optimizer.
 */
import { assumption, certain, type Draft, type Known } from "./draft.ts";
import {
  at,
  type Correction,
  type ImportOptions,
  LOCAL_VLLM,
  putCorrections,
  putData,
  putLora,
  putModel,
  putSchedule,
  putServer,
  quotient,
  stepsOf,
} from "./parts.ts";
import { CIRCUMSTANCES } from "./trl-names.ts";
import { putTrlObjective } from "./trl-objective.ts";

/** Where TRL's numbers were read. */
export const trlSnapshot = "huggingface/trl f2cd577 (24 July 2026)";

/** Writes the recipe of a GRPOConfig. */
export function importTrl(draft: Draft, options: ImportOptions): void {
  putModel(draft, "model_name_or_path");
  const hasLora = draft.boolean("use_peft", false);
  if (hasLora.value) {
    const targets = { key: "lora_target_modules", known: draft.optional("lora_target_modules") };
    putLora(draft, draft.number("lora_r", 16), draft.number("lora_alpha", 32), targets);
  }
  const isVllm = draft.boolean("use_vllm", false);
  putServer(draft, isVllm, vllmUrl(draft), hasLora.value);
  draft.set(["engine", "activationCheckpointing"], draft.boolean("gradient_checkpointing", true));
  draft.set(["seed"], draft.number("seed", 42));
  draft.set(at("type"), certain("rl", "GRPO"));
  putRows(draft);
  putRewards(draft);
  const isMismatch = draft.boolean("vllm_importance_sampling_correction", true).value && isVllm.value;
  putTrlObjective(draft, isMismatch);
  const batch = putRollout(draft, options, isVllm);
  putOptimizer(draft, batch);
  putCheckpoints(draft, batch.updatesPerStep);
  tellTheRest(draft, hasLora.value);
}

function vllmUrl(draft: Draft): Known<string> {
  const base = draft.optionalText("vllm_server_base_url");
  if (base !== null) return { ...base, value: `${base.value.replace(/\/+$/, "")}/v1` };
  const host = draft.optionalText("vllm_server_host");
  const port = draft.optionalNumber("vllm_server_port");
  if (host === null && port === null)
    return assumption(LOCAL_VLLM, "start it with vllm serve; TRL's own vllm-serve is another protocol");
  const address = host === null || host.value === "0.0.0.0" ? "127.0.0.1" : host.value;
  return draft.derive(
    `http://${address}:${port?.value ?? 8000}/v1`,
    "",
    [host, port].filter((known) => known !== null),
  );
}

function putRows(draft: Draft): void {
  const name = draft.optionalText("dataset_name") ?? assumption("data/train.jsonl", "the file names no dataset");
  const question = draft.text("dataset_prompt_column", "prompt");
  const answer = assumption("solution", "Open-R1's rewards read this column");
  const split = draft.optionalText("dataset_train_split") ?? undefined;
  putData(draft, at("data"), name, { question, answer, split });
  const config = draft.optionalText("dataset_config") ?? draft.optionalText("dataset_config_name");
  if (config !== null) draft.set(at("data", "config"), config);
  const maxPrompt = draft.optionalNumber("max_prompt_length");
  if (maxPrompt !== null) {
    draft.set(at("data", "maxPromptTokens"), maxPrompt);
    draft.assume("longer prompts are left out here; TRL cuts their beginning off");
  }
  const system = draft.optionalText("system_prompt");
  if (system === null) {
    draft.set(
      at("template"),
      assumption(
        "chat",
        "prompts that are conversations get the model's own chat template; plain text gets none there",
      ),
    );
    return;
  }
  draft.set(at("template", "type"), certain("chat", system.origin));
  draft.set(at("template", "system"), system);
}

interface Mapped {
  readonly name: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly remark?: string;
}

/** Open-R1's rewards that have an equal here, by the names in reward_funcs. */
const REWARDS: Readonly<Record<string, Mapped>> = {
  accuracy: {
    name: "accuracy",
    params: { method: "math", from: "auto" },
    remark:
      "accuracy compares expressions, as Open-R1's does, and refuses what pays unsolved: several different answers, or one that stands in the thinking alone",
  },
  format: { name: "format", params: { style: "open-r1" } },
  tag_count: { name: "tag-count" },
  reasoning_steps: { name: "reasoning-steps", params: { numbered: "first-line" } },
  length: { name: "kimi-length", params: { method: "math", from: "auto" } },
  cosine: {
    name: "cosine-length",
    remark: "cosine-length counts tokens, 4 of Open-R1's characters each, and stays at its end beyond the limit",
  },
  repetition_penalty: { name: "repetition" },
  soft_overlong_punishment: { name: "soft-overlong" },
  code: { name: "code", remark: "code compares whole outputs; Open-R1's passes a prefix of the expected lines" },
  binary_code: { name: "binary-code" },
  cf_code: { name: "cf-code" },
  code_format: { name: "code-format" },
};

function putRewards(draft: Draft): void {
  const funcs = draft.optional("reward_funcs");
  const names = (Array.isArray(funcs?.value) ? funcs.value : funcs === null ? [] : [funcs.value]).map(String);
  const weights = draft.optional("reward_weights");
  const ngrams = draft.optionalNumber("repetition_n_grams");
  const maxPenalty = draft.optionalNumber("repetition_max_penalty");
  const cosine = {
    method: "math",
    from: "auto",
    // In characters there; the defaults are those of Open-R1's script.
    maxTokens: Math.ceil((draft.optionalNumber("cosine_max_len")?.value ?? 1000) / 4),
    rightAtZero: draft.optionalNumber("cosine_max_value_correct")?.value ?? 1,
    rightAtLimit: draft.optionalNumber("cosine_min_value_correct")?.value ?? 0.5,
    wrongAtZero: draft.optionalNumber("cosine_min_value_wrong")?.value ?? 0,
    wrongAtLimit: draft.optionalNumber("cosine_max_value_wrong")?.value ?? -0.5,
  };
  const limit = draft.optionalNumber("max_completion_len");
  const buffer = draft.optionalNumber("soft_punish_cache");
  const rewards = names.flatMap((name, i) => {
    const mapped = REWARDS[name];
    if (mapped === undefined) {
      draft.cannot(
        { key: `reward_funcs.${i}`, value: name, place: funcs!.origin },
        "no such reward is shipped; write it in a file with defineReward",
      );
      return [];
    }
    if (mapped.remark !== undefined) draft.assume(mapped.remark);
    const weight = Array.isArray(weights?.value) ? Number(weights.value[i] ?? 1) : 1;
    let params = mapped.params ?? {};
    if (mapped.name === "cosine-length") params = cosine;
    if (mapped.name === "repetition") params = { ngramSize: ngrams?.value ?? 3, maxPenalty: maxPenalty?.value ?? -1 };
    // Open-R1's defaults, which do not follow max_completion_length.
    if (mapped.name === "soft-overlong")
      params = { maxTokens: limit?.value ?? 16_384, bufferTokens: buffer?.value ?? 4096 };
    return [{ name: mapped.name, weight, ...(Object.keys(params).length === 0 ? {} : { params }) }];
  });
  const origins = [funcs, weights].filter((known) => known !== null);
  if (rewards.length > 0) draft.set(at("rewards", "functions"), draft.derive(rewards, "", origins));
  else
    draft.set(
      at("rewards", "functions"),
      assumption(["accuracy"], "no reward of the file has an equal here: rewards are code there"),
    );
}

interface Batch {
  readonly updatesPerStep: number;
  readonly totalUpdates: number;
}

function putRollout(draft: Draft, options: ImportOptions, isVllm: Known<boolean>): Batch {
  const perDevice = draft.number("per_device_train_batch_size", 8);
  const accumulation = draft.number("gradient_accumulation_steps", 1);
  const processes = processesOf(draft, options);
  const groupSize = draft.number("num_generations", 8);
  const generation = draft.optionalNumber("generation_batch_size");
  const stepsPerGeneration = draft.optionalNumber("steps_per_generation");
  const perUpdate = draft.derive(
    perDevice.value * processes.value * accumulation.value,
    `${perDevice.value} per device x ${processes.value} processes x ${accumulation.value} accumulated`,
    [perDevice, processes, accumulation],
  );
  const perGeneration =
    generation ??
    (stepsPerGeneration === null
      ? perUpdate
      : draft.derive(
          perDevice.value * processes.value * stepsPerGeneration.value,
          `${perDevice.value} per device x ${processes.value} processes x ${stepsPerGeneration.value} steps per generation`,
          [perDevice, processes, stepsPerGeneration],
        ));
  const promptsPerStep = quotient(draft, "prompts per generation", perGeneration, groupSize);
  draft.set(at("rollout", "promptsPerStep"), promptsPerStep);
  draft.set(at("rollout", "groupSize"), groupSize);
  const updates = quotient(draft, "optimizer steps per generation", perGeneration, perUpdate);
  const iterations = draft.number("num_iterations", 1);
  draft.set(at("updatesPerBatch"), updates);
  draft.set(at("epochsPerBatch"), iterations);
  putSampling(draft);
  draft.set(at("rollout", "maskTruncated"), draft.boolean("mask_truncated_completions", false));
  putMismatch(draft, isVllm);
  const updatesPerStep = updates.value * iterations.value;
  const maxSteps = draft.optionalNumber("max_steps");
  const explicit =
    maxSteps === null || maxSteps.value <= 0
      ? null
      : draft.derive(
          maxSteps.value / updatesPerStep,
          `${maxSteps.value} optimizer steps / ${updatesPerStep} per generation`,
          [maxSteps],
        );
  const steps = stepsOf(explicit, draft.number("num_train_epochs", 3), promptsPerStep, draft, options);
  draft.set(at("steps"), steps);
  return { updatesPerStep, totalUpdates: steps.value * updatesPerStep };
}

function processesOf(draft: Draft, { numProcesses }: ImportOptions): Known<number> {
  const inFile = draft.optionalNumber("num_processes");
  if (numProcesses !== null) return certain(numProcesses, "--num-processes");
  if (inFile !== null) return inFile;
  const why = "the file does not say how many processes train: give --num-processes";
  draft.assume(`one process: ${why}`);
  return assumption(1, why);
}

function putSampling(draft: Draft): void {
  const path = at("rollout", "sampling");
  draft.set([...path, "temperature"], draft.number("temperature", 1));
  draft.set([...path, "topP"], draft.number("top_p", 1));
  const topK = draft.number("top_k", 0);
  draft.set([...path, "topK"], { ...topK, value: Math.max(0, topK.value) });
  const minP = draft.optionalNumber("min_p");
  if (minP !== null) draft.set([...path, "minP"], minP);
  draft.set([...path, "maxTokens"], draft.number("max_completion_length", 512));
  draft.refuse({
    repetition_penalty: { idle: [1], reason: "sampling here has no repetition penalty" },
    generation_kwargs: { reason: "sampling here has temperature, topP, topK, minP and lengths" },
  });
}

/** On by default with vLLM: whole sequences whose product of ratios passes 3 are masked. */
function putMismatch(draft: Draft, isVllm: Known<boolean>): void {
  const isOn = draft.boolean("vllm_importance_sampling_correction", true);
  const mode = draft.text("vllm_importance_sampling_mode", "sequence_mask");
  const cap = draft.number("vllm_importance_sampling_cap", 3);
  const threshold = draft.optionalNumber("off_policy_mask_threshold");
  const corrections: Correction[] = [];
  // In vespo it is part of the ratio.
  if (isVllm.value && isOn.value && draft.text("loss_type", "dapo").value !== "vespo") {
    const rules: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
      token_truncate: { type: "tis", cap: cap.value },
      token_mask: { type: "token-mask", low: 0, high: cap.value },
      sequence_truncate: { type: "sequence-tis", cap: cap.value },
      sequence_mask: { type: "sequence-mask", cap: cap.value },
    };
    const rule = rules[mode.value];
    if (rule !== undefined) corrections.push({ rule, from: draft.derive(null, "", [mode, cap]) });
    else
      draft.cannot({ key: "vllm_importance_sampling_mode", value: mode.value, place: mode.origin }, "an unknown mode");
  }
  if (threshold !== null) {
    corrections.push({ rule: { type: "off-policy-mask", delta: threshold.value }, from: threshold });
    draft.assume(
      "off_policy_mask_threshold compares the server with the policy that trains there; here, with the policy before the first update",
    );
  }
  putCorrections(draft, corrections);
}

function putOptimizer(draft: Draft, { totalUpdates }: Batch): void {
  draft.set(at("optimizer", "learningRate"), draft.number("learning_rate", 1e-6));
  const name = draft.text("lr_scheduler_type", "linear");
  const { schedule, hasWarmup } = putSchedule(draft, name, "lr_scheduler_type");
  const minRate = draft.optionalNumber("lr_scheduler_kwargs.min_lr");
  const minRatio = draft.optionalNumber("lr_scheduler_kwargs.min_lr_rate");
  const rate = draft.number("learning_rate", 1e-6);
  if (minRatio !== null) draft.set(at("optimizer", "minLearningRateRatio"), minRatio);
  else if (minRate !== null)
    draft.set(at("optimizer", "minLearningRateRatio"), draft.derive(minRate.value / rate.value, "", [minRate, rate]));
  const warmupSteps = draft.optionalNumber("warmup_steps");
  const warmupRatio = draft.optionalNumber("warmup_ratio");
  const warmup =
    warmupSteps !== null && warmupSteps.value > 0
      ? warmupSteps
      : warmupRatio === null
        ? null
        : draft.derive(
            Math.ceil(warmupRatio.value * totalUpdates),
            `${warmupRatio.value} x ${totalUpdates} optimizer steps`,
            [warmupRatio],
          );
  if (warmup !== null && hasWarmup) draft.set(at("optimizer", "warmupSteps"), warmup);
  else if (warmup !== null)
    draft.cannot(
      { key: "warmup", value: warmup.value, place: warmup.origin },
      `the schedule ${schedule} has none there: transformers ignores it`,
    );
  draft.set(at("optimizer", "beta1"), draft.number("adam_beta1", 0.9));
  draft.set(at("optimizer", "beta2"), draft.number("adam_beta2", 0.999));
  draft.set(at("optimizer", "eps"), draft.number("adam_epsilon", 1e-8));
  draft.set(at("optimizer", "weightDecay"), draft.number("weight_decay", 0));
  draft.set(at("optimizer", "maxGradNorm"), draft.number("max_grad_norm", 1));
  draft.refuse({
    optim: {
      idle: ["adamw_torch", "adamw_torch_fused", "adamw_hf"],
      reason: "the optimizer here is AdamW; engine.bf16Moments keeps its moments in 16 bits",
    },
  });
}

/** Counted in optimizer steps there, in rollout batches here. */
function putCheckpoints(draft: Draft, updatesPerStep: number): void {
  const strategy = draft.optionalText("save_strategy");
  const every = draft.optionalNumber("save_steps");
  if (every !== null && every.value >= 1 && (strategy === null || strategy.value === "steps")) {
    draft.set(
      at("checkpoint", "everySteps"),
      draft.derive(Math.max(1, Math.round(every.value / updatesPerStep)), "", [every]),
    );
  } else if (strategy !== null && strategy.value === "epoch")
    draft.cannot(
      { key: "save_strategy", value: "epoch", place: strategy.origin },
      "checkpoints here are counted in steps: checkpoint.everySteps",
    );
  const keep = draft.optionalNumber("save_total_limit");
  if (keep !== null) draft.set(at("checkpoint", "keep"), keep);
}

/** What says how it was run there, and what says nothing at its usual value. */
function tellTheRest(draft: Draft, hasLora: boolean): void {
  draft.refuse({
    ...(hasLora ? { lora_dropout: { idle: [0], reason: "adapters here have no dropout" } } : {}),
    model_revision: { idle: ["main"], reason: "download that revision into the model's folder" },
    load_in_4bit: { idle: [false], reason: "no quantised weights here" },
    load_in_8bit: { idle: [false], reason: "no quantised weights here" },
    dataset_mixture: { reason: "one dataset per stage: mix the rows in one file" },
    chat_template: { reason: "the model's own template is used, or template: { type: text }" },
    chat_template_kwargs: { reason: "template.variables, by hand" },
    eval_strategy: { idle: ["no"], reason: "the file does not say which rows are held out: add eval with its data" },
    cast_lm_head_to_fp32: {
      idle: [false],
      reason: "the head's log-sum-exp is in float32 here, its product in bfloat16 on CUDA",
    },
    use_liger_kernel: { idle: [false, true], reason: "" },
    tools: { reason: "one turn per completion here" },
    max_tool_calling_iterations: { reason: "one turn per completion here" },
    num_generations_eval: { reason: "eval.numSamples, with the data of eval" },
    shuffle_dataset: { idle: [true], reason: "rows are always shuffled here, by the seed" },
  });
  draft.setAside(CIRCUMSTANCES);
}
