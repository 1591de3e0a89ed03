/**
 * How new weights reach a policy server. Each way ends with the name of the model to sample from; that the weights arrived is
 * proven afterwards by a canary (canary.ts), never believed.
 *
 *   embedded  the server samples from the engine that trains: nothing moves
 *   disk      vLLM >= 0.16 with VLLM_SERVER_DEV_MODE=1: pause, collective_rpc reload_weights from a shared folder, resume
 *   lora      vLLM with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True: load the adapter under a new name per version
 */
import { messageOf } from "../errors.ts";
import { type Caller, CallFailure, parseReply, seconds, sleep } from "./call.ts";
import { type PublishedWeights, ServerError } from "./server.ts";
import { pausedReply } from "./wire.ts";

export interface Publisher {
  readonly method: "embedded" | "disk" | "lora";
  /** True when sampling must stand still meanwhile: completions of two policies would mix. */
  readonly exclusive: boolean;
  /** Throws ServerError when the server does not offer what this method needs; undoes what a killed run left behind. */
  prepare(): Promise<void>;
  /** Returns the model name that samples from `weights`. Throws ServerError naming the phase. */
  deliver(weights: PublishedWeights): Promise<string>;
  /** Called when `weights` are proven: what only older versions needed may go. */
  retire(weights: PublishedWeights): Promise<void>;
}

export interface DiskOptions {
  readonly method: "disk";
  /** Deadline until the server stands still; running completions end first. */
  readonly pauseTimeoutMs?: number;
  /** Deadline of one reload. */
  readonly updateTimeoutMs?: number;
}

export interface LoraOptions {
  readonly method: "lora";
  /** Adapters are named `${adapterName}@v${policyVersion}`; two runs on one server need two names. */
  readonly adapterName?: string;
  readonly updateTimeoutMs?: number;
}

export type PublishOptions = { readonly method: "embedded" } | DiskOptions | LoraOptions;

export function createPublisher(options: PublishOptions, caller: Caller, baseModel: string): Publisher {
  switch (options.method) {
    case "embedded":
      return embedded(baseModel);
    case "disk":
      return disk(options, caller, baseModel);
    case "lora":
      return lora(options, caller);
    default:
      return options satisfies never;
  }
}

function embedded(model: string): Publisher {
  return {
    method: "embedded",
    exclusive: false,
    prepare: () => Promise.resolve(),
    deliver: () => Promise.resolve(model),
    retire: () => Promise.resolve(),
  };
}

function disk(
  { pauseTimeoutMs = 300_000, updateTimeoutMs = 720_000 }: DiskOptions,
  caller: Caller,
  model: string,
): Publisher {
  const isPaused = async () =>
    parseReply(await caller.call("/is_paused", { deadlineMs: controlDeadlineMs }), pausedReply, "GET /is_paused")
      .is_paused;

  const untilPaused = async (wanted: boolean) => {
    const end = performance.now() + pauseTimeoutMs;
    for (let delayMs = 20; (await isPaused()) !== wanted; delayMs = Math.min(2 * delayMs, 1000)) {
      if (performance.now() > end) {
        throw new CallFailure("late", `is_paused did not become ${wanted} within ${seconds(pauseTimeoutMs)}`);
      }
      await sleep(delayMs);
    }
  };

  const resume = () =>
    phase("resume", caller, async () => {
      await persist(() => caller.call("/resume", { post: true, deadlineMs: controlDeadlineMs }));
      await untilPaused(false);
    });

  return {
    method: "disk",
    exclusive: true,
    async prepare() {
      let paused: boolean;
      try {
        paused = await persist(isPaused);
      } catch (error) {
        if (!(error instanceof CallFailure && error.status === 404)) throw phaseError("is_paused", caller, error);
        throw new ServerError(
          `expected control endpoints at ${caller.root}/is_paused, got 404; publishing through a folder needs vLLM 0.16 or newer, ` +
            "started with VLLM_SERVER_DEV_MODE=1",
          { cause: error },
        );
      }
      if (paused) await resume();
    },
    async deliver(weights) {
      const dir = dirOf(weights, "full");
      let failure: unknown;
      try {
        await phase("pause", caller, async () => {
          await persist(() => caller.call("/pause?mode=wait", { post: true, deadlineMs: pauseTimeoutMs }));
          await untilPaused(true);
        });
        const body = {
          method: "reload_weights",
          args: [],
          // the server's own deadline is shorter than ours, so that its sentence arrives
          timeout: Math.max(1, Math.floor((updateTimeoutMs * 0.95) / 1000)),
          kwargs: { weights_path: dir, is_checkpoint_format: true },
        };
        await phase("reload_weights", caller, () =>
          persist(() => caller.call("/collective_rpc", { body, deadlineMs: updateTimeoutMs })),
        );
      } catch (error) {
        failure = error;
      }
      // also when the pause itself failed: a request that timed out here may have succeeded there
      try {
        await resume();
      } catch (error) {
        const sentence = `${messageOf(error)}; the server may stand still until POST ${caller.root}/resume`;
        throw new ServerError(failure === undefined ? sentence : `${messageOf(failure)}; then ${sentence}`, {
          cause: failure ?? error,
        });
      }
      if (failure !== undefined) throw failure;
      return model;
    },
    retire: () => Promise.resolve(),
  };
}

function lora({ adapterName = "policy", updateTimeoutMs = 300_000 }: LoraOptions, caller: Caller): Publisher {
  const nameOf = (version: number) => `${adapterName}@v${version}`;
  /** Versions this run has loaded, oldest first. Adapters that others loaded are not ours to unload. */
  let loaded: number[] = [];

  // The replies are plain text, so their bodies are not looked at.
  const load = (version: number, dir: string) =>
    caller.call("/v1/load_lora_adapter", {
      body: { lora_name: nameOf(version), lora_path: dir },
      deadlineMs: updateTimeoutMs,
    });
  const unload = async (version: number) => {
    const body = { lora_name: nameOf(version) };
    try {
      await persist(() => caller.call("/v1/unload_lora_adapter", { body, deadlineMs: controlDeadlineMs }));
    } catch (error) {
      // gone already: after a restart of the server, or by a retry whose first answer was lost
      if (!(error instanceof CallFailure && (error.status === 404 || error.status === 400))) throw error;
    }
    loaded = loaded.filter((other) => other !== version);
  };

  return {
    method: "lora",
    exclusive: false,
    prepare: () => Promise.resolve(),
    async deliver(weights) {
      const dir = dirOf(weights, "lora");
      const version = weights.policyVersion;
      await phase("load_lora_adapter", caller, async () => {
        try {
          await persist(() => load(version, dir));
        } catch (error) {
          if (error instanceof CallFailure && error.status === 404 && !/adapter|path|file/i.test(error.message)) {
            throw new ServerError(
              "the server has no /v1/load_lora_adapter; start vLLM with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True",
              { cause: error },
            );
          }
          // Under this name there may be what a resumed run had before it was killed: replace it, never trust it.
          if (!(error instanceof CallFailure && error.status === 400 && /already/i.test(error.message))) throw error;
          await unload(version);
          await persist(() => load(version, dir));
        }
      });
      loaded = [...loaded.filter((other) => other !== version), version];
      return nameOf(version);
    },
    async retire(weights) {
      // requests in flight may still use the version before
      for (const version of loaded.filter((other) => other < weights.policyVersion - 1)) {
        await phase("unload_lora_adapter", caller, () => unload(version));
      }
    },
  };
}

const controlDeadlineMs = 60_000;
const controlTries = 3;

/** Repeats a control call on anything that may pass, at most three times: all of them may safely be made twice. */
async function persist<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      const passing = error instanceof CallFailure && error.kind !== "refused";
      if (!passing || attempt === controlTries) throw error;
      await sleep(error.retryAfterMs ?? 250 * 2 ** attempt);
    }
  }
}

async function phase<T>(name: string, caller: Caller, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw phaseError(name, caller, error);
  }
}

function phaseError(name: string, caller: Caller, error: unknown): ServerError {
  const hint =
    error instanceof CallFailure && error.status === 404 && name !== "load_lora_adapter"
      ? " (control endpoints need VLLM_SERVER_DEV_MODE=1)"
      : "";
  return new ServerError(`publishing weights to ${caller.root} failed at ${name}: ${messageOf(error)}${hint}`, {
    cause: error,
  });
}

function dirOf(weights: PublishedWeights, kind: PublishedWeights["kind"]): string {
  if (weights.kind !== kind || weights.dir === null) {
    const got = weights.dir === null ? "none" : `a ${weights.kind} folder`;
    throw new ServerError(
      `expected a folder with ${kind} weights of version ${weights.policyVersion} to publish, got ${got}`,
    );
  }
  return weights.dir;
}
