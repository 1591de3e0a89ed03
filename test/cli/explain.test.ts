/** `grouper explain` and `grouper replay` as a user calls them. */
import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { type Ended, grouper, root, temporaryFolder, writeLearnable } from "./grouper.ts";
import { metricsOf } from "./runs.ts";

const work = temporaryFolder();
afterAll(() => rmSync(work, { recursive: true, force: true }));
const recipe = writeLearnable(work);
const run = join(work, "runs/tiny");

beforeAll(async () => {
  const set = ["stages.sft.steps=2", "stages.rl.steps=4", "stages.rl.algorithm={type: dapo}"].flatMap((one) => [
    "--set",
    one,
  ]);
  const { code, stderr } = await grouper(["train", recipe, ...set]);
  expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
});

/** The JSON of each command: what scripts may rely on. */
const numbers = z.record(z.string(), z.number());
const formula = z.strictObject({ symbol: z.string(), expression: z.string(), source: z.string() });
const token = z.strictObject({
  text: z.string(),
  tokenId: z.int(),
  advantage: z.number(),
  ratio: z.number().nullable(),
  clip: z.enum(["none", "low", "high", "dual"]),
  mask: z.enum(["excluded", "truncated", "advantage 0", "weight 0"]).nullable(),
  weight: z.number(),
  gradient: z.number(),
  shareOfGroup: z.number(),
  shareOfStep: z.number(),
});
const completion = z.strictObject({
  index: z.int(),
  text: z.string(),
  reward: z.number().nullable(),
  outcomes: z.record(z.string(), z.looseObject({ status: z.string() })),
  finishReason: z.string(),
  advantage: z.number(),
  mask: z.string().nullable(),
  shareOfGroup: z.number(),
  shareOfStep: z.number(),
  tokens: z.array(token).min(1),
});
const explainJson = z.strictObject({
  recipe: z.string().nullable(),
  run: z.string().nullable(),
  stage: z.string(),
  type: z.string(),
  terms: z.strictObject({ objective: z.array(formula).min(3), stage: z.array(formula).min(3) }),
  options: z.array(z.strictObject({ path: z.string(), value: z.unknown(), place: z.string().nullable() })).min(10),
  batch: z.strictObject({
    step: z.int().nullable(),
    loss: z.number(),
    metrics: numbers,
    comparisons: z.array(
      z.strictObject({ name: z.string(), recorded: z.number(), recomputed: z.number(), agrees: z.boolean() }),
    ),
    notes: z.array(z.string()),
    advantagesAgree: z.boolean().nullable(),
    numGroups: z.int(),
    numTokens: z.int(),
    numMoving: z.int(),
    numHeld: z.strictObject({ low: z.int(), high: z.int(), dual: z.int() }),
    top: z.strictObject({ numTokens: z.int(), share: z.number() }),
    shareOfGroup: z.array(z.number()),
  }),
  group: z.strictObject({
    group: z.int(),
    promptId: z.string(),
    prompt: z.string(),
    numPromptTokens: z.int(),
    answer: z.string().nullable(),
    shareOfStep: z.number(),
    completions: z.array(completion),
  }),
});
const matrix = z.array(z.array(z.number().nullable()));
const space = {
  replayed: z.array(
    z.strictObject({
      label: z.string(),
      loss: z.number(),
      clipped: z.strictObject({ low: z.number(), high: z.number(), dual: z.number() }),
      movingShare: z.number(),
      effectiveSampleShare: z.number().nullable(),
      gradientNorm: z.number(),
      gradientPerToken: z.number(),
      metrics: numbers,
    }),
  ),
  notComputable: z.array(z.strictObject({ label: z.string(), reason: z.string() })),
  cosines: matrix,
  aligned: z.array(z.strictObject({ a: z.string(), b: z.string(), cosine: z.number(), scale: z.number() })),
};
const inWeights = z.strictObject({
  ...space,
  model: z.string(),
  stepsBehind: z.int().nullable(),
  gradNorms: z.array(z.number()),
});
const replayJson = z.strictObject({
  run: z.string(),
  stage: z.string(),
  notes: z.array(z.string()),
  steps: z.array(z.strictObject({ step: z.int(), ...space, inWeights: inWeights.nullable() })).min(1),
});

function jsonOf<Value>({ code, stdout, stderr }: Ended, schema: z.ZodType<Value>): Value {
  expect([code, stderr]).toEqual([0, ""]);
  return schema.parse(JSON.parse(stdout));
}

describe("explain", () => {
  it("says the formula with the recipe's numbers, and the line of each that was set", async () => {
    const path = join(root, "recipes/quickstart.yaml");
    const { code, stdout, stderr } = await grouper(["explain", path, "--set", "stages.rl.algorithm.clipHigh=0.5"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("clip(r_t, 0.8, 1.5)");
    expect(stdout).toContain("DAPO, arXiv 2503.14476, eq. 12");
    const line =
      readFileSync(path, "utf8")
        .split("\n")
        .findIndex((text) => text.includes("updatesPerBatch")) + 1;
    expect(stdout).toMatch(new RegExp(`updatesPerBatch +4 +quickstart\\.yaml:${line}:`));
    expect(stdout).toMatch(/algorithm\.clipHigh +0\.5 +--set #1 \(stages\.rl\.algorithm\.clipHigh=0\.5\)/);
    expect(stdout).toContain("algorithm.clipLow=0.2");
    expect(stdout).toContain("A made-up batch");
    expect(stdout).not.toContain("\x1b[");
    for (const text of stdout.split("\n")) expect(text.length, text).toBeLessThanOrEqual(120);
  });

  it.each([
    ["grpo", []],
    ["ppo", ["--set", "stages.rl.critic={}"]],
  ])("has a worked example of %s", async (type, more) => {
    const set = ["--set", `stages.rl.algorithm={type: ${type}}`, ...more];
    const { batch, ...report } = jsonOf(await grouper(["explain", recipe, ...set, "--json"]), explainJson);
    expect(report.type).toBe(type);
    expect([batch.step, batch.advantagesAgree]).toEqual([null, null]);
    expect(batch.numMoving).toBeGreaterThan(4);
  });

  it("recomputes a step of a run, and shows a group token by token", async () => {
    const args = ["explain", "--run", run, "--step", "3", "--group", "1", "--json"];
    const { batch, group } = jsonOf(await grouper(args), explainJson);
    const recorded = metricsOf(run).find(({ stage, step, loss }) => stage === "rl" && step === 3 && loss !== undefined);
    expect(batch.loss).toBeCloseTo(Number(recorded!["loss"]), 10);
    expect(batch.advantagesAgree).toBe(true);
    expect(batch.shareOfGroup).toHaveLength(4);
    expect(group.group).toBe(1);
    expect(group.completions).toHaveLength(4);
    for (const { text, tokens } of group.completions) {
      const spelled = tokens.map((one) => one.text).join("");
      expect(spelled.startsWith(text), `${spelled} for ${text}`).toBe(true);
    }
  });

  it("reads well beside a run", async () => {
    const { code, stdout } = await grouper(["explain", recipe, "--run", run]);
    expect(code).toBe(0);
    expect(stdout).toContain("Step 4 of ");
    expect(stdout).toMatch(/loss +\S+ +\S+ +agrees/);
    expect(stdout).toContain("The formula is the recipe's; the run was trained by another algorithm");
    expect(stdout).toContain("bit for bit");
  });
});

describe("replay", () => {
  it("compares objectives by their tokens and by the weights of the run's own checkpoint", async () => {
    const list = "dapo,drgrpo,dapo:{clipHigh: 0.3, aggregation: seq-mean-token-mean},grpo";
    const { steps } = jsonOf(await grouper(["replay", run, "--objective", list, "--step", "4", "--json"]), replayJson);
    const step = steps[0]!;
    const labels = step.replayed.map(({ label }) => label);
    expect(labels).toEqual(["dapo", "drgrpo", "dapo:{clipHigh: 0.3, aggregation: seq-mean-token-mean}"]);
    expect(step.notComputable).toEqual([
      { label: "grpo", reason: "grpo is not computable: the log has no reference log-probabilities." },
    ]);
    expect(step.inWeights).toMatchObject({ model: join(run, "checkpoints/rl-step-000003/model"), stepsBehind: 0 });
    expect(step.inWeights!.gradNorms).toHaveLength(3);
    for (const ofSpace of [step.cosines, step.inWeights!.cosines]) {
      expect(ofSpace).toHaveLength(3);
      for (const [k, row] of ofSpace.entries()) {
        expect(row[k]).toBeCloseTo(1, 6);
        for (const cosine of row) expect(Math.abs(cosine!)).toBeLessThanOrEqual(1 + 1e-6);
      }
    }
  });

  it("takes a range of steps, and prints tables", async () => {
    const { code, stdout, stderr } = await grouper(["replay", run, "--objective", "dapo,drgrpo", "--step", "1-3"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout.match(/^Step \d, by the log-probabilities/gm)).toHaveLength(3);
    expect(stdout).toContain("[2] drgrpo");
  });
});

describe("what cannot work is said in one sentence", () => {
  const dapo = ["--objective", "dapo"];
  const cases: [string, string[], number, RegExp][] = [
    ["neither recipe nor run", ["explain"], 2, /^Expected a recipe, .* or --run RUN\./],
    ["a step without a run", ["explain", recipe, "--step", "1"], 2, /^Expected --run RUN beside --step\./],
    ["no run folder", ["explain", "--run", work], 1, /^Expected a run folder at /],
    ["a step that was not trained", ["explain", "--run", run, "--step", "9"], 1, /rollouts of \(1 to 4\), got 9\.$/],
    [
      "a stage that is not there",
      ["explain", recipe, "--stage", "sft"],
      1,
      /^Expected the name of an rl stage \(rl\), got sft\.$/,
    ],
    [
      "a group that is not there",
      ["explain", "--run", run, "--group", "4"],
      2,
      /^Expected a group from 0 to 3 for --group, got 4\./,
    ],
    [
      "a completion that is not there",
      ["explain", recipe, "--completion", "5"],
      2,
      /from 0 to 4 for --completion, got 5\./,
    ],
    ["no objective", ["replay", run], 2, /^Expected --objective with a value\./],
    ["an unknown objective", ["replay", run, "--objective", "dpao"], 2, /^--objective dpao does not fit: /],
    [
      "an unknown option",
      ["replay", run, "--objective", "dapo:{clip: 1}"],
      2,
      /^--objective dapo:\{clip: 1\} does not fit: /,
    ],
    ["a broken list", ["replay", run, "--objective", "dapo:}"], 2, /^Expected an objective like dapo/],
    [
      "the same twice",
      ["replay", run, "--objective", "dapo,dapo"],
      2,
      /^Expected different objectives, got dapo twice\./,
    ],
    ["a broken step", ["replay", run, ...dapo, "--step", "3-1"], 2, /^Expected a step or a range for --step/],
    ["steps that are not there", ["replay", run, ...dapo, "--step", "7-9"], 1, /rollouts of \(1 to 4\), got 7-9\.$/],
    [
      "a model for a range",
      ["replay", run, ...dapo, "--step", "1-2", "--model", "x"],
      2,
      /^Expected one --step beside --model/,
    ],
    ["a model that is not there", ["replay", run, ...dapo, "--model", work], 1, /config\.json/],
  ];
  it.each(cases)("%s", async (_, args, exitCode, message) => {
    const { code, stdout, stderr } = await grouper(args);
    const lines = stderr
      .trimEnd()
      .split("\n")
      .filter((line) => !/^Try: grouper \w+ --help$/.test(line));
    expect(lines.join("\n")).toMatch(message);
    expect([code, stdout, lines.length]).toEqual([exitCode, "", 1]);
  });

  it("a run whose log was cut", async () => {
    const copy = join(work, "cut");
    cpSync(run, copy, { recursive: true });
    const logs = join(copy, "rollouts/rl");
    truncateSync(join(logs, readdirSync(logs).sort().at(-1)!), 300);
    const { code, stderr } = await grouper(["explain", "--run", copy]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^Expected a rollout log at .*step-000004.*unexpected end of file\.\n$/),
    ]);
  });

  it("a run whose recipe is of another version", async () => {
    const copy = join(work, "old");
    cpSync(run, copy, { recursive: true });
    writeFileSync(join(copy, "recipe.json"), '{"recipe": {"stages": 3}}');
    const { code, stderr } = await grouper(["replay", copy, ...dapo]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/recipe\.json is not a recipe of this version of Grouper/),
    ]);
  });
});
