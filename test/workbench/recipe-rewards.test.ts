/** A recipe's rewards and questions, as the workbench tries them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import YAML from "yaml";
import { recipeRewards } from "../../src/workbench/recipe-rewards.ts";
import { testRewards } from "../../src/workbench/test.ts";
import { tinyRecipe } from "../pipeline/tiny.ts";

const work = mkdtempSync(join(tmpdir(), "grouper-recipe-rewards-"));
afterAll(() => rmSync(work, { recursive: true }));

const path = join(work, "tiny.yaml");
writeFileSync(path, YAML.stringify(tinyRecipe()));

describe("recipeRewards", () => {
  it("are the stage's, with its weights, limits and questions, on which its golds must score most", async () => {
    const { specs, maxTokens, readQuestions } = recipeRewards(path);
    expect(specs.map(({ name, weight }) => [name, weight])).toEqual([
      ["accuracy", 1],
      ["format", 0.5],
      ["soft-overlong", 1],
    ]);
    expect(maxTokens).toBe(12);
    const rows = await readQuestions(5);
    expect(rows.map(({ text }) => text)).toEqual([null, null, null, null, null]);
    const { golds } = await testRewards({ specs, files: [], rows, maxTokens, threads: 1 });
    // Golds and junk have 64 tokens, of which this soft-overlong allows 12: 1 + 0.5 - 1.
    expect(golds).toMatchObject({ numGolds: 5, numLow: 0, top: 0.5, holds: true });
  });

  it("names the stages that there are", () => {
    expect(() => recipeRewards(path, "nope")).toThrow(/Expected the name of an rl stage \(rl\), got nope/);
  });
});
