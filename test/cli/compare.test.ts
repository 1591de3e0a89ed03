/** `grouper compare` as a user runs it: to its end, stopped and gone on with, with a run that fails, and refused. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { StudyRun } from "../../src/compare/result.ts";
import { hasNativeEngine } from "../engine/fixtures.ts";
import { type Ended, grouper, start, temporaryFolder, tinyRecipe, writeRecipe } from "./grouper.ts";
import { childrenOf, isAlive, metricsOf } from "./runs.ts";

const work = temporaryFolder();
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** A reward with which every step changes the weights; it waits where a file says so, which changes no number, and fails where one does. */
const reward = `import { existsSync } from "node:fs";
import { defineReward } from "grouper/reward";
export default defineReward({
  description: "Share of digits among the characters.",
  score({ completion }) {
    if (existsSync(${JSON.stringify(join(work, "slow"))})) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    return completion.replace(/[^0-9]/g, "").length / Math.max(1, completion.length);
  },
});
`;

const [sft, rl] = tinyRecipe().stages as [object, object];
const rewards = { functions: ["accuracy", { file: "digits.ts" }], threads: 1 };
/** Quick to train: two steps of the form, six of the method. */
function recipeOf(name: string, type: string): string {
  const stages = [
    { ...sft, steps: 2 },
    { ...rl, steps: 6, algorithm: { type }, rewards },
  ];
  return writeRecipe(
    work,
    tinyRecipe({ name, outputDir: join(work, "runs"), stages: stages as never }),
    `${name}.yaml`,
  );
}

let recipes: [string, string];
beforeAll(() => {
  writeFileSync(join(work, "digits.ts"), reward);
  recipes = [recipeOf("grpo", "grpo"), recipeOf("drgrpo", "drgrpo")];
});

const compare = (name: string, seeds: number, ...rest: string[]) => [
  ...["compare", ...recipes, "--name", name, "--seeds", String(seeds)],
  ...rest,
];
const studyDir = (name: string) => join(work, "runs", `compare-${name}`);

/** Scores of the runs with seed 1. */
function scoresOf({ stdout }: Ended): unknown {
  const { runs } = JSON.parse(stdout) as { runs: (StudyRun & { finalScore: number })[] };
  return runs.filter(({ seed }) => seed === 1).map(({ label, status, finalScore }) => ({ label, status, finalScore }));
}

/** By run, the hashes of all its stages' weights; of runs with that seed. */
function weightsOf(dir: string, seed = 1): Record<string, string> {
  const runs = readdirSync(join(dir, "runs")).filter((name) => name.endsWith(`-seed-${seed}`));
  return Object.fromEntries(
    runs.map((name) => {
      const lineage = JSON.parse(readFileSync(join(dir, "runs", name, "lineage.json"), "utf8"));
      return [name, lineage.map(({ weightsHash }: { weightsHash: string }) => weightsHash).join(" ")];
    }),
  );
}

describe.skipIf(!hasNativeEngine)("grouper compare", () => {
  let whole: Ended;
  beforeAll(async () => {
    whole = await grouper(compare("whole", 2, "--json"));
  });

  it("runs every recipe with every seed, judges, and leaves a page", () => {
    expect(whole.stderr).not.toContain('"event":"error"');
    expect(whole.code).toBe(0);
    const result = JSON.parse(whole.stdout);
    expect(result.interrupted).toBe(false);
    expect(result.runs.map(({ label, seed, status }: StudyRun) => `${label} ${seed} ${status}`)).toEqual([
      "grpo 1 complete",
      "drgrpo 1 complete",
      "grpo 2 complete",
      "drgrpo 2 complete",
    ]);
    expect(result.comparisons[0].final.numSeeds).toBe(2);
    expect(result.expectation.sentence).toMatch(
      /^With 2 seeds not even the largest difference is found four times out of five .* 8 held-out samples/,
    );
    const page = readFileSync(result.page, "utf8");
    expect(page).toContain(result.comparisons[0].sentence.split(":")[0]);
    expect(page.match(/<div class="side /g)?.length).toBe(16);
  });

  it("trains a run that shares stages to the bits of `grouper train`, which shares none", async () => {
    const out = join(work, "alone");
    const { code } = await grouper([
      "train",
      recipes[1],
      "--set",
      "seed=2",
      "--set",
      `outputDir=${out}`,
      "--name",
      "alone",
    ]);
    expect(code).toBe(0);
    const study = join(studyDir("whole"), "runs", "drgrpo-seed-2");
    expect(metricsOf(study)).toEqual(metricsOf(join(out, "alone")));
    expect(weightsOf(studyDir("whole"), 2)["drgrpo-seed-2"]).toBe(weightsOfRun(join(out, "alone")));
    expect(existsSync(join(studyDir("whole"), "shared", "grpo-seed-2", "recipe.json"))).toBe(true);
  });

  it("gives both recipes the same prompts and, until they have learned, the same completions", async () => {
    const first = (label: string) =>
      metricsOf(join(studyDir("whole"), "runs", `${label}-seed-1`)).filter((r) => r["stage"] === "rl");
    const [a, b] = [first("grpo"), first("drgrpo")];
    expect(a[0]).toEqual(b[0]);
    expect(a[1]!["reward"]).toBe(b[1]!["reward"]);
    expect(a.at(-1)).not.toEqual(b.at(-1));
  });

  it("run again runs nothing, and says the same", async () => {
    const again = await grouper(compare("whole", 2, "--json"));
    expect(again.code).toBe(0);
    expect(again.stderr).not.toContain('"event":"began"');
    expect(JSON.parse(again.stdout).comparisons).toEqual(JSON.parse(whole.stdout).comparisons);
  });

  it("stopped by Ctrl-C says how to go on, leaves no process, and ends as if never stopped", async () => {
    writeFileSync(join(work, "slow"), "");
    const running = start(compare("stopped", 1, "--jobs", "2", "--json"));
    await running.until(/"job":"grpo, seed 1","stage":"rl","step":2,/);
    const children = childrenOf(running.child.pid!);
    expect(children.length).toBeGreaterThan(0);
    running.child.kill("SIGINT");
    const stopped = await running.ended;
    rmSync(join(work, "slow"));
    expect(stopped.code).toBe(130);
    expect(stopped.stderr).toMatch(
      /Stopped; what was trained is saved\. Go on with: grouper compare .*grpo\.yaml .*--seeds 1 --name stopped/,
    );
    expect(children.filter(isAlive)).toEqual([]);
    expect(existsSync(join(studyDir("stopped"), "lock"))).toBe(false);

    const done = await grouper(compare("stopped", 1, "--json"));
    expect(done.code).toBe(0);
    expect(scoresOf(done)).toEqual(scoresOf(whole));
    expect(weightsOf(studyDir("stopped"))).toEqual(weightsOf(studyDir("whole")));
  });

  it("killed takes its runs with it, and goes on", async () => {
    writeFileSync(join(work, "slow"), "");
    const running = start(compare("killed", 1, "--jobs", "2", "--json"));
    await running.until(/"job":"grpo, seed 1","stage":"rl","step":2,/);
    const children = childrenOf(running.child.pid!);
    expect(children.length).toBeGreaterThan(0);
    running.child.kill("SIGKILL");
    await running.ended;
    rmSync(join(work, "slow"));
    await expect.poll(() => children.filter(isAlive), { timeout: 30_000 }).toEqual([]);
    const done = await grouper(compare("killed", 1, "--json"));
    expect(done.code).toBe(0);
    expect(weightsOf(studyDir("killed"))).toEqual(weightsOf(studyDir("whole")));
  });

  it("names a run whose process was killed, leaves its pair out, exits with 1, and tries it again", async () => {
    writeFileSync(join(work, "slow"), "");
    const running = start(compare("failing", 1, "--jobs", "1", "--json"));
    await running.until(/"began","job":"drgrpo, seed 1"/);
    await running.until(/"job":"drgrpo, seed 1","stage":"rl","step":1,/);
    process.kill(childrenOf(running.child.pid!)[0]!, "SIGKILL");
    rmSync(join(work, "slow"));
    const ended = await running.ended;
    expect(ended.code).toBe(1);
    const result = JSON.parse(ended.stdout);
    expect(result.runs[1]).toMatchObject({ label: "drgrpo", seed: 1, status: "failed" });
    expect(result.runs[1].reason).toMatch(/Its process was ended by SIGKILL/);
    expect(result.comparisons[0]).toMatchObject({ verdict: "noVerdict", final: null });
    expect(readFileSync(result.page, "utf8")).toContain("Failed, and left out with its pairs: drgrpo, seed 1.");

    const again = await grouper(compare("failing", 1, "--json"));
    expect(again.code).toBe(0);
    expect(scoresOf(again)).toEqual(scoresOf(whole));
  });

  it("refuses a recipe that has changed since the study began", async () => {
    const { code, stderr } = await grouper(compare("whole", 2, "--set", "stages.rl.steps=7"));
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /Expected grpo as the study in .* began with it, but it has changed \(rl\.steps: 6 then, 7 now\)/,
    );
  });
});

function weightsOfRun(dir: string): string {
  const lineage = JSON.parse(readFileSync(join(dir, "lineage.json"), "utf8"));
  return lineage.map(({ weightsHash }: { weightsHash: string }) => weightsHash).join(" ");
}

describe("a comparison that cannot be", () => {
  it.each([
    ["one recipe", () => [recipes[0]], 2, /Expected two recipes or more: grouper compare A\.yaml B\.yaml --seeds 5\./],
    ["no recipe", () => [], 2, /Expected recipes: grouper compare A\.yaml B\.yaml\./],
    ["the same recipe twice", () => [recipes[0], recipes[0]], 1, /train the same\. With the same seeds/],
    [
      "no seeds",
      () => [...recipes, "--seeds", "0"],
      2,
      /Expected a whole number from 1 to 1000 for --seeds, got "0"\./,
    ],
    [
      "a target of 80",
      () => [...recipes, "--target", "80"],
      2,
      /Expected a share above 0 and up to 1 for --target, got "80"\./,
    ],
    ["a name that is a path", () => [...recipes, "--name", "../x"], 2, /Expected --name of letters/],
  ] as [string, () => string[], number, RegExp][])("%s", async (_, args, code, message) => {
    const ended = await grouper(["compare", ...args()]);
    expect(ended.stderr).toMatch(message);
    expect(ended.code).toBe(code);
    expect(ended.stdout).toBe("");
  });
});
