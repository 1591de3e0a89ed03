/**
 * The checks that no single key can make: combinations that would fail late, or train something else than was meant. They run on
 * whatever parts of a recipe could be parsed, so that all problems appear in one round.
 */
import { messageOf } from "../errors.ts";
import { checkGroupSize, createObjective } from "../objectives/create.ts";
import { checkCorrection } from "../objectives/terms/off-policy.ts";
import { rewardLabel } from "../reward/reward.ts";
import type { ShadowSpec } from "./audit-schema.ts";
import { checkCritic } from "./check-critic.ts";
import { checkSampling } from "./check-sampling.ts";
import { type ModelSpec, model, type ServerSpec, server } from "./model-schema.ts";
import { nearest } from "./nearest.ts";
import type { Problem } from "./problems.ts";
import {
  type EvalStage,
  type RewardSpec,
  type RewardsSpec,
  type RlStage,
  type SftStage,
  type Stage,
  stage,
} from "./schema.ts";
import type { Path } from "./source.ts";

/** `value` is a recipe as written, with its stages in a list. What is valid and doubtful is for lint.ts. */
export function checkRecipe(value: Readonly<Record<string, unknown>>): readonly Problem[] {
  const report = new Report();
  const parsedModel = model.safeParse(value["model"]);
  const parsedServer = server.prefault({ type: "embedded" }).safeParse(value["server"]);
  if (parsedModel.success) checkModel(parsedModel.data, report);
  const stages = Array.isArray(value["stages"]) ? value["stages"].map((raw) => stage.safeParse(raw).data) : [];
  checkLineage(stages, report);
  const trainsOnSamples = stages.some((parsed) => parsed?.type === "rl");
  if (parsedModel.success && parsedServer.success && trainsOnSamples)
    checkPublishing(parsedModel.data, parsedServer.data, report);
  if (parsedServer.success) checkAdapterBase(stages, parsedServer.data, report);
  stages.forEach((parsed, i) => {
    if (parsed?.type === "rl") {
      checkRl(parsed, ["stages", i], report);
      if (parsedServer.success) checkPrefetch(parsed, parsedServer.data, ["stages", i, "rollout", "prefetch"], report);
    }
    if (parsed?.type === "sft") checkSft(parsed, ["stages", i], report);
    if (parsed?.type === "eval") checkEval(parsed, ["stages", i], report);
  });
  return report.problems;
}

class Report {
  readonly problems: Problem[] = [];

  problem(path: Path, message: string, part: Problem["part"] = "value"): void {
    this.problems.push({ path, part, message });
  }
}

function checkModel({ path, init, tokenizer, lora }: ModelSpec, report: Report): void {
  const at: Path = ["model"];
  if ((path === undefined) === (init === undefined)) {
    const came = path === undefined ? "got neither" : "got both";
    report.problem(at, `expected either path (a Hugging Face folder) or init (random weights), ${came}`, "key");
  }
  if (path !== undefined || init === undefined) {
    if (init === undefined && typeof tokenizer === "object") {
      report.problem(
        [...at, "tokenizer"],
        "expected a folder: a character tokenizer fits only a model that starts from random weights (init)",
      );
    }
    return;
  }
  if (tokenizer === undefined) {
    report.problem(
      at,
      "expected tokenizer: a model that starts from random weights has no folder to take one from; give characters, or a folder with tokenizer.json",
      "key",
    );
  }
  if (lora !== undefined) {
    report.problem(
      [...at, "lora"],
      "expected path: an adapter on random weights cannot learn; train all weights instead",
    );
  }
  const { hiddenSize, numAttentionHeads, numKeyValueHeads = numAttentionHeads, headDim } = init;
  if (headDim === undefined && hiddenSize % numAttentionHeads !== 0) {
    report.problem(
      [...at, "init", "hiddenSize"],
      `expected a multiple of numAttentionHeads ${numAttentionHeads}, or headDim beside it, got ${hiddenSize}`,
    );
  }
  if (numAttentionHeads % numKeyValueHeads !== 0) {
    report.problem(
      [...at, "init", "numKeyValueHeads"],
      `expected a divisor of numAttentionHeads ${numAttentionHeads}, got ${numKeyValueHeads}`,
    );
  }
}

/** An adapter is published as an adapter, whole weights as whole weights. */
function checkPublishing({ lora }: ModelSpec, spec: ServerSpec, report: Report): void {
  if (spec.type !== "vllm" || (spec.publish.method === "lora") === (lora !== undefined)) return;
  report.problem(
    ["server", "publish", "method"],
    `expected ${lora === undefined ? "disk, since model.lora is not given" : "lora, since model.lora is given"}, got ${spec.publish.method}`,
  );
}

/** The server adds adapters to the model it was started with, so no stage may start from what another trained. */
function checkAdapterBase(stages: readonly (Stage | undefined)[], spec: ServerSpec, report: Report): void {
  if (spec.type !== "vllm" || spec.publish.method !== "lora") return;
  const firstTrained = stages.findIndex((parsed) => parsed !== undefined && parsed.type !== "eval");
  stages.forEach((parsed, i) => {
    if (parsed === undefined || parsed.from === "base" || firstTrained < 0 || i <= firstTrained) return;
    report.problem(
      ["stages", i, "from"],
      "expected base: the server adds adapters to the model it was started with, not to what an earlier stage trained",
      "key",
    );
  });
}

function checkPrefetch({ rollout: { prefetch } }: RlStage, spec: ServerSpec, at: Path, report: Report): void {
  if (prefetch === 0 || spec.type !== "embedded") return;
  report.problem(
    at,
    "expected 0 with the embedded server, which samples from the very weights that train; prefetch needs a server of its own (type: vllm)",
  );
}

/** Names are different, and `from` names an earlier stage that trains. */
function checkLineage(stages: readonly (Stage | undefined)[], report: Report): void {
  const earlier: { name: string; trains: boolean }[] = [];
  stages.forEach((current, i) => {
    if (current === undefined) return;
    const name = current.name ?? current.type;
    const at: Path = ["stages", i];
    if (earlier.some((other) => other.name === name)) {
      report.problem([...at, "name"], `expected a name of its own: an earlier stage is called ${name} too`);
    }
    const { from } = current;
    if (from !== undefined && from !== "base" && !earlier.some((other) => other.name === from && other.trains)) {
      const names = ["base", ...earlier.filter(({ trains }) => trains).map((other) => other.name)];
      const meant = nearest(from, names);
      report.problem(
        [...at, "from"],
        `expected an earlier stage that trains, or base (${names.join(", ")}), got ${from}${meant === null ? "" : `; did you mean ${meant}?`}`,
      );
    }
    earlier.push({ name, trains: current.type !== "eval" });
  });
}

function checkRl(rl: RlStage, at: Path, report: Report): void {
  const { rollout, algorithm, updatesPerBatch, rewards } = rl;
  const { promptsPerStep, groupSize, dynamicSampling, sampling } = rollout;
  try {
    checkGroupSize(algorithm, groupSize);
  } catch (error) {
    report.problem([...at, "rollout", "groupSize"], messageOf(error));
  }
  try {
    checkCorrection(createObjective(algorithm), rollout.correction);
  } catch (error) {
    report.problem([...at, "rollout", "correction"], messageOf(error));
  }
  if (dynamicSampling !== undefined && groupSize === 1) {
    report.problem(
      [...at, "rollout", "dynamicSampling"],
      "expected groupSize of at least 2: the rewards of a group of one never differ",
    );
  }
  const numSamples = promptsPerStep * groupSize;
  if (numSamples % updatesPerBatch !== 0) {
    report.problem(
      [...at, "updatesPerBatch"],
      `expected a divisor of the ${numSamples} completions of a step (${promptsPerStep} prompts x ${groupSize}), got ${updatesPerBatch}`,
    );
  }
  checkTokens(sampling, [...at, "rollout", "sampling"], report);
  checkMetric(dynamicSampling?.metric, rewards, [...at, "rollout", "dynamicSampling", "metric"], report);
  checkMetric(rollout.prompts?.metric, rewards, [...at, "rollout", "prompts", "metric"], report);
  checkSampling(rl, at, report);
  checkCritic(rl, at, report);
  checkRewards(rewards, [...at, "rewards"], report);
  checkMetric(rl.audit.primary, rewards, [...at, "audit", "primary"], report);
  checkLabels(rl.audit.shadow.map(labelOf), [...at, "audit", "shadow"], report);
  if (rl.eval !== undefined) {
    checkMetric(rl.eval.metric, rl.eval.rewards ?? rewards, [...at, "eval", "metric"], report);
    if (rl.eval.rewards !== undefined) checkRewards(rl.eval.rewards, [...at, "eval", "rewards"], report);
  }
  if (sampling.temperature === 0) {
    report.problem(
      [...at, "rollout", "sampling", "temperature"],
      "expected more than 0 for training: greedy completions of one prompt are all the same",
    );
  }
}

function checkSft({ steps, epochs }: SftStage, at: Path, report: Report): void {
  if ((steps === undefined) === (epochs === undefined)) {
    report.problem(at, `expected either steps or epochs, got ${steps === undefined ? "neither" : "both"}`);
  }
}

function checkEval({ metric, rewards, sampling }: EvalStage, at: Path, report: Report): void {
  checkMetric(metric, rewards, [...at, "metric"], report);
  checkRewards(rewards, [...at, "rewards"], report);
  checkTokens(sampling, [...at, "sampling"], report);
}

function checkTokens(
  { minTokens, maxTokens }: { minTokens: number; maxTokens: number },
  at: Path,
  report: Report,
): void {
  if (minTokens > maxTokens)
    report.problem([...at, "minTokens"], `expected at most maxTokens ${maxTokens}, got ${minTokens}`);
}

function checkMetric(metric: string | undefined, rewards: RewardsSpec, at: Path, report: Report): void {
  const labels = labelsOf(rewards);
  if (metric === undefined || labels.includes(metric)) return;
  const meant = nearest(metric, labels);
  report.problem(
    at,
    `expected the name of a reward of this stage (${labels.join(", ")}), got ${metric}${meant === null ? "" : `; did you mean ${meant}?`}`,
  );
}

function checkRewards(rewards: RewardsSpec, at: Path, report: Report): void {
  checkLabels(labelsOf(rewards), [...at, "functions"], report);
}

function checkLabels(labels: readonly string[], at: Path, report: Report): void {
  labels.forEach((label, i) => {
    if (labels.indexOf(label) !== i)
      report.problem([...at, i], `expected rewards with different names, got ${label} twice; name one with \`as\``);
  });
}

function labelsOf({ functions }: RewardsSpec): string[] {
  return functions.map(labelOf);
}

function labelOf(spec: RewardSpec | ShadowSpec): string {
  return typeof spec === "string" ? spec : rewardLabel(spec);
}
