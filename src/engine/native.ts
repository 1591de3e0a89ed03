/**
 * The native engine: libtorch behind the verbs of engine.ts, in a process of its own.
 *
 * Sequences are packed here, losses are computed here (they are TypeScript), and everything heavy happens over there. Training
 * calls come one at a time and a second is refused by name; sampling may run beside them and beside itself.
 */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { RecipeError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import { packageRoot } from "../paths.ts";
import { addonPath, demandAddon } from "../setup/stamp.ts";
import type { Example, Sequence, SequenceLoss, TokenOutputs } from "../types.ts";
import {
  type AdamParams,
  type Engine,
  EngineError,
  type EngineInfo,
  type ForwardOptions,
  type LossFunction,
  type OptimStepResult,
  type SampleRequest,
  type SampleResult,
} from "./engine.ts";
import { type ModelFolder, modelFolderOfInit, readModelFolder } from "./model-folder.ts";
import { type LoraOptions, type NativeEngineOptions, nativeOptions } from "./native-options.ts";
import { NativeProcess } from "./native-process.ts";
import { numNeededTokens, packSequences, packTokens, planMicroBatches, unpackOutputs, zeroOutputs } from "./packing.ts";
import type { NativeForwardOptions, NativeInfo, NativeSampleRequest, NativeSampleResult } from "./protocol.ts";
import {
  type Capabilities,
  checkAdam,
  checkForwardOptions,
  checkLoss,
  checkSampleRequests,
  checkSequences,
  checkTrainOptions,
} from "./validate.ts";

export type { LoraOptions, NativeEngineOptions } from "./native-options.ts";

/** The Engine that openNativeEngine gives, with what only it knows. */
export interface NativeEngine extends Engine {
  /** Of the engine process. */
  readonly pid: number | undefined;
  readonly modelFolder: ModelFolder;
  /** The accumulated gradient of one tensor by its checkpoint name, or undefined where there is none. For tests. */
  gradient(name: string): Promise<Float32Array | undefined>;
}

const disposeTimeoutMs = 5_000;

/** Throws RecipeError where the model, the options or the set-up cannot work, EngineError where the engine fails to open. */
export async function openNativeEngine(options: NativeEngineOptions): Promise<NativeEngine> {
  const buildDir = options.buildDir ?? join(packageRoot, "build");
  const modelFolder = await provideModel(options);
  const script = join(packageRoot, "dist", "src", "engine", "native-child.js");
  if (!existsSync(script)) throw new RecipeError(`Expected ${script}, but Grouper is not built. Type: npm run build`);
  const stamp = await demandAddon(buildDir);
  const { maxTokensPerMicroBatch = 16_384 } = options;
  if (!Number.isInteger(maxTokensPerMicroBatch) || maxTokensPerMicroBatch < 1) {
    throw new RecipeError(`Expected maxTokensPerMicroBatch to be a positive integer, got ${maxTokensPerMicroBatch}.`);
  }
  for (let tries = 1; ; tries++) {
    const child = new NativeProcess({
      script,
      addon: addonPath(buildDir),
      callTimeoutMs: options.callTimeoutMs ?? 3_600_000,
      heartbeatTimeoutMs: options.heartbeatTimeoutMs ?? 120_000,
      numThreads: options.numThreads ?? 0,
    });
    try {
      const info = await child.call("open", nativeOptions(options, modelFolder.config));
      // The engine knows its release, the stamp also the build, e.g. +cpu.
      const torchVersion = stamp.libtorch.version;
      return new ChildEngine({ child, info: { ...info, torchVersion }, modelFolder, options, maxTokensPerMicroBatch });
    } catch (error) {
      // Ctrl-C just as the process is born reaches it before it has a group of its own; it was meant for us.
      const wasMeantForUs = child.endedBy === "SIGINT";
      await child.end(new EngineError("disposed", "The engine could not be opened."));
      if (!wasMeantForUs || tries === 2) throw ofRole(error, options.role);
    }
  }
}

async function provideModel({ modelDir, init }: NativeEngineOptions): Promise<ModelFolder> {
  if (modelDir !== undefined && init === undefined) return await readModelFolder(modelDir);
  if (init !== undefined && modelDir === undefined) return modelFolderOfInit(init);
  throw new RecipeError("Expected either a model folder or an init configuration for the native engine.");
}

interface Parts {
  readonly child: NativeProcess;
  readonly info: NativeInfo;
  readonly modelFolder: ModelFolder;
  readonly options: NativeEngineOptions;
  readonly maxTokensPerMicroBatch: number;
}

class ChildEngine implements NativeEngine {
  readonly info: EngineInfo;
  readonly modelFolder: ModelFolder;
  readonly #child: NativeProcess;
  readonly #capabilities: Capabilities;
  readonly #options: NativeEngineOptions;
  readonly #maxTokens: number;
  #policyVersion: number;
  /** The training call that is running. */
  #running: string | null = null;
  #nextSampleId = 1;
  #disposal: Promise<void> | null = null;

  constructor({ child, info, modelFolder, options, maxTokensPerMicroBatch }: Parts) {
    const { modelType, vocabSize, hiddenSize, intermediateSize, numHiddenLayers } = modelFolder.config;
    const { numAttentionHeads, numKeyValueHeads, headDim, maxPositionEmbeddings, tieWordEmbeddings } =
      modelFolder.config;
    this.info = {
      name: "native",
      device: info.device,
      dtype: info.dtype === "bfloat16" ? "bfloat16" : "float32",
      model: {
        modelType,
        vocabSize,
        hiddenSize,
        intermediateSize,
        numHiddenLayers,
        numAttentionHeads,
        numKeyValueHeads,
        headDim,
        maxPositionEmbeddings,
        tieWordEmbeddings,
      },
      numParameters: info.numParameters,
      numTrainableParameters: info.numTrainableParameters,
      torchVersion: info.torchVersion,
      notes: info.notes,
    };
    this.modelFolder = modelFolder;
    this.#child = child;
    this.#options = options;
    this.#capabilities = {
      model: this.info.model,
      reference: options.reference ?? false,
      valueHead: options.valueHead ?? false,
    };
    this.#maxTokens = maxTokensPerMicroBatch;
    this.#policyVersion = info.policyVersion;
  }

  get policyVersion(): number {
    return this.#policyVersion;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  async forward(sequences: readonly Sequence[], options: ForwardOptions = {}): Promise<TokenOutputs[]> {
    return await this.#alone("forward", async () => {
      checkForwardOptions(options, this.#capabilities);
      checkSequences(sequences, this.#capabilities);
      const lengths = sequences.map(numNeededTokens);
      const results = sequences.map((sequence) => zeroOutputs(sequence, options));
      for (const indices of planMicroBatches(lengths, this.#maxTokens)) {
        const batch = packSequences(sequences, lengths, indices);
        const outputs = await this.#child.call("forward", { batch, options: nativeForwardOptions(options) });
        unpackOutputs(outputs, sequences, lengths, indices).forEach((output, i) => {
          results[indices[i]!] = output;
        });
      }
      return results;
    });
  }

  async forwardBackward(
    examples: readonly Example[],
    loss: LossFunction,
    options: ForwardOptions = {},
  ): Promise<SequenceLoss[]> {
    return await this.#alone("forwardBackward", async () => {
      checkTrainOptions(options, this.#capabilities);
      const sequences = examples.map((example) => example.sequence);
      checkSequences(sequences, this.#capabilities);
      const lengths = sequences.map(numNeededTokens);
      const losses: SequenceLoss[] = [];
      const lossOf = (index: number, outputs: TokenOutputs) => {
        const example = examples[index]!;
        const result = loss(example, outputs);
        checkLoss(result, example, index, options);
        losses[index] = result;
        return result.gradient;
      };
      try {
        for (const indices of planMicroBatches(lengths, this.#maxTokens)) {
          const batch = packSequences(sequences, lengths, indices);
          const packed = await this.#child.call("forwardTrain", { batch, options: nativeForwardOptions(options) });
          const outputs = unpackOutputs(packed, sequences, lengths, indices);
          const gradients = indices.map((index, i) => lossOf(index, outputs[i]!));
          await this.#child.call("backward", {
            dLogprobs: packTokens(
              // A critic's are all 0: it needs no backward pass through the vocabulary.
              gradients.map(({ dLogprobs }) =>
                dLogprobs.some((derivative) => derivative !== 0) ? dLogprobs : undefined,
              ),
              lengths,
              indices,
            ),
            dEntropies: packTokens(
              gradients.map((gradient) => gradient.dEntropies),
              lengths,
              indices,
            ),
            dValues: packTokens(
              gradients.map((gradient) => gradient.dValues),
              lengths,
              indices,
            ),
          });
        }
        // Nothing of these is trained, but a loss may still report metrics of them.
        lengths.forEach((length, index) => {
          if (length === 0) lossOf(index, zeroOutputs(sequences[index]!, options));
        });
        return losses;
      } catch (error) {
        await this.#child.call("zeroGrad", null).catch(() => {
          // The process has ended, and its gradient with it; `error` says why.
        });
        throw error;
      }
    });
  }

  async optimStep(adam: AdamParams): Promise<OptimStepResult> {
    return await this.#alone("optimStep", async () => {
      checkAdam(adam);
      const valueLearningRate = adam.valueLearningRate ?? adam.learningRate;
      const { policyVersion, gradNorm, skipped } = await this.#child.call("optimStep", { ...adam, valueLearningRate });
      this.#policyVersion = policyVersion;
      return { gradNorm, skipped };
    });
  }

  async sample(requests: readonly SampleRequest[], signal?: AbortSignal): Promise<SampleResult[]> {
    this.#demandOpen();
    checkSampleRequests(requests, this.#capabilities);
    signal?.throwIfAborted();
    if (requests.length === 0) return [];
    const ids = requests.map(() => this.#nextSampleId++);
    const cancel = () => {
      this.#child.call("cancel", ids).catch(() => {
        // The process has ended, so nothing is left to cancel; the sample call below says why.
      });
    };
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      const results = await this.#child.call(
        "sample",
        requests.map((request, i) => nativeSampleRequest(ids[i]!, request)),
      );
      return results.map(sampleResult);
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#disposal ? disposedError() : error;
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  async refreshReference(): Promise<void> {
    await this.#alone("refreshReference", async () => {
      if (!this.#capabilities.reference) {
        throw new EngineError("badArgument", "Expected an engine opened with `reference` for refreshReference.");
      }
      await this.#child.call("refreshReference", null);
    });
  }

  async saveWeights(dir: string): Promise<void> {
    await this.#alone("saveWeights", async () => {
      checkDir(dir);
      await mkdir(dir, { recursive: true });
      await this.#child.call("saveWeights", dir);
      await writeJson(join(dir, "config.json"), this.modelFolder.configJson);
      const { generationConfigJson } = this.modelFolder;
      if (generationConfigJson) await writeJson(join(dir, "generation_config.json"), generationConfigJson);
      if (this.#options.lora) await this.#saveAdapter(join(dir, "adapter"), this.#options.lora);
    });
  }

  async #saveAdapter(dir: string, { rank, alpha, targets }: LoraOptions): Promise<void> {
    await mkdir(dir, { recursive: true });
    await this.#child.call("saveAdapter", dir);
    await writeJson(join(dir, "adapter_config.json"), {
      peft_type: "LORA",
      task_type: "CAUSAL_LM",
      base_model_name_or_path: this.#options.modelDir ?? null,
      r: rank,
      lora_alpha: alpha,
      lora_dropout: 0,
      target_modules: targets,
      bias: "none",
      fan_in_fan_out: false,
      inference_mode: true,
    });
  }

  async saveState(dir: string): Promise<void> {
    await this.#alone("saveState", async () => {
      checkDir(dir);
      await mkdir(dir, { recursive: true });
      await this.#child.call("saveState", dir);
    });
  }

  async loadState(dir: string): Promise<void> {
    await this.#alone("loadState", async () => {
      checkDir(dir);
      this.#policyVersion = await this.#child.call("loadState", dir);
    });
  }

  async weightsHash(): Promise<string> {
    return await this.#alone("weightsHash", () => this.#child.call("weightsHash", null));
  }

  async gradient(name: string): Promise<Float32Array | undefined> {
    return await this.#alone("gradient", () => this.#child.call("gradient", name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposal ??= this.#dispose();
    await this.#disposal;
  }

  /** Asked first, so that a save under way is not cut; an engine that does not answer is ended all the same. */
  async #dispose(): Promise<void> {
    await this.#child.call("dispose", null, disposeTimeoutMs).catch(() => {
      // It had ended, or did not answer in time and is ended now.
    });
    await this.#child.end(disposedError());
  }

  /** Runs one training call; a second one meanwhile is refused. */
  async #alone<Value>(verb: string, work: () => Promise<Value>): Promise<Value> {
    this.#demandOpen();
    if (this.#running !== null) {
      throw new EngineError("busy", `The engine is busy with ${this.#running}: call ${verb} when that has returned.`);
    }
    this.#running = verb;
    try {
      return await work();
    } catch (error) {
      throw this.#disposal ? disposedError() : ofRole(error, this.#options.role);
    } finally {
      this.#running = null;
    }
  }

  #demandOpen(): void {
    if (this.#disposal) throw disposedError();
  }
}

/** Says which of a run's engines failed. */
function ofRole(error: unknown, role: string | undefined): unknown {
  if (role === undefined || !(error instanceof EngineError)) return error;
  return new EngineError(error.fault, `The ${role}'s engine failed. ${error.message}`, error.detail);
}

function disposedError(): EngineError {
  return new EngineError("disposed", "The engine is disposed.");
}

function checkDir(dir: string): void {
  if (typeof dir !== "string" || dir === "")
    throw new EngineError("badArgument", "Expected a folder's path, got an empty one.");
}

function nativeForwardOptions({ weights, entropies, values, temperature }: ForwardOptions): NativeForwardOptions {
  return {
    reference: weights === "reference",
    entropies: entropies ?? false,
    values: values ?? false,
    temperature: temperature ?? 1,
  };
}

function nativeSampleRequest(id: number, { promptTokenIds, seed, params }: SampleRequest): NativeSampleRequest {
  return {
    id,
    promptTokenIds: Int32Array.from(promptTokenIds),
    seed,
    temperature: params.temperature,
    topP: params.topP,
    topK: params.topK,
    minP: params.minP,
    maxTokens: params.maxTokens,
    minTokens: params.minTokens ?? 0,
    stopTokenIds: Int32Array.from(params.stopTokenIds),
  };
}

function sampleResult({ tokenIds, logprobs, stopped, policyVersion }: NativeSampleResult): SampleResult {
  return { tokenIds: Array.from(tokenIds), logprobs, finishReason: stopped ? "stop" : "length", policyVersion };
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}
