/** TRL's loss_type, importance_sampling_level and scale_rewards as one objective: there they are chosen apart. */
import { byDefault, certain, type Draft, type Known } from "./draft.ts";
import { at, type Options, putAlgorithm } from "./parts.ts";

/** Aggregations by loss_type. */
const AGGREGATIONS: Readonly<Record<string, string>> = {
  grpo: "seq-mean-token-mean",
  sapo: "seq-mean-token-mean",
  dapo: "token-mean",
  bnpo: "token-mean",
  cispo: "token-mean",
  vespo: "token-mean",
  dr_grpo: "seq-mean-token-sum-norm",
};

/** Types here by loss_type, where the loss is more than an aggregation. */
const TYPES: Readonly<Record<string, string>> = { sapo: "sapo", cispo: "cispo", vespo: "vespo", luspo: "luspo" };

/** Writes the objective; `isMismatch` where the ratio of vespo is to the server. */
export function putTrlObjective(draft: Draft, isMismatch: boolean): void {
  const loss = draft.text("loss_type", "dapo");
  const level = draft.text("importance_sampling_level", "token");
  const scale = draft.optional("scale_rewards") ?? byDefault("group", "TRL", "scale_rewards");
  const stdKinds: Readonly<Record<string, string>> = {
    group: "sample",
    true: "sample",
    batch: "batch",
    none: "none",
    false: "none",
  };
  const std = stdKinds[String(scale.value)];
  const isMaxrl = String(scale.value) === "mean";
  if (isMaxrl) draft.assume("scale_rewards mean is maxrl; what is added to the mean is 1e-6 here");
  if (std === undefined && !isMaxrl)
    draft.cannot(
      { key: "scale_rewards", value: scale.value, place: scale.origin },
      "advantages here are divided by a deviation of the group, of the batch, or not",
    );
  const isSequence = level.value === "sequence" && loss.value !== "luspo";
  // What TRL calls dr_grpo is the aggregation alone: by default it still divides by the deviation.
  const named = loss.value === "dapo" || loss.value === "bnpo" ? loss.value : "grpo";
  const plain = isMaxrl ? "maxrl" : loss.value === "dr_grpo" && std === "none" ? "drgrpo" : named;
  const type = isSequence ? "gspo" : (TYPES[loss.value] ?? plain);
  if (loss.value === "bnpo")
    draft.assume("bnpo divides by the tokens of one device's batch; here, by those of the whole optimizer step");
  const low = draft.number("epsilon", 0.2);
  const high = draft.optionalNumber("epsilon_high") ?? {
    ...low,
    origin: `epsilon_high follows epsilon: ${low.origin}`,
  };
  const delta = draft.optionalNumber("delta");
  const beta = draft.number("beta", 0);
  const decoupled = draft.text("multi_objective_aggregation", "sum_then_normalize");
  const isWeighted = draft.boolean("use_bias_correction_kl", false);
  const aggregation = AGGREGATIONS[loss.value];
  const options: Options = {
    ...(type === "cispo"
      ? cispoClip(high, draft)
      : type === "sapo" || type === "vespo"
        ? {}
        : clipOf(type, low, high, draft)),
    ...ownOptions(type, draft, isMismatch),
    dualClip: delta,
    rewards: decoupled.value === "normalize_then_sum" ? { ...decoupled, value: "decoupled-by-answer" } : null,
    std: std === undefined || type === "drgrpo" ? null : { ...scale, value: std },
    stdEpsilon: type === "drgrpo" || type === "maxrl" ? null : certain(1e-4, "TRL adds 1e-4 to the deviation"),
    "kl.coefficient": beta,
    "kl.estimator": beta.value === 0 ? null : certain("k3", "TRL has this one"),
    "kl.placement": beta.value === 0 ? null : certain("loss", "as there"),
    "kl.gradient": beta.value === 0 || !isWeighted.value ? null : { ...isWeighted, value: "importance" },
    aggregation: aggregation === undefined || type === "sapo" ? null : { ...loss, value: aggregation },
  };
  putAlgorithm(draft, draft.derive(type, "", isSequence ? [loss, level] : [loss]), options);
  draft.refuse({
    top_entropy_quantile: { idle: [1], reason: "no mask of low-entropy tokens here" },
    entropy_coef: { idle: [0], reason: "no entropy bonus here" },
    use_adaptive_entropy: { idle: [false], reason: "no entropy bonus here" },
  });
  putReference(draft);
}

function clipOf(type: string, low: Known<number>, high: Known<number>, draft: Draft): Options {
  if (type === "gspo" && low.kind === "default")
    draft.assume(`gspo with a token's clip range of ${low.value}, TRL's default: the paper's are 3e-4 and 4e-4`);
  return { clipLow: low, clipHigh: high };
}

/** min(r, epsilon_high): the cap itself, not an offset from 1; there is no lower bound. */
function cispoClip(high: Known<number>, draft: Draft): Options {
  const absolute = {
    cap: certain("absolute", "TRL's epsilon_high is the largest ratio itself"),
    clipLow: certain(null, "no lower bound there"),
  };
  if (high.value >= 1) return { ...absolute, clipHigh: high };
  draft.cannot(
    { key: "epsilon_high", value: high.value, place: high.origin },
    "a cap under 1 holds every token's weight down; 5, ScaleRL's, stands in for it",
  );
  return absolute;
}

/** Options of one type alone. */
function ownOptions(type: string, draft: Draft, isMismatch: boolean): Options {
  const sapo = {
    tauPositive: draft.number("sapo_temperature_pos", 1),
    tauNegative: draft.number("sapo_temperature_neg", 1.05),
  };
  const vespo = {
    kPositive: draft.number("vespo_k_pos", 2),
    lambdaPositive: draft.number("vespo_lambda_pos", 3),
    kNegative: draft.number("vespo_k_neg", 3),
    lambdaNegative: draft.number("vespo_lambda_neg", 2),
    mismatch: certain(isMismatch, "TRL multiplies its correction into the answer's ratio"),
  };
  if (type === "sapo") return sapo;
  return type === "vespo" ? vespo : {};
}

function putReference(draft: Draft): void {
  const sync = draft.boolean("sync_ref_model", false);
  const everySteps = draft.number("ref_model_sync_steps", 512);
  const mix = draft.number("ref_model_mixup_alpha", 0.6);
  if (!sync.value) return;
  if (mix.value === 1) draft.set(at("refreshReferenceEverySteps"), everySteps);
  else
    draft.cannot(
      { key: "ref_model_mixup_alpha", value: mix.value, place: mix.origin },
      "the reference is replaced here, never mixed: refreshReferenceEverySteps",
    );
}
