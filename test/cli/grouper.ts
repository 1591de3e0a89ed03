/** Runs the built command line as a user's shell does, in a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { RecipeInput } from "../../src/recipe/schema.ts";

export const root = resolve(import.meta.dirname, "../..");
const bin = join(root, "bin/grouper.js");

if (!existsSync(join(root, "dist/src/cli/main.js"))) throw new Error("Expected a build in dist/. Run: npm run build");

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves once stdout and stderr together match; rejects when the process ends without. */
  until(pattern: RegExp): Promise<void>;
  /** stdout and stderr so far. */
  printed(): string;
}

/** Killed after `timeoutMs`, four minutes unless told: a test that hangs says what was printed until then. */
export function start(
  args: readonly string[],
  { cwd = root, env = {}, timeoutMs = 240_000 }: { cwd?: string; env?: NodeJS.ProcessEnv; timeoutMs?: number } = {},
): Running {
  const child = spawn(process.execPath, [bin, ...args], {
    cwd,
    env: { ...process.env, ...env },
    // Leads a process group, as a command on a terminal does.
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  const output = { stdout: "", stderr: "" };
  const watchers = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
      for (const watch of watchers) watch();
    });
  }
  const ended = new Promise<Ended>((done) => child.on("close", (code, signal) => done({ code, signal, ...output })));
  const until = (pattern: RegExp) =>
    new Promise<void>((done, fail) => {
      const watch = () => {
        if (!pattern.test(output.stdout + output.stderr)) return;
        watchers.delete(watch);
        done();
      };
      watchers.add(watch);
      watch();
      void ended.then(({ code, stderr }) => fail(new Error(`ended with ${code} before ${pattern}: ${stderr}`)));
    });
  return { child, ended, until, printed: () => output.stdout + output.stderr };
}

export function grouper(
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; timeoutMs?: number } = {},
): Promise<Ended> {
  return start(args, options).ended;
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), "grouper-cli-"));
}

/** JSON is YAML: writes `recipe` as a recipe file. */
export function writeRecipe(dir: string, recipe: unknown, name = "tiny.yaml"): string {
  const path = join(dir, name);
  writeFileSync(path, JSON.stringify(recipe, null, 2));
  return path;
}

/** A reward that a random model earns unevenly, so that every step changes the weights; `delayMs` makes a run slow, not different. */
const digits = `import { defineReward, z } from "grouper/reward";
export default defineReward({
  description: "Share of digits among the characters.",
  params: z.object({ delayMs: z.number().default(0) }),
  score({ completion }: { completion: string }, { delayMs }: { delayMs: number }): number {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, delayMs);
    return completion.replace(/[^0-9]/g, "").length / Math.max(1, completion.length);
  },
});
`;

const data = { type: "task" as const, task: "arithmetic", params: { digits: 2 }, size: 200 };
const optimizer = { learningRate: 1e-3 };

/** Eight steps of supervised training and eight of GRPO on a random model of 20,000 parameters: seconds. */
export function tinyRecipe(overrides: Partial<RecipeInput> = {}): RecipeInput {
  return {
    name: "tiny",
    seed: 3,
    model: {
      init: {
        hiddenSize: 32,
        intermediateSize: 64,
        numHiddenLayers: 2,
        numAttentionHeads: 4,
        numKeyValueHeads: 2,
        maxPositionEmbeddings: 64,
      },
      tokenizer: { characters: "0123456789+=! ", specialTokens: ["<think>", "</think>", "<answer>", "</answer>"] },
    },
    engine: { numThreads: 1, device: "cpu" },
    stages: [
      {
        type: "sft",
        data,
        response: "{demonstration}",
        steps: 8,
        batchSize: 8,
        optimizer,
        checkpoint: { everySteps: 3 },
      },
      {
        type: "rl",
        data,
        rewards: { functions: ["accuracy", { name: "format", weight: 0.5 }], threads: 1 },
        algorithm: { type: "grpo" },
        rollout: { promptsPerStep: 4, groupSize: 4, sampling: { maxTokens: 12 } },
        steps: 8,
        updatesPerBatch: 2,
        optimizer,
        eval: { everySteps: 4, data: { ...data, split: "eval", size: 8 } },
        checkpoint: { everySteps: 3 },
      },
    ],
    ...overrides,
  };
}

/** The tiny recipe with a reward that is not always zero; writes both files and returns the recipe's path. */
export function writeLearnable(dir: string): string {
  writeFileSync(join(dir, "digits.ts"), digits);
  const [sft, rl] = tinyRecipe().stages;
  const rewards = { functions: ["accuracy", { file: "digits.ts" }], threads: 1 };
  return writeRecipe(dir, tinyRecipe({ outputDir: join(dir, "runs"), stages: [sft!, { ...rl, rewards } as never] }));
}
