/** Opens what a stage needs, as the recipe says: model, server, rewards, prompts. Whatever is opened is closed with the stack. */
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { openDataset } from "../dataset/dataset.ts";
import { promptsOf } from "../dataset/prompts.ts";
import type { Engine, SamplingParams } from "../engine/engine.ts";
import { type NativeEngine, type NativeEngineOptions, openNativeEngine } from "../engine/native.ts";
import { RecipeError } from "../errors.ts";
import type { Reporter } from "../progress.ts";
import type { CriticSpec, DataSpec, Recipe, RewardsSpec, SamplingSpec, TemplateSpec } from "../recipe/schema.ts";
import { openRewardPool } from "../reward/pool.ts";
import { rewardLabel } from "../reward/reward.ts";
import { scoreGroups } from "../score.ts";
import { connectPolicyServer } from "../server/client.ts";
import { serveEngine } from "../server/embedded.ts";
import type { Canary, PolicyServer } from "../server/server.ts";
import { characterTokenizer } from "../tokenizer/characters.ts";
import { loadTokenizer } from "../tokenizer/load.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { Group, Prompt, ScoredGroup } from "../types.ts";
import { type AnswerParams, answerParams } from "../verify/judge.ts";
import type { Closers } from "./closers.ts";

export interface OpenModel {
  readonly engine: NativeEngine;
  /** Of a critic that is a model of its own. */
  readonly critic?: NativeEngine | null;
  readonly tokenizer: Tokenizer;
  /** Every id that ends a completion. */
  readonly stopTokenIds: readonly number[];
}

interface OpenOptions {
  readonly reference: boolean;
  /** For a critic on the policy's trunk. Default false. */
  readonly valueHead?: boolean;
  readonly stack: Closers;
  readonly reporter: Reporter;
}

/** `dir` is the folder of an earlier stage's model; null: the recipe's own model. */
export async function openModel(
  recipe: Recipe,
  dir: string | null,
  { reference, valueHead = false, stack, reporter }: OpenOptions,
): Promise<OpenModel> {
  const { model, server } = recipe;
  if (dir !== null && server.type === "vllm" && server.publish.method === "lora") {
    throw new RecipeError(
      `Expected a stage that starts from the base, since the server gets adapters of the model it was started with, but the stage starts from ${dir}. Give the stage \`from: base\`, or train all weights (no model.lora) and publish with method disk.`,
    );
  }
  const modelDir = dir ?? model.path;
  const tokenizer = await openTokenizer(model, modelDir);
  const engine = stack.use(
    await openNativeEngine({ ...engineOptions(recipe, modelDir, tokenizer), reference, valueHead }),
  );
  demandFit(tokenizer, engine.info.model.vocabSize);
  for (const note of engine.info.notes) reporter.note(note);
  const stopTokenIds = [...new Set([...tokenizer.eosTokenIds, ...engine.modelFolder.eosTokenIds])];
  return { engine, tokenizer, stopTokenIds };
}

/** The engine of a critic that is a model of its own: the policy's starting weights, unless the recipe names others, and a head of zeros. */
export async function openCritic(
  recipe: Recipe,
  dir: string | null,
  { path, device }: CriticSpec,
  { tokenizer }: OpenModel,
  stack: Closers,
): Promise<NativeEngine> {
  const shared = engineOptions(recipe, path ?? dir ?? recipe.model.path, tokenizer);
  const engine = stack.use(
    await openNativeEngine({ ...shared, device: device ?? shared.device, valueHead: true, role: "critic" }),
  );
  demandFit(tokenizer, engine.info.model.vocabSize);
  return engine;
}

function engineOptions(
  { model, engine: spec, seed }: Recipe,
  modelDir: string | undefined,
  tokenizer: Tokenizer,
): NativeEngineOptions {
  const init =
    modelDir === undefined && model.init !== undefined
      ? { ...model.init, vocabSize: tokenizer.vocabSize, eosTokenId: tokenizer.eosTokenId }
      : undefined;
  return {
    modelDir,
    init,
    seed,
    device: spec.device,
    lora: model.lora,
    activationCheckpointing: spec.activationCheckpointing,
    bf16Moments: spec.bf16Moments,
    maxTokensPerMicroBatch: spec.maxTokensPerMicroBatch,
    numThreads: spec.numThreads,
    maxBatch: spec.maxBatch,
    maxCacheTokens: spec.maxCacheTokens,
    callTimeoutMs: spec.callTimeoutSeconds * 1000,
  };
}

/** A model may have more rows than its tokenizer has tokens, never fewer. */
export function demandFit(tokenizer: Tokenizer, vocabSize: number): void {
  if (tokenizer.vocabSize <= vocabSize) return;
  throw new RecipeError(
    `Expected a tokenizer that fits the model, but it has ${tokenizer.vocabSize} tokens and the model's vocabulary ${vocabSize}. Give model.tokenizer the folder that belongs to the model.`,
  );
}

export async function openTokenizer(model: Recipe["model"], modelDir: string | undefined): Promise<Tokenizer> {
  // A stage's model folder carries its tokenizer; only the first stage can start without one.
  if (model.tokenizer === undefined || (modelDir !== undefined && modelDir !== model.path)) {
    if (modelDir === undefined)
      throw new RecipeError("Expected model.tokenizer beside model.init: a folder, or characters.");
    return loadTokenizer(modelDir);
  }
  if (typeof model.tokenizer === "string") return loadTokenizer(model.tokenizer);
  return characterTokenizer(model.tokenizer);
}

export interface OpenServer {
  readonly server: PolicyServer;
  /** Makes the server sample from the engine's present weights. */
  readonly publish: () => Promise<void>;
}

/** The embedded server shares the engine's memory; vLLM gets folders or adapters, proven by a canary. */
export async function openServer(
  recipe: Recipe,
  { engine, tokenizer, stopTokenIds }: OpenModel,
  {
    stack,
    reporter,
    canaryTokens,
  }: { readonly stack: Closers; readonly reporter: Reporter; readonly canaryTokens: readonly number[] },
): Promise<OpenServer> {
  const spec = recipe.server;
  if (spec.type === "embedded") {
    const embedded = stack.use(
      await serveEngine({
        engine,
        tokenizer,
        eosTokenIds: stopTokenIds,
        host: spec.host,
        port: spec.port,
        modelName: "policy",
      }),
    );
    const server = stack.use(
      await connectPolicyServer({
        url: embedded.url,
        policyVersion: engine.policyVersion,
        publish: { method: "embedded" },
        maxConcurrency: spec.maxConcurrency,
        onRetry: (sentence) => reporter.note(sentence),
      }),
    );
    const publish = () => server.publish({ policyVersion: engine.policyVersion, dir: null, kind: "full" }, null);
    return { server, publish };
  }
  const server = stack.use(
    await connectPolicyServer({
      url: spec.url,
      model: spec.model,
      apiKey: spec.apiKeyEnv === undefined ? undefined : process.env[spec.apiKeyEnv],
      policyVersion: engine.policyVersion,
      publish: { method: spec.publish.method },
      maxConcurrency: spec.maxConcurrency,
      canaryTolerance: spec.publish.canaryTolerance,
      startTimeoutMs: spec.startTimeoutSeconds * 1000,
      requestTimeoutMs: spec.requestTimeoutSeconds === undefined ? undefined : spec.requestTimeoutSeconds * 1000,
      onRetry: (sentence) => reporter.note(sentence),
    }),
  );
  const { method, dir: sharedDir } = spec.publish;
  /** Folders that were published and stay, oldest first: the newest and the one before it. */
  const folders: string[] = [];
  const publish = async () => {
    const version = engine.policyVersion;
    const folder = join(sharedDir, `policy-v${version}`);
    // Every update of the step was skipped: the server has these weights.
    if (folders.at(-1) === folder) return;
    await writeFolder(folder, async (temporary) => {
      await engine.saveWeights(temporary);
      await tokenizer.save(temporary);
    });
    const weights =
      method === "lora"
        ? { policyVersion: version, dir: join(folder, "adapter"), kind: "lora" as const }
        : { policyVersion: version, dir: folder, kind: "full" as const };
    await server.publish(weights, await canaryOf(engine, canaryTokens));
    folders.push(folder);
    if (folders.length > 2) await rm(folders.shift()!, { recursive: true, force: true });
  };
  // The server was started with the base weights: a resumed run has others.
  await publish();
  return { server, publish };
}

/** Writes a folder under a temporary name and renames it: a reader on the shared file system never sees a part. */
async function writeFolder(dir: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${dir}.tmp-${process.pid}`;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  await write(temporary);
  await rm(dir, { recursive: true, force: true });
  await rename(temporary, dir);
}

async function canaryOf(engine: Engine, tokenIds: readonly number[]): Promise<Canary> {
  const length = tokenIds.length;
  const sequence = {
    tokenIds: Int32Array.from(tokenIds),
    lossMask: new Uint8Array(length).fill(1, 1),
    samplingLogprobs: new Float32Array(length),
  };
  const [outputs] = await engine.forward([sequence]);
  return { tokenIds, logprobs: Float32Array.from(outputs!.logprobs) };
}

/** `maxTokens` is the limit that the completions were sampled under, which rewards of length read. */
export type Scorer = (groups: readonly Group[], maxTokens: number) => Promise<ScoredGroup[]>;

export async function openScorer(spec: RewardsSpec, stack: Closers): Promise<Scorer> {
  const functions = spec.functions.map((reward) =>
    typeof reward === "string" ? { name: reward, weight: 1, params: {} } : reward,
  );
  const pool = stack.use(
    await openRewardPool({ rewards: functions, threads: spec.threads, deadlineMs: spec.deadlineSeconds * 1000 }),
  );
  return (groups, maxTokens) =>
    scoreGroups(groups, pool, functions, maxTokens, { maxFailedShare: spec.maxFailedShare });
}

/** How the reward `metric` finds and compares answers, for votes; by text where it has no such parameters. */
export function answerParamsOf(spec: RewardsSpec, metric: string): AnswerParams {
  const reward = spec.functions.find((entry) => typeof entry !== "string" && rewardLabel(entry) === metric);
  const parsed = answerParams.safeParse(typeof reward === "object" ? reward.params : {});
  return parsed.success ? parsed.data : answerParams.parse({});
}

/** The prompts of a dataset, in its order. */
export async function openPrompts(
  spec: DataSpec,
  template: TemplateSpec,
  tokenizer: Tokenizer,
  reporter: Reporter,
): Promise<{ readonly prompts: readonly Prompt[]; readonly hash: string }> {
  // The variables that every Hugging Face tool reads.
  const { HF_TOKEN: accessToken, HF_ENDPOINT: hubUrl } = process.env;
  const dataset = await openDataset(spec, { accessToken, hubUrl });
  for (const bad of dataset.badRows) reporter.note(`Left out: ${bad}`);
  const { prompts, tooLong } = promptsOf(dataset, template, tokenizer, spec.maxPromptTokens);
  if (tooLong.length > 0)
    reporter.note(
      `Left out ${tooLong.length} prompts of more than ${spec.maxPromptTokens} tokens, e.g. ${tooLong[0]}.`,
    );
  if (prompts.length === 0)
    throw new RecipeError(
      "Expected at least one prompt, but every row was left out. Raise maxPromptTokens or change the data.",
    );
  return { prompts, hash: dataset.hash };
}

export function samplingParams(spec: SamplingSpec, stopTokenIds: readonly number[]): SamplingParams {
  const { temperature, topP, topK, minP, maxTokens, minTokens } = spec;
  return { temperature, topP, topK, minP, maxTokens, minTokens, stopTokenIds };
}
