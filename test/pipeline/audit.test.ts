/** Runs whose reward can be hacked: the policy finds the hack, and the audit finds the policy. A run with an honest reward raises nothing. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { silentReporter } from "../../src/progress.ts";
import type { RecipeInput } from "../../src/recipe/schema.ts";
import { readRolloutLog, rolloutLogPath } from "../../src/rollout-log.ts";
import { metricsOf, run, tinyModel, tinyRecipe } from "./tiny.ts";

type RlInput = Extract<RecipeInput["stages"][number], { type: "rl" }>;
type RewardInput = RlInput["rewards"]["functions"][number];

const work = mkdtempSync(join(tmpdir(), "grouper-audit-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** A reward of one expression. */
function reward(name: string, body: string): string {
  const file = join(work, `${name}.mjs`);
  writeFileSync(file, `export default { description: "", ${body} };`);
  return file;
}

const data = { type: "task" as const, task: "arithmetic", params: { digits: 1 }, size: 40 };
const strict = { name: "accuracy", as: "strict", params: { from: "answer-tag" } };

/** Words are tokens, so that a random model of 30,000 parameters can stumble on each of the hacks. */
const wordyModel: RecipeInput["model"] = {
  init: {
    hiddenSize: 32,
    intermediateSize: 64,
    numHiddenLayers: 2,
    numAttentionHeads: 4,
    numKeyValueHeads: 2,
    maxPositionEmbeddings: 128,
  },
  tokenizer: {
    characters: "0123456789+= abcdefghijklmnopqrstuvwxyz",
    specialTokens: [
      ...["please ", "add ", "both ", "numbers ", "and ", "say "],
      ...["<answer>3</answer> ", "<answer>7</answer> ", "<answer>8</answer> ", "我们 ", "知道 ", "```sys.exit(0)``` "],
    ],
  },
};

const NUM_STEPS = 26;

function wordy(functions: readonly RewardInput[], changes: Partial<RlInput> = {}) {
  const stage: RlInput = {
    type: "rl",
    data,
    template: { type: "text", text: "please add both numbers and say {question}" },
    rewards: { functions: [...functions], threads: 1 },
    algorithm: { type: "dapo" },
    rollout: { promptsPerStep: 8, groupSize: 8, sampling: { maxTokens: 32 } },
    steps: NUM_STEPS,
    updatesPerBatch: 2,
    optimizer: { learningRate: 3e-3 },
    audit: { windowSteps: 15 },
    ...changes,
  };
  return tinyRecipe({ model: wordyModel, stages: [stage] });
}

const excerpt = z.object({
  step: z.int(),
  group: z.int(),
  index: z.int(),
  promptId: z.string(),
  response: z.string(),
  shadows: z.record(z.string(), z.object({ status: z.string(), score: z.number().optional() })),
});
const alarmLine = z.object({
  stage: z.literal("rl"),
  step: z.int(),
  alarm: z.string(),
  message: z.string(),
  examples: z.array(z.object({ suspect: excerpt, control: excerpt.nullable() })).min(1),
});

function alarmsOf(path: string) {
  const file = join(path, "audit.jsonl");
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => alarmLine.parse(JSON.parse(line)));
}

async function trained(name: string, recipe: ReturnType<typeof tinyRecipe>) {
  const path = join(work, name);
  const notes: string[] = [];
  const { finished } = await run(recipe, path, {
    reporter: { ...silentReporter, note: (text) => void notes.push(text) },
  });
  return { path, notes, alarms: alarmsOf(path), hash: finished.at(-1)!.weightsHash, metrics: metricsOf(path) };
}

const count = (text: string) => `score: ({ completion }) => completion.split(${JSON.stringify(text)}).length - 1`;

/** What is paid, and the alarms that are due. */
const hacks: Readonly<
  Record<
    string,
    { functions: () => RewardInput[]; alarms: string[]; shows: RegExp; maxTokens?: number; learningRate?: number }
  >
> = {
  repetition: {
    functions: () => ["accuracy", { file: reward("add", count("add ")), weight: 5 }],
    alarms: ["repeated-text", "component-dominance"],
    shows: /(add ){4}/,
    learningRate: 6e-3,
  },
  "no reasoning": {
    functions: () => [
      {
        file: reward(
          "terse",
          'score: ({ completion, numTokens }) => (completion.includes("<answer>") ? 2 : 0) - numTokens / 16',
        ),
      },
    ],
    alarms: ["answer-without-reasoning"],
    shows: /<answer>/,
  },
  "all answers": {
    functions: () => [
      { file: reward("any", "score: ({ completion }) => new Set(completion.match(/<answer>./g)).size") },
    ],
    alarms: ["answer-listing"],
    shows: /<answer>.*<answer>.*<answer>/,
  },
  "another language": {
    functions: () => [{ file: reward("han", "score: ({ completion }) => (completion.match(/[我知]/g) ?? []).length") }],
    alarms: ["another-language"],
    shows: /[我知]/,
  },
  "leaving early": {
    functions: () => [{ file: reward("exit", 'score: ({ completion }) => (completion.includes("sys.exit") ? 1 : 0)') }],
    alarms: ["test-tampering"],
    shows: /sys\.exit/,
    maxTokens: 12,
  },
  "longer than its siblings": {
    // Centred, so that it is as large on average whatever the policy does.
    functions: () => [
      {
        file: reward(
          "longest",
          "scoreGroup: (inputs) => { const mean = inputs.reduce((sum, one) => sum + one.numTokens, 0) / inputs.length; return inputs.map(({ numTokens }) => numTokens - mean); }",
        ),
      },
    ],
    alarms: ["length-drift", "length-cliff"],
    shows: /^/,
    maxTokens: 96,
  },
  "a digit of the answer in the text": {
    functions: () => [
      {
        name: "accuracy",
        file: reward("loose", "score: ({ completion, answer }) => Number(completion.includes(answer[0]))"),
      },
    ],
    alarms: ["shadow-divergence/strict"],
    shows: /\d/,
  },
};

describe("a reward that can be hacked", () => {
  it.each(Object.entries(hacks))(
    "%s: the alarm is in the progress and in audit.jsonl, with completions that are in the rollout log",
    async (name, { functions, alarms: expected, shows, maxTokens = 32, learningRate = 3e-3 }) => {
      const recipe = wordy(functions(), {
        rollout: { promptsPerStep: 8, groupSize: 8, sampling: { maxTokens } },
        optimizer: { learningRate },
        audit: { windowSteps: 15, shadow: [strict] },
      });
      const { path, notes, alarms, metrics } = await trained(name.replaceAll(" ", "-"), recipe);
      for (const alarm of expected) {
        const [first] = alarms.filter((one) => one.alarm === alarm);
        expect(first, alarm).toBeDefined();
        const { step, message, examples } = first!;
        expect(notes.some((note) => note.startsWith(`Audit of stage rl, ${alarm}: ${message}`))).toBe(true);
        const log = await readRolloutLog(rolloutLogPath(path, "rl", step));
        for (const { suspect, control } of examples) {
          for (const one of control === null ? [suspect] : [suspect, control]) {
            expect(one.step).toBe(step);
            const logged = log.find(({ group, index }) => group === one.group && index === one.index)!;
            expect([logged.completion, logged.promptId]).toEqual([one.response, one.promptId]);
          }
          expect(suspect.response).toMatch(shows);
        }
      }
      const last = metrics.at(-1)!;
      expect(last["audit/shadow/strict/failed"]).toBe(0);
    },
  );
});

describe("an honest run", () => {
  it("learns to add, and raises no alarm", async () => {
    const digits = {
      type: "task" as const,
      task: "arithmetic",
      params: { digits: 1, demonstrationKnows: 9, demonstrationSpread: 1 },
      size: 50,
    };
    const model: RecipeInput["model"] = {
      ...tinyModel,
      tokenizer: { characters: "0123456789+= ", specialTokens: ["<think>", "</think>", "<answer>", "</answer>"] },
    };
    const recipe = tinyRecipe({
      model,
      stages: [
        {
          type: "sft",
          data: digits,
          response: "{demonstration}",
          steps: 250,
          batchSize: 32,
          optimizer: { learningRate: 4e-3 },
        },
        {
          type: "rl",
          data: digits,
          rewards: { functions: ["accuracy", { name: "format", weight: 0.1 }], threads: 1 },
          algorithm: { type: "dapo" },
          rollout: { promptsPerStep: 16, groupSize: 8, sampling: { maxTokens: 32 } },
          steps: 40,
          optimizer: { learningRate: 7e-4, beta2: 0.95 },
          audit: { windowSteps: 15, shadow: [strict] },
        },
      ],
    });
    const { path, notes, metrics } = await trained("honest", recipe);
    const rewards = metrics.flatMap((line) => (line["stage"] === "rl" ? [Number(line["reward"])] : []));
    expect(notes.filter((note) => note.startsWith("Audit"))).toEqual([]);
    expect(existsSync(join(path, "audit.jsonl"))).toBe(false);
    expect(rewards.at(-1)).toBeGreaterThan(rewards[0]! + 0.2);
  });
});

describe("the audit and the run", () => {
  const functions = [{ file: reward("count-add", count("add ")) }];
  const short = (audit: RlInput["audit"], steps = 20) =>
    wordy(functions, { steps, audit, checkpoint: { everySteps: 4 } });
  const watching: RlInput["audit"] = { windowSteps: 15, repeatAfterSteps: 2, shadow: [strict] };
  /** Without what the audit writes. */
  const trainedOn = (metrics: readonly Record<string, unknown>[]) =>
    metrics.map((line) => Object.fromEntries(Object.entries(line).filter(([name]) => !name.startsWith("audit/"))));

  it("on or off, with held-out rewards that throw, hang or end their worker: the same weights and numbers, bit for bit", async () => {
    const off = await trained("off", short({ enabled: false }, 2));
    expect(off.metrics.some((line) => Object.keys(line).some((name) => name.startsWith("audit/")))).toBe(false);
    const on = await trained("on", short(watching, 2));
    const broken = [
      { file: reward("throws", 'score: () => { throw new Error("No such verifier.") }') },
      { file: reward("hangs", "score: ({ numTokens }) => { while (numTokens > 12); return 1; }") },
      { file: reward("exits", "score: () => process.exit(3)") },
    ];
    const failing = await trained("failing", short({ samplesPerStep: 2, deadlineSeconds: 0.2, shadow: broken }, 2));
    for (const run of [on, failing]) {
      expect(run.hash).toBe(off.hash);
      expect(trainedOn(run.metrics)).toEqual(off.metrics);
    }
    const last = failing.metrics.at(-1)!;
    expect([last["audit/shadow/throws/failed"], last["audit/shadow/exits/failed"]]).toEqual([2, 2]);
    expect(failing.metrics.reduce((sum, line) => sum + Number(line["audit/shadow/hangs/failed"]), 0)).toBeGreaterThan(
      0,
    );
    const [alarm] = failing.alarms;
    expect(alarm).toMatchObject({ step: 1, alarm: "shadow-failure/throws" });
    expect(alarm!.message).toMatch(/failed on 2 of 2 completions.*threw Error: No such verifier\./);
    expect(failing.notes.some((note) => note.includes("No such verifier."))).toBe(true);
  });

  it("held-out rewards that take longer than a step may are failures, and the next step does not wait for them", async () => {
    const slow = {
      file: reward("slow", "score: async () => { await new Promise((done) => setTimeout(done, 300)); return 1; }"),
    };
    const { alarms, metrics } = await trained(
      "slow",
      short({ samplesPerStep: 8, stepSeconds: 0.2, shadow: [slow] }, 3),
    );
    expect(metrics.map((line) => line["audit/shadow/slow/failed"])).toEqual([8, 8, 8]);
    expect(alarms[0]!.message).toMatch(/took longer than 0\.2 s\.$/);
  });

  let trainedWhole: ReturnType<typeof trained> | undefined;
  const neverStopped = () => {
    trainedWhole ??= trained("whole", short(watching));
    return trainedWhole;
  };

  it("stopped and resumed, the alarms and the numbers are those of a run that was never stopped", async () => {
    const whole = await neverStopped();
    expect(whole.alarms.map(({ step }) => step)).toEqual([15, 17]);
    const text = readFileSync(join(whole.path, "audit.jsonl"), "utf8");
    for (const after of [9, 16]) {
      const path = join(work, `stopped-${after}`);
      let steps = 0;
      const reporter = { ...silentReporter, step: () => void steps++ };
      const first = await run(short(watching), path, { reporter, stopRequested: () => steps >= after });
      expect(first.interrupted).toBe(true);
      await run(short(watching), path, { resume: true });
      expect(metricsOf(path)).toEqual(whole.metrics);
      expect(readFileSync(join(path, "audit.jsonl"), "utf8")).toBe(text);
    }
  });

  it("killed after an alarm, the alarm is told again, once", async () => {
    const path = join(work, "killed");
    let steps = 0;
    const reporter = {
      ...silentReporter,
      step: () => {
        // As kill -9 leaves it: steps beyond the newest checkpoint, which is of step 16.
        if (++steps === 19) throw new Error("killed");
      },
    };
    await expect(run(short(watching), path, { reporter })).rejects.toThrow("killed");
    const before = alarmsOf(path).map(({ step }) => step);
    expect(Math.max(...before)).toBeGreaterThan(16);
    await run(short(watching), path, { resume: true });
    expect(alarmsOf(path)).toEqual((await neverStopped()).alarms);
  });

  it("a held-out reward that compares siblings is refused before the first step", async () => {
    const grouped = { file: reward("grouped", "scoreGroup: (inputs) => inputs.map(() => 0)") };
    await expect(run(short({ shadow: [grouped] }), join(work, "grouped"))).rejects.toThrow(
      /Expected held-out rewards that score a completion by itself, but grouped compares siblings/,
    );
  });
});
