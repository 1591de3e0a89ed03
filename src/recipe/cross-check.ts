/** Checks between fields, which a schema cannot make: contradictions are errors, known traps are warnings. */

import { messageOf } from "../errors.ts";
import { checkGroupSize } from "../objectives/create.ts";
import type { Recipe, RlStage, SftStage, Stage } from "./schema.ts";

export interface Problem {
  readonly severity: "error" | "warning";
  readonly path: readonly (string | number)[];
  /** What was expected, what came, what to do. */
  readonly message: string;
}

export function crossCheck(recipe: Recipe): Problem[] {
  return [
    ...checkModel(recipe),
    ...checkStageNames(recipe.stages),
    ...recipe.stages.flatMap((stage, i) => checkStage(recipe, stage, ["stages", i])),
  ];
}

function error(path: Problem["path"], message: string): Problem {
  return { severity: "error", path, message };
}

function warning(path: Problem["path"], message: string): Problem {
  return { severity: "warning", path, message };
}

function checkModel({ model }: Recipe): Problem[] {
  const problems: Problem[] = [];
  if ((model.path === undefined) === (model.init === undefined)) {
    problems.push(
      error(["model"], `expected either path or init, got ${model.path === undefined ? "neither" : "both"}.`),
    );
  }
  if (model.init !== undefined) {
    const { hiddenSize, numAttentionHeads, numKeyValueHeads = numAttentionHeads, headDim } = model.init;
    if (headDim === undefined && hiddenSize % numAttentionHeads !== 0) {
      problems.push(
        error(
          ["model", "init"],
          `expected hiddenSize to be a multiple of numAttentionHeads, got ${hiddenSize} and ${numAttentionHeads}; or give headDim.`,
        ),
      );
    }
    if (numAttentionHeads % numKeyValueHeads !== 0) {
      problems.push(
        error(
          ["model", "init"],
          `expected numAttentionHeads to be a multiple of numKeyValueHeads, got ${numAttentionHeads} and ${numKeyValueHeads}.`,
        ),
      );
    }
    if (model.tokenizer === undefined)
      problems.push(error(["model"], "expected a tokenizer beside init: a folder, or characters."));
    if (model.lora !== undefined)
      problems.push(
        error(["model", "lora"], "an adapter on random weights cannot learn; train all weights, or give a path."),
      );
  }
  return problems;
}

function checkStageNames(stages: readonly Stage[]): Problem[] {
  const names = stages.map((stage) => stage.name ?? stage.type);
  return stages.flatMap((stage, i) => {
    const problems: Problem[] = [];
    if (names.indexOf(names[i]!) !== i)
      problems.push(
        error(["stages", i], `expected stages with different names, got "${names[i]}" twice; give one of them a name.`),
      );
    if (stage.from !== undefined && stage.from !== "base" && !names.slice(0, i).includes(stage.from)) {
      problems.push(
        error(
          ["stages", i, "from"],
          `expected base or an earlier stage (${names.slice(0, i).join(", ") || "there is none"}), got "${stage.from}".`,
        ),
      );
    }
    return problems;
  });
}

function checkStage(recipe: Recipe, stage: Stage, path: Problem["path"]): Problem[] {
  switch (stage.type) {
    case "rl":
      return checkRl(recipe, stage, path);
    case "sft":
      return checkSft(stage, path);
    case "eval":
      return [];
    default:
      return stage satisfies never;
  }
}

function checkSft({ steps, epochs }: SftStage, path: Problem["path"]): Problem[] {
  if ((steps === undefined) !== (epochs === undefined)) return [];
  return [error(path, `expected either steps or epochs, got ${steps === undefined ? "neither" : "both"}.`)];
}

function checkRl({ server, model }: Recipe, stage: RlStage, path: Problem["path"]): Problem[] {
  const problems: Problem[] = [];
  const { promptsPerStep, groupSize, sampling, prefetch, dynamicSampling } = stage.rollout;
  try {
    checkGroupSize(stage.algorithm.type, groupSize);
  } catch (cause) {
    problems.push(error([...path, "rollout", "groupSize"], messageOf(cause)));
  }
  const numSequences = promptsPerStep * groupSize;
  if (numSequences % stage.updatesPerBatch !== 0) {
    problems.push(
      error(
        [...path, "updatesPerBatch"],
        `expected a divisor of the ${numSequences} completions of a step (promptsPerStep x groupSize), got ${stage.updatesPerBatch}.`,
      ),
    );
  }
  if (server.type === "embedded" && prefetch === 1) {
    problems.push(
      error(
        [...path, "rollout", "prefetch"],
        "the embedded server samples from the weights that train; prefetch needs a server of its own (type: vllm).",
      ),
    );
  }
  if (server.type === "embedded" && sampling.temperature === 0 && groupSize > 1) {
    problems.push(
      error(
        [...path, "rollout", "sampling", "temperature"],
        "greedy completions of one prompt are all equal, so every advantage is 0; use 1.",
      ),
    );
  }
  if (server.type === "vllm" && (server.publish.method === "lora") !== (model.lora !== undefined)) {
    problems.push(
      error(
        ["server", "publish", "method"],
        `expected lora exactly when model.lora is given, got ${server.publish.method}.`,
      ),
    );
  }
  if (sampling.topP < 1 || sampling.topK > 0 || sampling.minP > 0) {
    problems.push(
      warning(
        [...path, "rollout", "sampling"],
        "topP, topK and minP sample from a part of the distribution that the trainer scores as a whole: ratios are biased. Leave them off for training.",
      ),
    );
  }
  if (stage.epochsPerBatch * stage.updatesPerBatch > 1 && stage.algorithm.type === "reinforce") {
    problems.push(
      warning(
        [...path, "updatesPerBatch"],
        "reinforce has no clip: with several updates per batch nothing bounds the policy's drift.",
      ),
    );
  }
  if (dynamicSampling !== undefined && sampling.maxTokens < 8) {
    problems.push(
      warning(
        [...path, "rollout", "sampling", "maxTokens"],
        "very short completions rarely differ; dynamic sampling may starve.",
      ),
    );
  }
  return problems;
}
