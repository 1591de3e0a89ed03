/**
 * What a stage minimises, term by term: the objective's own formula, and what the stage does around it, with the recipe's numbers
 * filled in; and every option that the loss depends on, with the line that set it.
 */
import { createObjective } from "../objectives/create.ts";
import type { Formula } from "../objectives/objective.ts";
import type { Correction } from "../objectives/terms/off-policy.ts";
import type { OptimizerSpec, RlStage } from "../recipe/schema.ts";
import type { Path } from "../recipe/source.ts";
import { rewardLabel } from "../reward/reward.ts";

/** One option of the stage that the loss depends on. */
export interface SetOption {
  /** Inside the stage, e.g. "algorithm.clipHigh". */
  readonly path: string;
  readonly value: unknown;
  /** "quickstart.yaml:63:18", or the --set; null for a default. */
  readonly place: string | null;
}

export interface Explained {
  readonly type: string;
  /** Of the objective, in its own order: rewards, advantages, token terms, sum. */
  readonly objective: readonly Formula[];
  /** Of the stage around it: what is sampled, weighted and left out, which policies are compared, and how the weights move. */
  readonly stage: readonly Formula[];
  readonly options: readonly SetOption[];
}

/** `at` is the stage's path in the recipe, and `placeOf` says where a value is written. */
export function explainStage(stage: RlStage, at: Path, placeOf: (path: Path) => string | null): Explained {
  const objective = createObjective(stage.algorithm);
  return {
    type: objective.name,
    objective: objective.formula,
    stage: [
      rewardTerm(stage),
      ...samplingTerms(stage),
      weightTerm(stage),
      ...policyTerms(stage, objective.needs.includes("refLogprobs")),
      updateTerm(stage),
      ...optimizerTerms(stage.optimizer),
    ],
    options: optionsOf(stage, at, placeOf),
  };
}

function rewardTerm({ rewards: { functions } }: RlStage): Formula {
  const parts = functions
    .map((spec) => (typeof spec === "string" ? { label: spec, weight: 1 } : { ...spec, label: rewardLabel(spec) }))
    .filter(({ weight }) => weight !== 0)
    .map(({ label, weight }) => (weight === 1 ? label : `${weight} ${label}`));
  return { symbol: "reward_i", expression: parts.join(" + "), source: "rewards.functions" };
}

function samplingTerms({ rollout }: RlStage): Formula[] {
  const { dynamicSampling, maskTruncated, sampling, promptsPerStep, groupSize, contextSchedule } = rollout;
  const largest = contextSchedule?.at(-1)?.maxTokens;
  const grows = largest === undefined ? "" : `, growing to ${largest}`;
  const terms: Formula[] = [
    {
      symbol: "i",
      expression: `${promptsPerStep} prompts x ${groupSize} completions of at most ${sampling.maxTokens} tokens${grows}`,
      source: "rollout",
    },
  ];
  if (dynamicSampling !== undefined) {
    const metric = dynamicSampling.metric ?? "the total reward";
    terms.push({
      symbol: "",
      expression: `only groups in which ${metric} differs; sampled until the batch is full`,
      source: "dynamic sampling: DAPO, arXiv 2503.14476, section 3.2",
    });
  }
  if (maskTruncated) {
    terms.push({
      symbol: "",
      expression:
        "completions that were cut off are left out, and do not count in S and N; their rewards stay in mean(R)",
      source: "overlong filtering: DAPO, arXiv 2503.14476, section 3.4",
    });
  }
  return terms;
}

function weightTerm({ rollout: { correction } }: RlStage): Formula {
  if (correction === undefined)
    return { symbol: "w_t", expression: "1", source: "no off-policy correction (rollout.correction)" };
  const list = "type" in correction ? [correction] : correction;
  const terms = list.map(correctionTerm);
  return {
    symbol: "w_t",
    expression: `${terms.map(({ expression }) => expression).join(" times ")}, with rho_t = exp(old_t - sampling_t)`,
    source: terms.map(({ source }) => source).join("; "),
  };
}

/** As terms/off-policy.ts computes it. */
function correctionTerm(correction: Correction): { expression: string; source: string } {
  const { type } = correction;
  switch (type) {
    case "tis":
      return {
        expression:
          correction.floor === 0
            ? `min(rho_t, ${correction.cap})`
            : `clip(rho_t, ${correction.floor}, ${correction.cap})`,
        source: "truncated importance sampling: Yao et al. (2025)",
      };
    case "token-mask":
      return { expression: `(rho_t inside [${correction.low}, ${correction.high}], else 0)`, source: "IcePop" };
    case "sequence-tis":
      return {
        expression: `clip(prod_t rho_t, ${correction.floor}, ${correction.cap})`,
        source: "verl, rollout_is: sequence",
      };
    case "sequence-mask":
      return {
        expression: `(prod_t rho_t inside [${correction.floor}, ${correction.cap}], else 0)`,
        source: "TRL, sequence_mask",
      };
    case "geometric-mask":
      return {
        expression: `(1 where the geometric mean of rho_t is inside [${correction.low}, ${correction.high}], else 0)`,
        source: "SkyRL; verl",
      };
    case "off-policy-mask":
      return {
        expression: `(0 where A < 0 and mean_t(-log rho_t) > ${correction.delta}, else 1)`,
        source: "TRL, off_policy_mask_threshold",
      };
    default:
      throw new Error(`unknown correction ${type satisfies never}`);
  }
}

function policyTerms(stage: RlStage, hasReference: boolean): Formula[] {
  const { rollout, updatesPerBatch, epochsPerBatch, refreshReferenceEverySteps, critic } = stage;
  const { temperature } = rollout.sampling;
  const at = temperature === 1 || temperature === 0 ? "" : ` at temperature ${temperature}`;
  const numUpdates = updatesPerBatch * epochsPerBatch;
  const old =
    numUpdates === 1
      ? "logp_t itself, held constant: every ratio is 1 in value"
      : `logp_t before the first of the ${numUpdates} updates of a batch`;
  const terms: Formula[] = [
    {
      symbol: "logp_t",
      expression: `log-probability of token t${at}, by the policy`,
      source: "the trainer, not the server",
    },
    { symbol: "old_t", expression: old, source: "updatesPerBatch, epochsPerBatch" },
  ];
  if (hasReference) {
    const refreshed =
      refreshReferenceEverySteps === undefined ? "frozen" : `renewed every ${refreshReferenceEverySteps} steps`;
    terms.push({
      symbol: "ref_t",
      expression: `log-probability by the policy that the stage started from, ${refreshed}`,
      source: "refreshReferenceEverySteps",
    });
  }
  if (critic !== undefined) {
    const whose = critic.weights === "own" ? "by a critic of its own" : "by a head on the policy";
    terms.push({ symbol: "V_t", expression: `value before token t, in units of reward, ${whose}`, source: "critic" });
  }
  return terms;
}

function updateTerm({ rollout, updatesPerBatch, epochsPerBatch }: RlStage): Formula {
  const numCompletions = rollout.promptsPerStep * rollout.groupSize;
  const perUpdate = numCompletions / updatesPerBatch;
  const epochs = epochsPerBatch === 1 ? "" : ` x ${epochsPerBatch} epochs`;
  const order = updatesPerBatch === 1 ? "" : ", drawn at random";
  return {
    symbol: "S, N",
    expression: `completions and tokens of one update; ${updatesPerBatch}${epochs} a batch, of ${perUpdate} completions each${order}`,
    source: "updatesPerBatch, epochsPerBatch",
  };
}

function optimizerTerms(optimizer: OptimizerSpec): Formula[] {
  const { learningRate, schedule, minLearningRateRatio, warmupSteps, beta1, beta2, weightDecay, maxGradNorm } =
    optimizer;
  const to = schedule === "constant" ? "" : `, ${schedule} to ${learningRate * minLearningRateRatio}`;
  const warmup = warmupSteps === 0 ? "" : `, after ${warmupSteps} steps from 0`;
  return [
    {
      symbol: "g",
      expression: `dL/dtheta min(1, ${maxGradNorm} / |dL/dtheta|)`,
      source: "optimizer.maxGradNorm",
    },
    {
      symbol: "theta",
      expression: `AdamW on g: rate ${learningRate}${to}${warmup}; betas ${beta1}, ${beta2}; weight decay ${weightDecay}`,
      source: "Loshchilov and Hutter, arXiv 1711.05101",
    },
  ];
}

/** What stands in the loss, or decides what it sees. */
const OPTIONS = [
  ["algorithm"],
  ["rollout", "promptsPerStep"],
  ["rollout", "groupSize"],
  ["rollout", "sampling", "temperature"],
  ["rollout", "sampling", "maxTokens"],
  ["rollout", "dynamicSampling"],
  ["rollout", "maskTruncated"],
  ["rollout", "correction"],
  ["rollout", "prefetch"],
  ["rollout", "contextSchedule"],
  ["updatesPerBatch"],
  ["epochsPerBatch"],
  ["critic"],
  ["refreshReferenceEverySteps"],
  ["optimizer"],
] as const;

function optionsOf(stage: RlStage, at: Path, placeOf: (path: Path) => string | null): SetOption[] {
  return OPTIONS.flatMap((path) => leavesOf(valueAt(stage, path), path)).map(({ path, value }) => ({
    path: path.join("."),
    value,
    place: placeOf([...at, ...path]),
  }));
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, key) => (isMapping(inner) ? inner[key] : undefined), value);
}

/** Every value under `path` that is not a mapping; what is undefined is not set. */
function leavesOf(value: unknown, path: readonly string[]): { path: readonly string[]; value: unknown }[] {
  if (value === undefined) return [];
  if (!isMapping(value)) return [{ path, value }];
  return Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, [...path, key]));
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
