/** Every known trap: a recipe that falls into it, the same recipe a step beside it, and the recipes that we ship. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { measureRun, measureSteps } from "../../src/measured.ts";
import { warningNames } from "../../src/recipe/lint/names.ts";
import type { Measured } from "../../src/recipe/lint/rule.ts";
import { type MeasuredStages, rules } from "../../src/recipe/lint.ts";
import { parseRecipe } from "../../src/recipe/load.ts";
import { type LoggedRollout, rolloutLogPath, writeRolloutLog } from "../../src/rollout-log.ts";
import type { ScoredGroup } from "../../src/types.ts";

const root = resolve(import.meta.dirname, "../..");
const scratch = mkdtempSync(join(tmpdir(), "grouper-lint-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const clean = `model:
  path: models/tiny
stage:
  type: rl
  data: { type: file, path: data/train.jsonl }
  rewards: { functions: [accuracy, format] }
  algorithm: { type: dapo }
  rollout:
    promptsPerStep: 4
    groupSize: 8
    sampling: { maxTokens: 512 }
  steps: 100
  optimizer: { learningRate: 1e-6 }
`;

const vllm = "server={type: vllm, url: 'http://127.0.0.1:8000/v1', publish: {method: disk, dir: p}}";
const tis = "stage.rollout.correction={type: tis}";

function warningsOf(set: readonly string[], measured: MeasuredStages = {}, text = clean): string[] {
  return [...parseRecipe(text, { label: "r.yaml", set, measured }).warnings];
}

function namesOf(warnings: readonly string[]): string[] {
  return warnings.map((line) => /\[([a-z0-9-]+)\]$/.exec(line)?.[1] ?? line);
}

const measured = (fields: Partial<Measured>): MeasuredStages => ({
  rl: {
    run: "runs/x",
    numCompletions: 100,
    medianTokens: 100,
    truncatedShare: 0,
    numMixedGroups: 10,
    numEqualBy: { accuracy: 0, format: 3 },
    ...fields,
  },
});

interface Case {
  readonly set: readonly string[];
  /** One step beside the trap. */
  readonly beside: readonly string[];
  readonly says: RegExp;
  readonly measured?: MeasuredStages;
  readonly measuredBeside?: MeasuredStages;
}

const cases: Readonly<Record<string, Case>> = {
  "sampling-temperature": {
    set: ["stage.rollout.sampling.temperature=0.7"],
    beside: ["stage.rollout.sampling.temperature=1"],
    says: /at temperature 0\.7, not at 1/,
  },
  "sampling-filters": {
    set: ["stage.rollout.sampling.topP=0.95", "stage.rollout.sampling.topK=50", "stage.rollout.sampling.minP=0.1"],
    beside: ["stage.rollout.sampling.topP=1", "stage.rollout.sampling.topK=0"],
    says: /topP 0\.95, topK 50, minP 0\.1: completions come from a filtered distribution/,
  },
  "off-policy": {
    set: [vllm, "stage.rollout.prefetch=1"],
    beside: [vllm, "stage.rollout.prefetch=1", tis],
    says: /one step before they train/,
  },
  "uncorrected-server": { set: [vllm], beside: [vllm, tis], says: /are not the trainer's/ },
  "sequence-product": {
    set: [
      "stage.rollout.sampling.maxTokens=4096",
      "stage.rollout.correction=[{type: geometric-mask}, {type: sequence-mask}]",
    ],
    beside: ["stage.rollout.sampling.maxTokens=4096", "stage.rollout.correction=[{type: geometric-mask}, {type: tis}]"],
    says: /a product of ratios over up to 4096 tokens shrinks with length/,
  },
  "overlong-cap": {
    set: ["stage.rewards.functions=[accuracy, {name: soft-overlong, params: {maxTokens: 1024, bufferTokens: 256}}]"],
    beside: ["stage.rewards.functions=[accuracy, {name: soft-overlong, params: {maxTokens: 512, bufferTokens: 256}}]"],
    says: /from 768 tokens on and reaches -1 at 1024, but completions end at maxTokens 512: it never acts/,
  },
  "dynamic-sampling-details": {
    set: ["stage.rewards.functions=[accuracy, soft-overlong]", "stage.rollout.dynamicSampling={}"],
    beside: ["stage.rewards.functions=[accuracy, soft-overlong]", "stage.rollout.dynamicSampling.metric=accuracy"],
    says: /by soft-overlong alone/,
  },
  "online-window-holds-all": {
    set: ["stage.rollout.prompts.online={min: 0, max: 1, ends: closed}"],
    beside: ["stage.rollout.prompts.online={min: 0, max: 1, ends: open}"],
    says: /every pass rate lies in \[0, 1\]/,
  },
  "never-begins": {
    set: ["stage.rollout.contextSchedule=[{maxTokens: 1024, afterStep: 100}]"],
    beside: ["stage.rollout.contextSchedule=[{maxTokens: 1024, afterStep: 99}]"],
    says: /contextSchedule.0.afterStep.*after step 100, but the stage has 100 steps/,
  },
  "fixed-reward-length": {
    set: [
      "stage.rewards.functions=[accuracy, {name: soft-overlong, params: {maxTokens: 512}}]",
      "stage.rollout.contextSchedule=[{maxTokens: 1024, afterStep: 50}]",
    ],
    beside: [
      "stage.rewards.functions=[accuracy, soft-overlong]",
      "stage.rollout.contextSchedule=[{maxTokens: 1024, afterStep: 50}]",
    ],
    says: /while contextSchedule raises the limit/,
  },
  "eval-context": {
    set: [
      "stage.eval={data: {type: file, path: e.jsonl}}",
      "stage.rollout.contextSchedule=[{maxTokens: 1024, afterStep: 50}]",
    ],
    beside: [
      "stage.eval={data: {type: file, path: e.jsonl}, sampling: {maxTokens: 1024}}",
      "stage.rollout.contextSchedule=[{maxTokens: 1024, afterStep: 50}]",
    ],
    says: /so that its numbers compare/,
  },
  "reward-deadline": {
    set: [
      "stage.rewards.functions=[accuracy, {name: judge, params: {url: 'http://j/v1', model: m, second: {url: 'http://k/v1', model: n}}}]",
    ],
    beside: [
      "stage.rewards.functions=[{name: judge, params: {url: 'http://j/v1', model: m, second: {url: 'http://k/v1', model: n}}}]",
      "stage.rewards.deadlineSeconds=19",
    ],
    says: /a question may take 18 s of its two judges together, but after rewards\.deadlineSeconds 10 /,
  },
  "no-baseline": {
    set: ["stage.algorithm={type: reinforce}"],
    beside: ["stage.algorithm={type: reinforce}", "stage.rollout.groupSize=1"],
    says: /does not look at its 7 siblings/,
  },
  "leave-one-out-std": {
    set: ["stage.algorithm.std=leave-one-out", "stage.rollout.groupSize=16", "stage.rollout.dynamicSampling={}"],
    beside: ["stage.algorithm.std=sample", "stage.rollout.groupSize=16", "stage.rollout.dynamicSampling={}"],
    // (1 - 1/16) / sqrt(1/16): a right answer among sixteen.
    says: /1, where std: sample gives 3\.75/,
  },
  "pair-std": {
    set: ["stage.rollout.groupSize=2"],
    beside: ["stage.rollout.groupSize=2", "stage.algorithm.std=none"],
    says: /every advantage is 0\.71 or -0\.71/,
  },
  "whitened-solved-groups": {
    set: ["stage.algorithm={type: reinforce++-baseline}"],
    beside: ["stage.algorithm={type: reinforce++-baseline}", "stage.rollout.dynamicSampling={}"],
    says: /algorithm\.type: advantages are whitened over the batch/,
  },
  "unclipped-updates": {
    set: ["stage.algorithm={type: rloo}", "stage.updatesPerBatch=4", "stage.epochsPerBatch=2"],
    beside: ["stage.algorithm={type: rloo}"],
    says: /rloo has no clip: with 8 updates per batch/,
  },
  "clip-range": {
    set: ["stage.algorithm.clipLow=3e-4", "stage.algorithm.clipHigh=4e-4"],
    beside: ["stage.algorithm.clipLow=0.2", "stage.algorithm.clipHigh=0.28"],
    says: /became likelier by 0\.0004 nats/,
  },
  "tight-dual-clip": {
    set: ["stage.algorithm.dualClip=1.4"],
    beside: ["stage.algorithm.dualClip=3"],
    says: /is the ratio itself, not an offset from 1: from 1\.4 on/,
  },
  "kl-k1-in-loss": {
    set: ["stage.algorithm.kl={coefficient: 0.01, estimator: k1, placement: loss}"],
    beside: ["stage.algorithm.kl={coefficient: 0.01, estimator: k1, placement: reward}"],
    says: /has mean zero/,
  },
  "unused-reference": {
    set: ["stage.refreshReferenceEverySteps=10"],
    beside: ["stage.refreshReferenceEverySteps=10", "stage.algorithm.kl.coefficient=0.01"],
    says: /dapo has no KL term here/,
  },
  "frozen-reference": {
    set: ["stage.algorithm.kl.coefficient=0.01", "stage.steps=500", "stage.updatesPerBatch=4"],
    beside: [
      "stage.algorithm.kl.coefficient=0.01",
      "stage.steps=500",
      "stage.updatesPerBatch=4",
      "stage.refreshReferenceEverySteps=200",
    ],
    says: /over 2000 optimizer steps/,
  },
  "length-bias": {
    set: ["stage.algorithm={type: grpo}", "stage.rollout.sampling.maxTokens=8192"],
    beside: ["stage.algorithm={type: grpo, aggregation: token-mean}", "stage.rollout.sampling.maxTokens=8192"],
    says: /up to 8192 tokens.*wrong answers grow/,
  },
  "learning-rate": {
    set: ["stage.optimizer.learningRate=1e-4"],
    beside: ["stage.optimizer.learningRate=1e-4", "model.lora.rank=8"],
    says: /0\.0001 for all weights/,
  },
  "warmup-never-ends": {
    set: ["stage.optimizer.warmupSteps=100"],
    beside: ["stage.optimizer.warmupSteps=99"],
    says: /100 warm-up steps, but the stage has 100 optimizer steps/,
  },
  "cap-below-median": {
    set: [],
    beside: [],
    says: /half of the 100 completions in runs\/x have at least 512 tokens or more, but this limit is 512/,
    measured: measured({ medianTokens: 512, truncatedShare: 0.6 }),
    measuredBeside: measured({ medianTokens: 511, truncatedShare: 0.4 }),
  },
  "masked-majority": {
    set: ["stage.rollout.maskTruncated=true"],
    beside: ["stage.rollout.maskTruncated=false"],
    says: /97 % of the completions in runs\/x hit the limit/,
    measured: measured({ truncatedShare: 0.97 }),
    measuredBeside: measured({ truncatedShare: 0.97 }),
  },
  "std-of-details": {
    set: [],
    beside: ["stage.algorithm.std=none"],
    says: /in 9 of the 10 groups in runs\/x whose rewards differ, accuracy is the same throughout/,
    measured: measured({ numEqualBy: { accuracy: 9, format: 0 } }),
    measuredBeside: measured({ numEqualBy: { accuracy: 9, format: 0 } }),
  },
};

describe("rules", () => {
  it("have different names, which are all the names that a recipe can silence, and a source each", () => {
    expect(rules.map(({ name }) => name).sort()).toEqual([...warningNames].sort());
    for (const { source, fix } of rules) {
      expect(source.length).toBeGreaterThan(10);
      expect(fix).not.toMatch(/\.$/);
    }
  });

  it("a recipe without traps has no warnings", () => {
    expect(warningsOf([])).toEqual([]);
  });

  it.each(Object.entries(cases))(
    "%s: named with its place, fix and numbers; not beside it; silenced by name",
    (name, it) => {
      const found = warningsOf(it.set, it.measured);
      const line = found.find((warning) => warning.endsWith(`[${name}]`));
      expect(line, found.join("\n")).toBeDefined();
      expect(line).toMatch(it.says);
      expect(line).toMatch(/^(r\.yaml:\d+:\d+|--set #\d+ \(.*\)) (stages\.0|server)/);
      expect(line).toContain(`; ${rules.find((rule) => rule.name === name)!.fix} [`);
      expect(namesOf(warningsOf(it.beside, it.measuredBeside))).not.toContain(name);
      const silenced = warningsOf([...it.set, `ignoreWarnings=[${name}]`], it.measured);
      expect(silenced).toEqual(found.filter((warning) => warning !== line));
    },
  );

  it("length-constant: a second stage with another limit changes the weight of every answer", () => {
    const stage = (name: string, maxTokens: number) => ({
      type: "rl",
      name,
      data: { type: "file", path: "d.jsonl" },
      rewards: { functions: ["accuracy"] },
      algorithm: { type: "drgrpo" },
      rollout: { promptsPerStep: 4, groupSize: 8, sampling: { maxTokens } },
      steps: 10,
      optimizer: { learningRate: 1e-6 },
    });
    const text = (second: number) =>
      JSON.stringify({ model: { path: "m" }, stages: [stage("short", 1024), stage("long", second)] });
    const [warning, ...others] = warningsOf([], {}, text(4096));
    expect(others).toEqual([]);
    expect(warning).toMatch(/stages\.1\.rollout\.sampling\.maxTokens: .* weighs 0\.25 times .*\[length-constant\]$/);
    expect(warningsOf([], {}, text(1024))).toEqual([]);
  });

  it("a supervised stage is looked at too", () => {
    const sft = { type: "sft", data: { type: "file", path: "d.jsonl" }, steps: 5, batchSize: 2 };
    const text = (warmupSteps: number) =>
      JSON.stringify({ model: { path: "m" }, stage: { ...sft, optimizer: { learningRate: 1e-5, warmupSteps } } });
    expect(namesOf(warningsOf([], {}, text(5)))).toEqual(["warmup-never-ends"]);
    expect(warningsOf([], {}, text(4))).toEqual([]);
  });

  it("ratios to the sampler weigh a batch ahead and the server's numerics themselves", () => {
    const named = (set: readonly string[]) => namesOf(warningsOf(set));
    const ahead = [vllm, "stage.rollout.prefetch=1"];
    expect(named([...ahead, "stage.algorithm={type: dppo}"])).not.toContain("off-policy");
    expect(named([vllm, "stage.algorithm={type: dppo}"])).not.toContain("uncorrected-server");
    expect(named([...ahead, "stage.algorithm={type: dppo, anchor: old}"])).toContain("off-policy");
    expect(named([vllm, "stage.algorithm={type: dppo, anchor: old}"])).toContain("uncorrected-server");
  });

  it("a name that no warning has is refused, with the one that was meant", () => {
    expect(() => warningsOf(["ignoreWarnings=[off-polcy]"])).toThrow(/got "off-polcy"; did you mean off-policy\?/);
  });

  it("an adapter at a rate for all weights, and far above the usual", () => {
    const rate = (learningRate: string) =>
      namesOf(warningsOf([`stage.optimizer.learningRate=${learningRate}`, "model.lora.rank=8"]));
    expect([rate("1e-6"), rate("1e-5"), rate("2e-3")]).toEqual([["learning-rate"], [], ["learning-rate"]]);
  });

  it("whitening over tokens moves solved groups where rewards are decoupled too; over answers it does not", () => {
    const of = (kind: string) => namesOf(warningsOf([`stage.algorithm.rewards=${kind}`]));
    expect(of("decoupled-by-token")).toContain("whitened-solved-groups");
    expect(of("decoupled-by-answer")).not.toContain("whitened-solved-groups");
  });

  it("every trap that is tested here fires, and none is forgotten", () => {
    const elsewhere = ["length-constant"];
    expect([...Object.keys(cases), ...elsewhere].sort()).toEqual([...warningNames].sort());
  });

  it("the README names every one", () => {
    const section = /## Known traps\n([\s\S]*?)\n## /.exec(readFileSync(join(root, "README.md"), "utf8"))?.[1] ?? "";
    expect(warningNames.filter((name) => !section.includes(`\`${name}\``))).toEqual([]);
  });
});

describe("what a run shows", () => {
  const rollout = (group: number, numTokens: number, accuracy: number, format: number): LoggedRollout => ({
    group,
    index: 0,
    promptId: "p",
    prompt: "",
    answer: null,
    completion: "",
    finishReason: numTokens === 9 ? "length" : "stop",
    policyVersion: 0,
    reward: accuracy + 0.1 * format,
    outcomes: { accuracy: { status: "scored", score: accuracy }, format: { status: "scored", score: format } },
    promptTokenIds: new Int32Array(0),
    tokenIds: new Int32Array(numTokens),
    samplingLogprobs: new Float32Array(numTokens),
    advantages: new Float32Array(numTokens),
  });

  it("groups are told apart by step; equal groups are not counted as mixed", () => {
    const first = [rollout(0, 1, 1, 1), rollout(0, 3, 1, 0), rollout(1, 5, 1, 1), rollout(1, 9, 1, 1)];
    const second = [rollout(0, 7, 0, 0), rollout(0, 9, 1, 0)];
    expect(measureSteps([first, second], "runs/x")).toEqual({
      run: "runs/x",
      numCompletions: 6,
      // of 1 3 5 7 9 9
      medianTokens: 6,
      truncatedShare: 2 / 6,
      // (1.1, 1) by format alone; (0, 1) by accuracy alone
      numMixedGroups: 2,
      numEqualBy: { accuracy: 1, format: 1 },
    });
  });

  it("is read from the rollout logs, by stage", async () => {
    const lengths = [4, 4, 2];
    const group: ScoredGroup = {
      prompt: { id: "p", text: "q", tokenIds: [1], prefill: "", answer: null, fields: {} },
      rollouts: lengths.map((length) => ({
        completion: {
          tokenIds: Array.from({ length }, () => 1),
          logprobs: new Float32Array(length),
          text: "",
          finishReason: length === 4 ? ("length" as const) : ("stop" as const),
          policyVersion: 0,
        },
        sequence: {
          tokenIds: new Int32Array(1 + length),
          lossMask: new Uint8Array(1 + length).fill(1, 1),
          samplingLogprobs: new Float32Array(1 + length),
        },
      })),
      rewards: lengths.map((length) => ({
        total: length,
        outcomes: { accuracy: { status: "scored" as const, score: length } },
      })),
    };
    const trained = [lengths.map((length) => ({ advantages: new Float32Array(1 + length) }))];
    await writeRolloutLog(rolloutLogPath(scratch, "rl", 1), [group], trained);
    const { rl } = await measureRun(scratch);
    expect(rl).toMatchObject({ numCompletions: 3, medianTokens: 4, truncatedShare: 2 / 3, numMixedGroups: 1 });
    const warnings = warningsOf(["stage.rollout.sampling.maxTokens=4"], { rl: rl! });
    expect(namesOf(warnings)).toEqual(["cap-below-median"]);
    expect(warnings[0]).toContain("half of the 3 completions");
  });

  it("a folder that is not there is named", async () => {
    await expect(measureRun(join(scratch, "absent"))).rejects.toThrow(
      /Expected a run folder at .*absent, but there is none/,
    );
  });
});
