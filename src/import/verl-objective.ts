/** verl's estimator, loss and KL as one objective: there they are three settings, here one type with options. */
import { certain, type Draft, type Known } from "./draft.ts";
import { at, type Options, putAlgorithm, putClippedRloo } from "./parts.ts";

const ACTOR = "actor_rollout_ref.actor";
const ROLLOUT = "actor_rollout_ref.rollout";

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

/** Writes the objective, and what of the three settings has no equal. */
export function putVerlObjective(draft: Draft, maxTokens: Known<number>): void {
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
