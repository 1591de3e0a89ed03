/**
 * The engine process: it loads the addon, answers calls and sends heartbeats. The engine's own thread does the work, so the event
 * loop stays free and a missing heartbeat means that the process hangs, not that it is busy.
 *
 * It lives exactly as long as its parent: signals of the terminal are the parent's to judge, and a parent that is gone, however it
 * went, takes the process with it.
 */
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import type { PackedOutputs } from "./packing.ts";
import {
  type Argument,
  type Failure,
  type ForwardCall,
  heartbeatIntervalMs,
  type NativeAdam,
  type NativeInfo,
  type NativeOptions,
  type NativeSampleRequest,
  type NativeSampleResult,
  type Reply,
  type Request,
  type Result,
  type Verb,
} from "./protocol.ts";

/** The addon's class. */
interface Addon {
  open(options: NativeOptions): Promise<NativeInfo>;
  forward(batch: ForwardCall["batch"], options: ForwardCall["options"]): Promise<PackedOutputs>;
  forwardTrain(batch: ForwardCall["batch"], options: ForwardCall["options"]): Promise<PackedOutputs>;
  backward(dLogprobs?: Float32Array, dEntropies?: Float32Array, dValues?: Float32Array): Promise<void>;
  optimStep(adam: NativeAdam): Promise<Result<"optimStep">>;
  zeroGrad(): Promise<void>;
  sample(request: NativeSampleRequest): Promise<NativeSampleResult>;
  cancel(id: number): void;
  refreshReference(): Promise<void>;
  saveWeights(dir: string): Promise<void>;
  saveAdapter(dir: string): Promise<void>;
  saveState(dir: string): Promise<void>;
  loadState(dir: string): Promise<number>;
  visitWeights(visit: (name: string, piece: Uint8Array) => void): Promise<void>;
  gradient(name: string): Promise<Float32Array | undefined>;
  dispose(): Promise<void>;
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
// Not process.exit, which would wait for the engine thread.
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));

setInterval(() => send({ kind: "heartbeat" }), heartbeatIntervalMs);

let engine: Addon | undefined;

process.on("message", (request: Request) => {
  answer(request).then(
    (value) => send({ kind: "result", id: request.id, value }),
    (error: unknown) => send({ kind: "failure", id: request.id, failure: failureOf(error) }),
  );
});

function send(reply: Reply): void {
  process.send?.(reply);
}

function loadEngine(): Addon {
  const path = process.argv[2];
  if (path === undefined) throw new Error("Expected the path of the addon as an argument.");
  const addon: { NativeEngine: new () => Addon } = createRequire(import.meta.url)(path);
  return new addon.NativeEngine();
}

async function answer(request: Request): Promise<Result<Verb>> {
  engine ??= loadEngine();
  switch (request.verb) {
    case "open":
      return await engine.open(request.argument);
    case "forward":
      return await engine.forward(request.argument.batch, request.argument.options);
    case "forwardTrain":
      return await engine.forwardTrain(request.argument.batch, request.argument.options);
    case "backward": {
      const { dLogprobs, dEntropies, dValues } = request.argument;
      return await engine.backward(dLogprobs, dEntropies, dValues);
    }
    case "optimStep":
      return await engine.optimStep(request.argument);
    case "zeroGrad":
      return await engine.zeroGrad();
    case "sample":
      return await sampleAll(engine, request.argument);
    case "cancel":
      for (const id of request.argument) engine.cancel(id);
      return;
    case "refreshReference":
      return await engine.refreshReference();
    case "saveWeights":
      return await engine.saveWeights(request.argument);
    case "saveAdapter":
      return await engine.saveAdapter(request.argument);
    case "saveState":
      return await engine.saveState(request.argument);
    case "loadState":
      return await engine.loadState(request.argument);
    case "weightsHash":
      return await hashWeights(engine);
    case "gradient":
      return await engine.gradient(request.argument);
    case "dispose":
      return await engine.dispose();
    default:
      throw new Error(`Unknown call ${JSON.stringify(request satisfies never)}.`);
  }
}

/** All or none: one request that fails takes its siblings out of the running batch. */
async function sampleAll(addon: Addon, requests: Argument<"sample">): Promise<NativeSampleResult[]> {
  const running = requests.map((request) => addon.sample(request));
  try {
    return await Promise.all(running);
  } catch (error) {
    for (const { id } of requests) addon.cancel(id);
    await Promise.allSettled(running);
    throw error;
  }
}

async function hashWeights(addon: Addon): Promise<string> {
  const hash = createHash("sha256");
  let current = "";
  await addon.visitWeights((name, piece) => {
    if (name !== current) hash.update(`${name}\0`);
    current = name;
    hash.update(piece);
  });
  return hash.digest("hex");
}

function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { name: "Error", message: String(error), detail: "" };
  const detail = "detail" in error && typeof error.detail === "string" ? error.detail : (error.stack ?? "");
  return { name: error.name, message: error.message, detail };
}
