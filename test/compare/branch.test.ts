/** A run that takes finished stages over ends as one that trained them itself. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { branchRun } from "../../src/compare/branch.ts";
import { filesOf } from "../cli/runs.ts";
import { metricsOf, run, tinyRecipe } from "../pipeline/tiny.ts";

let work: string;
const whole = tinyRecipe();
const first = { ...whole, stages: whole.stages.slice(0, 1) };

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "grouper-branch-"));
  await run(first, join(work, "first"));
});

/** SHA-256 of every file by its path. */
function contentOf(dir: string): Record<string, string> {
  return Object.fromEntries(
    filesOf(dir).map((path) => [
      path,
      createHash("sha256")
        .update(readFileSync(join(dir, path)))
        .digest("hex"),
    ]),
  );
}

describe("a run that begins with another's stages", () => {
  it("ends with the weights, metrics and files of one that trained them itself, and leaves the other as it was", async () => {
    const before = contentOf(join(work, "first"));
    const path = join(work, "branched");
    await branchRun({ path, recipe: whole, provenance: { commit: "c" }, from: join(work, "first") });
    const branched = await run(whole, path, { resume: true });
    const alone = await run(whole, join(work, "alone"));

    expect(branched.finished).toEqual(alone.finished);
    expect(branched.finished.map(({ name }) => name)).toEqual(["sft", "rl"]);
    expect(metricsOf(path)).toEqual(metricsOf(join(work, "alone")));
    expect(filesOf(path)).toEqual(filesOf(join(work, "alone")));
    const lineage = (dir: string) => JSON.parse(readFileSync(join(dir, "lineage.json"), "utf8"));
    expect(lineage(path)).toEqual(lineage(join(work, "alone")));
    expect(contentOf(join(work, "first"))).toEqual(before);
    expect(JSON.parse(readFileSync(join(path, "recipe.json"), "utf8"))).toMatchObject({ commit: "c" });
  });

  it("of another seed does not end with those weights", async () => {
    const recipe = { ...whole, seed: 4 };
    const path = join(work, "other-seed");
    await branchRun({ path, recipe, provenance: {}, from: join(work, "first") });
    const branched = await run(recipe, path, { resume: true });
    const alone = await run(whole, join(work, "same-seed"));
    expect(branched.finished[0]).toEqual(alone.finished[0]);
    expect(branched.finished[1]!.weightsHash).not.toBe(alone.finished[1]!.weightsHash);
  });

  it("begins at the beginning where there is none", async () => {
    const path = join(work, "new");
    await branchRun({ path, recipe: first, provenance: {}, from: null });
    expect(existsSync(join(path, "lock"))).toBe(false);
    const begun = await run(first, path, { resume: true });
    expect(begun.finished.map(({ name }) => name)).toEqual(["sft"]);
  });

  it("is refused where the other has stages to go, and nothing is left of it", async () => {
    const path = join(work, "half");
    await run(whole, path, { stopRequested: () => true });
    const asked = { path: join(work, "of-half"), recipe: whole, provenance: {}, from: path };
    await expect(branchRun(asked)).rejects.toThrow(/Expected a complete run at .*half to begin with/);
    expect(existsSync(join(work, "of-half"))).toBe(false);
  });
});
