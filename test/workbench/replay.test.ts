/** Rewards run again over a real run: its own give every score again; others are compared with what was logged. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RecipeInput } from "../../src/recipe/schema.ts";
import { readRolloutLog, rolloutLogPath } from "../../src/rollout-log.ts";
import { replayRewards } from "../../src/workbench/replay.ts";
import { run, tinyRecipe, tinyStages } from "../pipeline/tiny.ts";

const work = mkdtempSync(join(tmpdir(), "grouper-reward-replay-"));
const path = join(work, "run");
afterAll(() => rmSync(work, { recursive: true, force: true }));

beforeAll(async () => {
  const rl = tinyStages.find(({ type }) => type === "rl")!;
  const { eval: _, ...rest } = rl as typeof rl & { eval?: unknown };
  await run(tinyRecipe({ stages: [{ ...rest, steps: 3 } as RecipeInput["stages"][number]] }), path);
});

function write(name: string, text: string): string {
  const file = join(work, name);
  writeFileSync(file, text);
  return file;
}

describe("replayRewards", () => {
  it("gives every score of the run again with its own rewards", async () => {
    const replay = await replayRewards({ run: path });
    expect(replay).toMatchObject({ stage: "rl", isOwn: true, numFailed: 0, examples: [] });
    expect(replay.rewards).toEqual(["accuracy", "format", "soft-overlong"]);
    expect(replay.steps.map(({ step, numCompletions, numDifferent }) => [step, numCompletions, numDifferent])).toEqual([
      [1, 16, 0],
      [2, 16, 0],
      [3, 16, 0],
    ]);
    expect(replay.correlation).toBeCloseTo(1, 9);
    const log = await readRolloutLog(rolloutLogPath(path, "rl", 2));
    const mean = log.reduce((sum, { reward }) => sum + reward!, 0) / log.length;
    expect(replay.steps[1]!.logged).toBeCloseTo(mean, 12);
  });

  it("judges by another reward with the data's own columns: whom it pays, and which siblings it puts in another order", async () => {
    // Pays completions of even length, which the run did not ask for.
    const body =
      'export default { description: "", score({ fields, answer, numTokens }) { if (fields.answer !== answer) throw new Error("no columns"); return 100 * (1 - numTokens % 2); } };';
    const specs = [{ file: write("even.mjs", body), weight: 1 }];
    const replay = await replayRewards({ run: path, specs, steps: { from: 2, to: 3 } });
    expect(replay).toMatchObject({ isOwn: false, rewards: ["even"], numFailed: 0, numGroups: 8 });
    const logs = await Promise.all([2, 3].map((step) => readRolloutLog(rolloutLogPath(path, "rl", step))));
    const totals = logs.flat().map(({ reward }) => reward!);
    const middle = (Math.min(...totals) + Math.max(...totals)) / 2;
    const byHand = logs.map((log) => {
      const counts = { numPaidByRun: 0, numPaidByReplay: 0 };
      for (const { reward, tokenIds } of log) {
        const isEven = tokenIds.length % 2 === 0;
        if (reward! > middle && !isEven) counts.numPaidByRun++;
        if (reward! <= middle && isEven) counts.numPaidByReplay++;
      }
      return counts;
    });
    expect(byHand.reduce((sum, one) => sum + one.numPaidByReplay, 0)).toBeGreaterThan(0);
    expect(replay.steps.map(({ numPaidByRun, numPaidByReplay }) => ({ numPaidByRun, numPaidByReplay }))).toEqual(
      byHand,
    );
    const reordered = logs.flatMap((log) =>
      [0, 1, 2, 3].filter((group) => {
        const members = log.filter((one) => one.group === group);
        return members.some((a) =>
          members.some(
            (b) =>
              Math.sign(Math.round(1e9 * (a.reward! - b.reward!))) !==
              Math.sign((b.tokenIds.length % 2) - (a.tokenIds.length % 2)),
          ),
        );
      }),
    );
    expect(replay.numReordered).toBe(reordered.length);
    for (const { logged, replayed } of replay.examples) expect(logged! > middle).toBe(replayed === 0);
    expect(replay.examples.length).toBeGreaterThan(0);
    expect(new Set(replay.examples.map(({ step, group, logged }) => `${step} ${group} ${logged! > middle}`)).size).toBe(
      replay.examples.length,
    );
  });

  it("refuses steps that the run does not have, and data that has changed since", async () => {
    await expect(replayRewards({ run: path, steps: { from: 7, to: 9 } })).rejects.toThrow(/\(1 to 3\), got 7 to 9/);
    const changed = join(work, "changed");
    cpSync(path, changed, { recursive: true });
    const file = join(changed, "recipe.json");
    const recipe = JSON.parse(readFileSync(file, "utf8"));
    const rl = recipe.recipe.stages[0];
    writeFileSync(
      file,
      JSON.stringify({ ...recipe, recipe: { ...recipe.recipe, stages: [{ ...rl, data: { ...rl.data, seed: 99 } }] } }),
    );
    await expect(replayRewards({ run: changed })).rejects.toThrow(/Expected the data of .*changed to have the prompt/);
  });
});
