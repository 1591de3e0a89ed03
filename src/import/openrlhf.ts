/**
 * OpenRLHF's train_ppo_ray: flags, under their dotted names of 2026 or the flat ones before.
 *
 *   prompts per rollout step        = rollout.batch_size
 *   completions per optimizer step  = train.batch_size            samples, not prompts
 *   losses are means over the tokens of the optimizer step; gspo's over sequences
 *
 * Defaults: OpenRLHF/OpenRLHF 3c3be62 (August 2026).
 */
import { assumption, byDefault, certain, type Draft, type Known } from "./draft.ts";
import { openrlhfCircumstances, openrlhfRefused } from "./openrlhf-names.ts";
import {
  algorithmOf,
  at,
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

/** Where OpenRLHF's numbers were read. */
export const openrlhfSnapshot = "OpenRLHF/OpenRLHF 3c3be62 (August 2026)";

/** Writes the recipe of a train_ppo_ray command; `draft` has the flags under their dotted names. */
export function importOpenrlhf(draft: Draft, options: ImportOptions): void {
  putModel(draft, "actor.model_name_or_path");
  const rank = draft.number("ds.lora.rank", 0);
  if (rank.value > 0) {
    const key = "ds.lora.target_modules";
    putLora(draft, rank, draft.number("ds.lora.alpha", 16), { key, known: draft.optional(key) });
  }
  putServer(
    draft,
    certain(true, "rollouts come from vLLM"),
    assumption(LOCAL_VLLM, "OpenRLHF starts its own; here it is started with vllm serve"),
    rank.value > 0,
  );
  draft.set(["engine", "activationCheckpointing"], draft.boolean("actor.gradient_checkpointing_enable", false));
  draft.set(["seed"], draft.number("train.seed", 42));
  draft.set(at("type"), certain("rl", "PPO"));
  putRows(draft);
  const maxTokens = generationLimit(draft);
  putRewards(draft, maxTokens);
  putObjective(draft);
  putRollout(draft, maxTokens, options);
  if (algorithmOf(draft) === "ppo") {
    putCritic(draft, draft.number("critic.adam.lr", 9e-6), draft.optionalText("critic.model_name_or_path"));
  }
  putEvaluation(draft);
  draft.refuse(openrlhfRefused);
  draft.setAside(openrlhfCircumstances);
}

function putRows(draft: Draft): void {
  const source =
    draft.optionalText("data.prompt_dataset") ??
    assumption("data/train.jsonl", "the command does not say data.prompt_dataset");
  const columns = {
    question: draft.text("data.input_key", "input"),
    answer: draft.optionalText("data.label_key") ?? assumption("label", "the command does not say data.label_key"),
    split: draft.says("data.prompt_split") ? draft.text("data.prompt_split", "train") : undefined,
  };
  putData(draft, at("data"), source, columns);
  const maxSamples = draft.optionalNumber("data.max_samples");
  if (maxSamples !== null) draft.set(at("data", "limit"), maxSamples);
  const maxPrompt = draft.optionalNumber("data.prompt_max_len");
  if (maxPrompt !== null) draft.set(at("data", "maxPromptTokens"), maxPrompt);
  const isChat = draft.boolean("data.apply_chat_template", false);
  const template = draft.optionalText("data.input_template");
  if (isChat.value) draft.set(at("template"), { ...isChat, value: "chat" });
  else if (template?.value.includes("{}")) {
    draft.set(at("template", "type"), certain("text", template.origin));
    draft.set(at("template", "text"), { ...template, value: template.value.replace("{}", "{question}") });
  } else draft.set(at("template"), { ...isChat, value: "none" });
}

/** max_new_tokens; else what data.max_len leaves of a sequence, which differs from prompt to prompt there. */
function generationLimit(draft: Draft): Known<number> {
  const limit = draft.optionalNumber("rollout.max_new_tokens");
  const whole = draft.number("data.max_len", 2048);
  if (limit !== null) return limit;
  const prompt = draft.optionalNumber("data.prompt_max_len");
  if (prompt !== null)
    return draft.derive(Math.max(1, whole.value - prompt.value), `${whole.value} - ${prompt.value}`, [whole, prompt]);
  return assumption(
    Math.ceil(whole.value / 2),
    `a guess: prompt and completion share ${whole.value} tokens there (data.max_len); here a completion has a limit of its own`,
  );
}

/** Rewards are a model, a server or Python there. */
function putRewards(draft: Draft, maxTokens: Known<number>): void {
  const buffer = draft.optionalNumber("reward.overlong_buffer_len");
  const factor = draft.number("reward.overlong_penalty_factor", 1);
  const functions: unknown[] = [{ name: "accuracy", params: { method: "math", from: "auto" } }];
  if (buffer !== null)
    functions.push({
      name: "soft-overlong",
      weight: factor.value,
      params: { maxTokens: maxTokens.value, bufferTokens: buffer.value },
    });
  draft.set(
    at("rewards", "functions"),
    assumption(functions, "a guess: rewards are a model, a server or Python there"),
  );
}

/** Types here by advantage.estimator. */
const ESTIMATORS: Readonly<Record<string, string>> = {
  gae: "ppo",
  reinforce: "reinforce++",
  reinforce_baseline: "reinforce++-baseline",
  rloo: "rloo",
  group_norm: "grpo",
  dr_grpo: "drgrpo",
};

function putObjective(draft: Draft): void {
  const estimator = draft.text("algo.advantage.estimator", "gae");
  const loss = draft.text("actor.policy_loss_type", "ppo");
  const own = ESTIMATORS[estimator.value];
  if (own === undefined)
    draft.cannot(
      { key: "algo.advantage.estimator", value: estimator.value, place: estimator.origin },
      "no such estimator here; group_norm's stands in for it",
    );
  const isSequence = loss.value === "gspo";
  const type = isSequence ? "gspo" : (own ?? "grpo");
  if (isSequence && estimator.value !== "group_norm")
    draft.cannot(
      { key: "algo.advantage.estimator", value: estimator.value, place: estimator.origin },
      "gspo has the standardised rewards of the group as advantages here",
    );
  const pair = pairOf(draft.optional("actor.eps_clip_low_high"));
  const both = draft.number("actor.eps_clip", 0.2);
  const noStd = draft.boolean("algo.advantage.no_std_norm", false);
  const hasReturns = own === "ppo" || own === "reinforce++";
  const gamma = draft.number("algo.advantage.gamma", 1);
  const lambda = draft.number("algo.advantage.lambd", 1);
  const options: Options = {
    clipLow: pair === null ? both : { ...pair, value: pair.value[0] },
    clipHigh: pair === null ? both : { ...pair, value: pair.value[1] },
    dualClip: draft.optionalNumber("actor.dual_clip"),
    std: own === "grpo" ? certain("sample", "group_norm divides by the group's deviation over G - 1") : null,
    stdEpsilon: own === "grpo" ? certain(1e-9, "OpenRLHF adds 1e-9 to the deviation") : null,
    ...klOf(draft),
    aggregation: isSequence ? null : certain("token-mean", "as there, whatever the estimator"),
    gamma: hasReturns ? gamma : null,
    lambda: own === "ppo" ? lambda : null,
    variance: own?.startsWith("reinforce++") === true ? certain("population", "OpenRLHF divides by the tokens") : null,
    valueClip: own === "ppo" ? draft.number("critic.value_clip", 0.5) : null,
    pretrainingSteps: own === "ppo" ? frozenSteps(draft) : null,
  };
  if (type === "rloo") putClippedRloo(draft, estimator, options);
  else putAlgorithm(draft, draft.derive(type, "", isSequence ? [estimator, loss] : [estimator]), options);
  const whitens = ["gae", "reinforce", "reinforce_baseline"].includes(estimator.value);
  if (noStd.value && whitens)
    draft.cannot(
      { key: "algo.advantage.no_std_norm", value: true, place: noStd.origin },
      "whitened advantages are divided by their deviation here",
    );
}

/** Off at -1. */
function frozenSteps(draft: Draft): Known<number> {
  const steps = draft.number("critic.freezing_steps", -1);
  return { ...steps, value: Math.max(0, steps.value) };
}

function pairOf(known: Known<unknown> | null): Known<readonly [number, number]> | null {
  if (known === null || !Array.isArray(known.value)) return null;
  const [low, high] = known.value.map(Number);
  return low === undefined || high === undefined || Number.isNaN(low + high) ? null : { ...known, value: [low, high] };
}

function klOf(draft: Draft): Options {
  const coefficient = draft.number("algo.kl.init_coef", 0.01);
  const estimator = draft.text("algo.kl.estimator", "k1");
  const inLoss = draft.boolean("algo.kl.use_loss", false);
  const target = draft.optionalNumber("algo.kl.target");
  draft.take("algo.kl.horizon");
  if (target !== null)
    draft.cannot({ key: "algo.kl.target", value: target.value, place: target.origin }, "the coefficient is fixed here");
  if (coefficient.value === 0) return { "kl.coefficient": coefficient };
  return {
    "kl.coefficient": coefficient,
    "kl.estimator": estimator,
    "kl.placement": { ...inLoss, value: inLoss.value ? "loss" : "reward" },
  };
}

function putRollout(draft: Draft, maxTokens: Known<number>, options: ImportOptions): void {
  const prompts = draft.number("rollout.batch_size", 1024);
  const groupSize = draft.number("rollout.n_samples_per_prompt", 1);
  const trained = draft.number("train.batch_size", 128);
  draft.set(at("rollout", "promptsPerStep"), prompts);
  draft.set(at("rollout", "groupSize"), groupSize);
  const samples = draft.derive(prompts.value * groupSize.value, `${prompts.value} prompts x ${groupSize.value}`, [
    prompts,
    groupSize,
  ]);
  const updates = quotient(draft, "updates per batch", samples, trained);
  const epochs = draft.number("train.max_epochs", 1);
  draft.set(at("updatesPerBatch"), updates);
  draft.set(at("epochsPerBatch"), epochs);
  const sampling = at("rollout", "sampling");
  draft.set([...sampling, "temperature"], draft.number("rollout.temperature", 1));
  draft.set([...sampling, "topP"], draft.number("rollout.top_p", 1));
  draft.set([...sampling, "maxTokens"], maxTokens);
  putFilter(draft);
  putMismatch(draft);
  const isAsync = draft.boolean("train.async_enable", false);
  if (isAsync.value) {
    draft.set(at("rollout", "prefetch"), { ...isAsync, value: 1 });
    draft.assume("asynchronous training is one rollout batch ahead here (prefetch 1)");
  }
  const steps = stepsOf(null, draft.number("train.num_episodes", 1), prompts, draft, options);
  draft.set(at("steps"), steps);
  putOptimizer(draft, steps.value * updates.value * epochs.value);
  const save = draft.number("ckpt.save_steps", -1);
  if (save.value > 0) draft.set(at("checkpoint", "everySteps"), save);
  const keep = draft.optionalNumber("ckpt.max_num");
  if (keep !== null) draft.set(at("checkpoint", "keep"), keep);
}

/** A prompt stays there while its mean reward is inside a range; here, while rewards differ: the same for rewards of 0 and 1. */
function putFilter(draft: Draft): void {
  const isOn = draft.boolean("algo.dynamic_filtering_enable", false);
  const range = pairOf(draft.optional("algo.dynamic_filtering_range"));
  if (!isOn.value) return;
  draft.set(at("rollout", "dynamicSampling", "maxBatches"), assumption(1000, "there is no limit there"));
  const [low, high] = range?.value ?? [0, 1];
  if (low === 0 && high === 1)
    draft.assume(
      "dynamic filtering keeps prompts with a mean reward inside (0, 1) there, with rewards that differ here: the same for rewards of 0 and 1",
    );
  else
    draft.cannot(
      { key: "algo.dynamic_filtering_range", value: [low, high], place: range?.origin ?? "" },
      "groups here stay while their rewards differ, whatever their mean",
    );
}

/** Above every ratio: its logarithm is held at 20. */
const NO_CAP = 5e8;

/** tis clamps both sides, icepop drops what is outside, seq-mask-tis drops answers by their geometric mean and weighs tokens without a cap. */
function putMismatch(draft: Draft): void {
  const isOn = draft.boolean("algo.advantage.is_correction_enable", false);
  const type = draft.text("algo.advantage.is_correction_type", "tis");
  const given = draft.optional("algo.advantage.is_correction_threshold");
  const icepop = draft.optional("use_icepop");
  if (!isOn.value) return;
  const pair = pairOf(given) ?? byDefault([0.5, 5] as const, "OpenRLHF", "algo.advantage.is_correction_threshold");
  const [low, high] = typeof given?.value === "number" ? [0, given.value] : pair.value;
  const kind = icepop?.value === true ? "icepop" : type.value;
  const from = draft.derive(null, "", [isOn, given === null ? pair : given]);
  if (draft.text("actor.policy_loss_type", "ppo").value === "gspo") {
    draft.cannot(
      { key: "algo.advantage.is_correction_enable", value: true, place: isOn.origin },
      "with gspo, the ratio is to the server's log-probabilities there; here it stays to the trainer's own",
    );
    return;
  }
  if (kind === "icepop") putCorrections(draft, [{ rule: { type: "token-mask", low, high }, from }]);
  else if (kind === "tis") putCorrections(draft, [{ rule: { type: "tis", cap: high, floor: low }, from }]);
  else if (kind === "seq-mask-tis") {
    const filter = { rule: { type: "geometric-mask", low, high }, from };
    putCorrections(draft, [{ rule: { type: "tis", cap: NO_CAP }, from: type }, filter]);
  } else
    draft.cannot(
      { key: "algo.advantage.is_correction_type", value: kind, place: type.origin },
      "an unknown correction",
    );
}

function putOptimizer(draft: Draft, totalUpdates: number): void {
  draft.set(at("optimizer", "learningRate"), draft.number("actor.adam.lr", 1e-6));
  const name = draft.text("actor.lr_scheduler", "cosine_with_min_lr");
  const { hasWarmup } = putSchedule(draft, name, "actor.lr_scheduler");
  const minRatio = draft.number("actor.min_lr_ratio", 0.1);
  if (name.value === "cosine_with_min_lr") draft.set(at("optimizer", "minLearningRateRatio"), minRatio);
  const warmup = draft.number("actor.lr_warmup_ratio", 0.03);
  if (hasWarmup) {
    const steps = Math.ceil(warmup.value * totalUpdates);
    draft.set(
      at("optimizer", "warmupSteps"),
      draft.derive(steps, `${warmup.value} x ${totalUpdates} optimizer steps`, [warmup]),
    );
  }
  const betas =
    pairOf(draft.optional("actor.adam.betas")) ?? byDefault([0.9, 0.95] as const, "OpenRLHF", "actor.adam.betas");
  draft.set(at("optimizer", "beta1"), { ...betas, value: betas.value[0] });
  draft.set(at("optimizer", "beta2"), { ...betas, value: betas.value[1] });
  draft.set(at("optimizer", "eps"), draft.number("actor.adam.eps", 1e-8));
  draft.set(at("optimizer", "weightDecay"), draft.number("actor.adam.weight_decay", 0));
  draft.set(at("optimizer", "maxGradNorm"), draft.number("actor.max_norm", 1));
}

function putEvaluation(draft: Draft): void {
  const source = draft.optionalText("eval.dataset");
  const every = draft.number("eval.steps", -1);
  const samples = draft.number("eval.n_samples_per_prompt", 4);
  const temperature = draft.number("eval.temperature", 0.6);
  const split = draft.says("eval.split") ? draft.text("eval.split", "train") : undefined;
  if (source === null || every.value <= 0) return;
  draft.set(at("eval", "everySteps"), every);
  const columns = {
    question: draft.text("data.input_key", "input"),
    answer: draft.optionalText("data.label_key") ?? assumption("label", "the command does not say data.label_key"),
    split,
  };
  putData(draft, at("eval", "data"), source, columns);
  draft.set(at("eval", "numSamples"), samples);
  draft.set(at("eval", "sampling", "temperature"), temperature);
}
