import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Arm, loadArms } from "../../src/compare/arm.ts";
import { openStudy } from "../../src/compare/study.ts";
import { tinyRecipe, tinyStages } from "../pipeline/tiny.ts";

const [sft, rl] = tinyStages;
const work = mkdtempSync(join(tmpdir(), "grouper-study-"));
const grpo: Arm = { label: "grpo", recipe: tinyRecipe() };
const dapo: Arm = {
  label: "dapo",
  recipe: tinyRecipe({ stages: [sft!, { ...rl!, algorithm: { type: "dapo" } } as never] }),
};
const options = (name: string) => ({
  dir: join(work, name),
  arms: [grpo, dapo],
  numSeeds: 2,
  numThreads: 1,
  expectation: "With 2 seeds nothing is found.",
  provenance: { commit: "abc" },
});

async function begin(name: string) {
  await using study = await openStudy(options(name));
  return study;
}

describe("a study's folder", () => {
  it("goes on with what it began with, its threads included", async () => {
    expect(await begin("same")).toMatchObject({ continued: false, seeds: [1, 2] });
    await using again = await openStudy({
      ...options("same"),
      numThreads: 2,
      expectation: "Said after a look.",
      provenance: { commit: "def" },
    });
    expect(again.expectation).toBe("With 2 seeds nothing is found.");
    expect(again).toMatchObject({ continued: true, seeds: [1, 2], numThreads: 1, provenance: { commit: "abc" } });
    expect(again.arms.map(({ recipe }) => recipe)).toEqual([grpo.recipe, dapo.recipe]);
  });

  it("refuses a recipe that has changed, and names the key", async () => {
    await begin("changed");
    const changed = {
      ...dapo,
      recipe: tinyRecipe({ stages: [sft!, { ...rl!, algorithm: { type: "dapo" }, steps: 7 } as never] }),
    };
    await expect(openStudy({ ...options("changed"), arms: [grpo, changed] })).rejects.toThrow(
      /Expected dapo as the study in .* began with it, but it has changed \(rl\.steps: 6 then, 7 now\)\. Restore it, or begin another/,
    );
    // Refused, and not locked.
    await begin("changed");
  });

  it("takes a description or another folder for no change", async () => {
    await begin("described");
    const described = { ...dapo, recipe: { ...dapo.recipe, description: "better words", outputDir: "/elsewhere" } };
    await using study = await openStudy({ ...options("described"), arms: [grpo, described] });
    expect(study.continued).toBe(true);
  });

  it("takes a key that an older Grouper did not know for no change", async () => {
    await begin("older");
    const path = join(work, "older", "study.json");
    const file = JSON.parse(readFileSync(path, "utf8"));
    for (const { recipe } of file.arms) delete recipe.engine.bf16Moments;
    writeFileSync(path, JSON.stringify(file));
    expect(await begin("older")).toMatchObject({ continued: true });
  });

  it("refuses other recipes, fewer seeds, and a file of something else", async () => {
    await begin("strict");
    await expect(openStudy({ ...options("strict"), arms: [dapo, grpo] })).rejects.toThrow(
      /\(grpo, dapo\), got dapo, grpo/,
    );
    await expect(openStudy({ ...options("strict"), numSeeds: 1 })).rejects.toThrow(/Expected --seeds 2 or more/);
    writeFileSync(join(work, "strict", "study.json"), "{}");
    await expect(begin("strict")).rejects.toThrow(/is not a study that this version of Grouper wrote/);
  });

  it("takes more seeds, and keeps that it did", async () => {
    await begin("more");
    await using study = await openStudy({ ...options("more"), numSeeds: 5 });
    expect(study).toMatchObject({ seeds: [1, 2, 3, 4, 5], extendedFrom: [2] });
  });

  it("is one process's at a time", async () => {
    await using held = await openStudy(options("held"));
    expect(held.seeds.length).toBe(2);
    await expect(openStudy(options("held"))).rejects.toThrow(/held by process/);
  });
});

describe("recipes to compare", () => {
  const write = (name: string, recipe: object) => {
    const path = join(work, `${name}.yaml`);
    writeFileSync(path, JSON.stringify(recipe));
    return path;
  };
  const { name: _, ...unnamed } = grpo.recipe;

  it("go by their names, or by their files' where they share one", () => {
    const one = write("one", { ...unnamed, name: "same", stages: grpo.recipe.stages });
    const two = write("two", { ...unnamed, name: "same", stages: dapo.recipe.stages });
    const three = write("three", { ...unnamed, name: "own", stages: [rl] });
    expect(loadArms([one, two, three], []).arms.map(({ label }) => label)).toEqual(["one", "two", "own"]);
  });

  it("that train the same are refused, and so is one that evaluates nothing", () => {
    const one = write("first", unnamed);
    const two = write("second", { ...unnamed, description: "the same" });
    expect(() => loadArms([one, two], [])).toThrow(/first and second train the same/);
    const blind = write("blind", { ...unnamed, stages: [sft] });
    expect(() => loadArms([one, blind], [])).toThrow(/blind evaluates nothing/);
  });

  it("take --set alike", () => {
    const paths = [write("p", unnamed), write("q", { ...unnamed, stages: dapo.recipe.stages })];
    const { arms } = loadArms(paths, ["stages.rl.steps=3"]);
    expect(arms.map(({ recipe }) => recipe.stages[1]).map((stage) => stage?.type === "rl" && stage.steps)).toEqual([
      3, 3,
    ]);
  });
});
