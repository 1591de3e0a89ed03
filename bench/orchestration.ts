/**
 * What the loop costs on the host when model and server cost nothing:
 *
 *   npm run build && npx jiti bench/orchestration.ts [--samples 64,256,1024,4096] [--tokens 1024] [--steps 3]
 *
 * The real `train` with the real objective (DAPO), metrics and rollout log, on fakes that answer at once: the server hands out completions
 * made before, the engine returns constants and calls the loss as an engine must. Groups of 16; median of the steps after one to warm
 * up. `cpu` is the process's time on all its threads, gzip's and the reward workers' among them; `host` is the main thread's own, which
 * is what delays a GPU: its time on a CPU where Linux tells it, else the event loop's busy time. Instant: rewards from a table. Pool: accuracy and format in two worker processes.
 */
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import type { Engine } from "../src/engine/engine.ts";
import type { RlStage } from "../src/recipe/schema.ts";
import type { PolicyServer } from "../src/server/server.ts";
import type { Completion, Group, Prompt, ScoredGroup, Sequence } from "../src/types.ts";

const dist = new URL("../dist/src/", import.meta.url);
const { createPromptSource } = (await import(
  `${dist}dataset/prompt-source.js`
)) as typeof import("../src/dataset/prompt-source.ts");
const { firstContext } = (await import(`${dist}context-schedule.js`)) as typeof import("../src/context-schedule.ts");
const { noAudit } = (await import(`${dist}audit/history.js`)) as typeof import("../src/audit/history.ts");
const { noControls } = (await import(`${dist}objectives/control.js`)) as typeof import("../src/objectives/control.ts");
const { createObjective } = (await import(
  `${dist}objectives/create.js`
)) as typeof import("../src/objectives/create.ts");
const { rlStage } = (await import(`${dist}recipe/schema.js`)) as typeof import("../src/recipe/schema.ts");
const { openRewardPool } = (await import(`${dist}reward/pool.js`)) as typeof import("../src/reward/pool.ts");
const { rolloutLogPath, writeRolloutLog } = (await import(
  `${dist}rollout-log.js`
)) as typeof import("../src/rollout-log.ts");
const { createRunDirectory } = (await import(`${dist}run-directory.js`)) as typeof import("../src/run-directory.ts");
const { scoreGroups } = (await import(`${dist}score.js`)) as typeof import("../src/score.ts");
const { train } = (await import(`${dist}train.js`)) as typeof import("../src/train.ts");
const { silentReporter } = (await import(`${dist}progress.js`)) as typeof import("../src/progress.ts");

const LIMIT_MS = 0.3;
const GROUP_SIZE = 16;
const { values } = parseArgs({
  options: {
    samples: { type: "string", default: "64,256,1024,4096" },
    tokens: { type: "string", default: "1024" },
    steps: { type: "string", default: "3" },
  },
});
const numTokens = Number(values.tokens);
const numSteps = Number(values.steps);
const rewards = [
  { name: "accuracy", weight: 1, params: { method: "numeric" } },
  { name: "format", weight: 0.5 },
];

type Scorer = (groups: readonly Group[]) => Promise<ScoredGroup[]>;

/** The prompt's group index is its answer; every second completion is right. */
function promptsOf(count: number): Prompt[] {
  return Array.from({ length: count }, (_, i) => ({
    id: `prompt-${i}`,
    text: `Problem ${i}: what is ${i} + 1? <think>`,
    tokenIds: Array.from({ length: 64 }, (_, t) => (31 * i + t) % 32_000),
    prefill: "<think>",
    answer: String(i + 1),
    fields: { index: i },
  }));
}

/** Random ids and log-probabilities, so that gzip works as hard as on real ones; text of about four characters a token. */
function completionsOf({ answer }: Prompt): Completion[] {
  return Array.from({ length: GROUP_SIZE }, (_, i) => ({
    tokenIds: Array.from({ length: numTokens }, () => Math.floor(150_000 * Math.random())),
    logprobs: Float32Array.from({ length: numTokens }, () => Math.log(1 - Math.random())),
    text: `${Array.from({ length: numTokens - 40 }, () => Math.random().toString(36).slice(2, 5)).join(" ")}</think> <answer>${Number(answer) + (i % 2)}</answer>`,
    finishReason: "stop",
    policyVersion: 0,
  }));
}

function instantServer(prompts: readonly Prompt[]): PolicyServer {
  const made = new Map(prompts.map((prompt) => [prompt.id, completionsOf(prompt)]));
  return {
    info: { url: "memory:", version: "fake", model: "fake", maxModelLen: 2 ** 20 },
    policyVersion: 0,
    sample: async ({ prompt }) => made.get(prompt.id)!,
    publish: async () => {},
    async [Symbol.asyncDispose]() {},
  };
}

/** Outputs are made in advance: an engine makes its own while the accelerator works. */
function instantEngine(length: number): Engine {
  const outputs = {
    logprobs: new Float32Array(length).fill(-1).fill(0, 0, length - numTokens),
    entropies: new Float32Array(length).fill(1).fill(0, 0, length - numTokens),
  };
  let policyVersion = 0;
  const unused = async () => {
    throw new Error("not part of this measurement");
  };
  return {
    info: {
      name: "fake",
      device: "cpu",
      dtype: "float32",
      model: {
        modelType: "qwen2",
        vocabSize: 151_936,
        hiddenSize: 1,
        intermediateSize: 1,
        numHiddenLayers: 1,
        numAttentionHeads: 1,
        numKeyValueHeads: 1,
        headDim: 1,
        maxPositionEmbeddings: 2 ** 20,
        tieWordEmbeddings: true,
      },
      numParameters: 1,
      numTrainableParameters: 1,
      notes: [],
    },
    get policyVersion() {
      return policyVersion;
    },
    forward: async (sequences: readonly Sequence[]) => sequences.map(() => outputs),
    forwardBackward: async (examples, loss) => examples.map((example) => loss(example, outputs)),
    async optimStep() {
      policyVersion++;
      return { gradNorm: 1, skipped: false };
    },
    sample: unused,
    refreshReference: unused,
    saveWeights: unused,
    saveState: unused,
    loadState: unused,
    weightsHash: unused,
    async [Symbol.asyncDispose]() {},
  };
}

/** Every second completion is right; `format` holds for all. */
const instantScore: Scorer = async (groups) =>
  groups.map((group) => ({
    ...group,
    rewards: group.rollouts.map((_, i) => ({
      total: (i % 2) + 0.5,
      outcomes: {
        accuracy: { status: "scored", score: i % 2 },
        format: { status: "scored", score: 1 },
      },
    })),
  }));

interface StepTime {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly hostMs: number;
}

/** Of the main thread, since it began; the busy time of an event loop counts what other processes took from it. */
function hostMs(): number {
  const path = `/proc/self/task/${process.pid}/schedstat`;
  if (!existsSync(path)) return performance.eventLoopUtilization().active;
  return Number(readFileSync(path, "utf8").split(" ")[0]) / 1e6;
}

async function measure(numSamples: number, score: Scorer): Promise<StepTime> {
  const prompts = promptsOf(numSamples / GROUP_SIZE);
  const stage: RlStage = rlStage.parse({
    type: "rl",
    data: { type: "task", task: "arithmetic", size: prompts.length },
    rewards: { functions: rewards },
    algorithm: { type: "dapo" },
    rollout: {
      promptsPerStep: prompts.length,
      groupSize: GROUP_SIZE,
      sampling: { maxTokens: numTokens },
      correction: { type: "tis" },
    },
    steps: numSteps + 1,
    updatesPerBatch: 2,
    optimizer: { learningRate: 1e-6 },
  });
  const work = await mkdtemp(join(tmpdir(), "grouper-bench-"));
  try {
    await using run = await createRunDirectory(join(work, "run"));
    const source = createPromptSource({ prompts, seed: 1 });
    const times: StepTime[] = [];
    let cpu = process.cpuUsage();
    let wall = performance.now();
    let host = hostMs();
    const lap = () => {
      const used = process.cpuUsage(cpu);
      const now = performance.now();
      times.push({ wallMs: now - wall, cpuMs: (used.user + used.system) / 1000, hostMs: hostMs() - host });
      cpu = process.cpuUsage();
      wall = performance.now();
      host = hostMs();
    };
    await train(
      {
        name: "rl",
        stage,
        seed: 1,
        engine: instantEngine(prompts[0]!.tokenIds.length + numTokens),
        server: instantServer(prompts),
        objective: createObjective(stage.algorithm),
        source,
        params: { ...stage.rollout.sampling, stopTokenIds: [] },
        score,
        evaluate: null,
        publish: async () => {},
        save: async () => {},
        record: (record) => run.appendMetrics(record),
        logRollouts: (step, groups, advantages) =>
          writeRolloutLog(rolloutLogPath(run.path, "rl", step), groups, advantages),
        reporter: { ...silentReporter, step: lap },
        stopRequested: () => false,
      },
      {
        step: 0,
        numUpdates: 0,
        numSkippedUpdates: 0,
        numSamples: 0,
        numTokens: 0,
        prompts: source.state(),
        context: firstContext,
        controls: noControls,
        audit: noAudit,
        bestScore: null,
      },
    );
    const measured = times.slice(1);
    const median = (key: keyof StepTime) => {
      const sorted = measured.map((time) => time[key]).sort((a, b) => a - b);
      return sorted[Math.floor(sorted.length / 2)]!;
    };
    return { wallMs: median("wallMs"), cpuMs: median("cpuMs"), hostMs: median("hostMs") };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

console.log(
  `node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}; ${numTokens} tokens, groups of ${GROUP_SIZE}`,
);
console.log(`limit: ${LIMIT_MS} ms of the main thread per sample at 4096 samples with instant rewards`);
console.log("samples  rewards   wall ms/step   cpu ms/step  host ms/step   host ms/sample");
let worst = 0;
for (const numSamples of values.samples.split(",").map(Number)) {
  await using pool = await openRewardPool({ rewards, threads: 2 });
  const scorers = {
    instant: instantScore,
    pool: (groups) => scoreGroups(groups, pool, rewards, numTokens),
  } satisfies Record<string, Scorer>;
  for (const [name, score] of Object.entries(scorers)) {
    const { wallMs, cpuMs, hostMs } = await measure(numSamples, score);
    const perSample = hostMs / numSamples;
    if (name === "instant" && numSamples >= 4096) worst = Math.max(worst, perSample);
    const cells = [wallMs, cpuMs, hostMs].map((ms) => ms.toFixed(1).padStart(14)).join("");
    console.log(`${String(numSamples).padStart(7)}  ${name.padEnd(8)}${cells}${perSample.toFixed(4).padStart(17)}`);
  }
}
if (worst > LIMIT_MS) process.exitCode = 1;
