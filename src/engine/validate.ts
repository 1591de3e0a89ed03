/** Arguments of engine calls, checked before anything crosses to native code: each fault gets one sentence that names its place. */
import type { Example, Sequence, SequenceLoss } from "../types.ts";
import { type AdamParams, EngineError, type ForwardOptions, type ModelShape, type SampleRequest } from "./engine.ts";

/** What an engine was opened with, as far as calls depend on it. */
export interface Capabilities {
  readonly model: ModelShape;
  readonly reference: boolean;
  readonly valueHead: boolean;
}

export function checkSequences(sequences: readonly Sequence[], { model }: Capabilities): void {
  sequences.forEach((sequence, s) => {
    const { tokenIds, lossMask } = sequence;
    const length = tokenIds.length;
    if (length === 0) refuse(`sequence ${s} to have at least one token, got none`);
    if (length > model.maxPositionEmbeddings) {
      refuse(
        `sequence ${s} to have at most ${model.maxPositionEmbeddings} tokens (max_position_embeddings), got ${length}`,
      );
    }
    if (lossMask.length !== length)
      refuse(`lossMask of sequence ${s} to have ${length} entries, got ${lossMask.length}`);
    if (lossMask[0] !== 0) refuse(`position 0 of sequence ${s} to be untrained: nothing comes before it`);
    const strangeMask = lossMask.findIndex((entry) => entry > 1);
    if (strangeMask >= 0)
      refuse(`lossMask[${strangeMask}] of sequence ${s} to be 0 or 1, got ${lossMask[strangeMask]}`);
    checkTokens(tokenIds, `sequence ${s}`, model);
  });
}

export function checkForwardOptions(options: ForwardOptions, { reference, valueHead }: Capabilities): void {
  const { weights = "policy", values = false, temperature = 1 } = options;
  if (weights === "reference" && !reference) refuse("an engine opened with `reference` for weights: reference");
  if (values && !valueHead) refuse("an engine opened with `valueHead` for values");
  if (!(temperature > 0 && temperature < Infinity)) refuse(`temperature to be a positive number, got ${temperature}`);
}

export function checkTrainOptions(options: ForwardOptions, capabilities: Capabilities): void {
  checkForwardOptions(options, capabilities);
  if (options.weights === "reference") refuse("the policy's weights in forwardBackward: the reference is frozen");
}

export function checkLoss(
  { gradient }: SequenceLoss,
  { sequence }: Example,
  index: number,
  options: ForwardOptions,
): void {
  const length = sequence.tokenIds.length;
  for (const key of ["dLogprobs", "dEntropies", "dValues"] as const) {
    const array = gradient[key];
    if (array && array.length !== length)
      refuse(`${key} of example ${index} to have ${length} entries, got ${array.length}`);
  }
  if (gradient.dEntropies && !options.entropies)
    refuse(`forwardBackward with entropies: true, since the loss of example ${index} has dEntropies`);
  if (gradient.dValues && !options.values)
    refuse(`forwardBackward with values: true, since the loss of example ${index} has dValues`);
}

export function checkAdam(adam: AdamParams): void {
  const rules: readonly [keyof AdamParams, (value: number) => boolean, string][] = [
    ["learningRate", (value) => value >= 0 && value < Infinity, "a finite number from 0 up"],
    ["beta1", (value) => value >= 0 && value < 1, "from 0 up and below 1"],
    ["beta2", (value) => value >= 0 && value < 1, "from 0 up and below 1"],
    ["eps", (value) => value > 0 && value < Infinity, "a positive number"],
    ["weightDecay", (value) => value >= 0 && value < Infinity, "a finite number from 0 up"],
    ["maxGradNorm", (value) => value > 0, "a positive number or Infinity"],
    ["valueLearningRate", (value) => value >= 0 && value < Infinity, "a finite number from 0 up"],
  ];
  for (const [name, holds, expected] of rules) {
    const value = adam[name];
    if (value === undefined && name === "valueLearningRate") continue;
    if (typeof value !== "number" || !holds(value)) refuse(`${name} to be ${expected}, got ${value}`);
  }
}

export function checkSampleRequests(requests: readonly SampleRequest[], { model }: Capabilities): void {
  requests.forEach(({ promptTokenIds, seed, params }, r) => {
    const at = `of request ${r}`;
    if (promptTokenIds.length === 0) refuse(`the prompt ${at} to have at least one token, got none`);
    checkTokens(promptTokenIds, `the prompt ${at}`, model);
    checkTokens(params.stopTokenIds, `stopTokenIds ${at}`, model);
    if (!Number.isSafeInteger(seed) || seed < 0) refuse(`seed ${at} to be an integer from 0 to 2^53 - 1, got ${seed}`);
    if (!(params.temperature >= 0 && params.temperature < Infinity))
      refuse(`temperature ${at} to be 0 or a positive number, got ${params.temperature}`);
    if (!(params.topP > 0 && params.topP <= 1)) refuse(`topP ${at} to be above 0 and at most 1, got ${params.topP}`);
    if (!(params.minP >= 0 && params.minP <= 1)) refuse(`minP ${at} to be from 0 to 1, got ${params.minP}`);
    if (!Number.isInteger(params.topK) || params.topK < 0)
      refuse(`topK ${at} to be an integer from 0 up, got ${params.topK}`);
    const { maxTokens, minTokens = 0 } = params;
    if (!Number.isInteger(maxTokens) || maxTokens < 1)
      refuse(`maxTokens ${at} to be an integer from 1 up, got ${maxTokens}`);
    if (!Number.isInteger(minTokens) || minTokens < 0 || minTokens > maxTokens) {
      refuse(`minTokens ${at} to be an integer from 0 to maxTokens (${maxTokens}), got ${minTokens}`);
    }
    if (promptTokenIds.length + maxTokens > model.maxPositionEmbeddings) {
      refuse(
        `prompt and maxTokens ${at} to fit into ${model.maxPositionEmbeddings} positions (max_position_embeddings), got ${promptTokenIds.length} + ${maxTokens}`,
      );
    }
  });
}

function checkTokens(tokenIds: readonly number[] | Int32Array, where: string, { vocabSize }: ModelShape): void {
  for (let t = 0; t < tokenIds.length; t++) {
    const id = tokenIds[t]!;
    if (!Number.isInteger(id) || id < 0 || id >= vocabSize) {
      refuse(`token ids from 0 to ${vocabSize - 1} (vocab_size), got ${id} at position ${t} of ${where}`);
    }
  }
}

function refuse(expected: string): never {
  throw new EngineError("badArgument", `Expected ${expected}.`);
}
