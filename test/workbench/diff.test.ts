/** Two versions of a reward whose differences are known. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { RewardSpec } from "../../src/reward/reward.ts";
import { diffRewards } from "../../src/workbench/diff.ts";

const folder = mkdtempSync(join(tmpdir(), "grouper-diff-"));
afterAll(() => rmSync(folder, { recursive: true }));

const file = join(folder, "rows.jsonl");
/** What the two versions say of a completion stands in it: [old, new], null to abstain, "x" to throw. */
const pairs = [
  ["a", 1, 1],
  ["a", 0, 0.5],
  ["b", 0, 1],
  ["b", 1, 0],
  ["c", 2, 2],
  ["c", null, 1],
  ["c", 1, "x"],
  ["d", null, null],
  ["e", 0, 0],
  ["e", 0, 3],
  ["f", 0, 2],
  ["f", 1, 1],
];
writeFileSync(
  file,
  pairs.map(([group, ...scores]) => JSON.stringify({ group, completion: JSON.stringify(scores) })).join("\n"),
);

function version(index: 0 | 1): RewardSpec {
  const path = join(folder, `version.mjs`);
  writeFileSync(
    path,
    `export default { description: "", params: { safeParse: (data) => ({ success: true, data }) }, score: ({ completion }, { index }) => { const score = JSON.parse(completion)[index]; if (score === "x") throw new Error("broken"); return score; } };`,
  );
  return { file: path, weight: 1, params: { index } };
}

describe("diffRewards", () => {
  it("counts what rose, fell and became another kind, and the groups that are ordered anew", async () => {
    const report = await diffRewards({ old: version(0), new: version(1), files: [file], threads: 1 });
    expect(report).toMatchObject({
      numCompletions: 12,
      numSame: 4,
      numRose: 4,
      numFell: 1,
      becameOther: { "abstained to scored": 1, "scored to failed": 1 },
      numUnscoredInBoth: 1,
      meanOld: (1 + 0 + 0 + 1 + 2 + 0 + 0 + 0 + 1) / 9,
      meanNew: (1 + 0.5 + 1 + 0 + 2 + 0 + 3 + 2 + 1) / 9,
      // a keeps its order, b and f turn round, e loses its tie; c and d are not scored throughout, and d is alone.
      numGroups: 4,
      numReordered: 3,
    });
    expect(report.examples.map(({ where }) => Number(where.split(":").at(-1)))).toEqual([6, 7, 10, 11, 3, 4, 2]);
    expect(report.examples[1]!.new).toEqual({
      status: "failed",
      error: expect.stringMatching(/^Reward "new" threw Error: broken/),
    });
  });

  it("finds no difference of a reward to itself", async () => {
    const report = await diffRewards({ old: version(1), new: version(1), files: [file], threads: 1 });
    expect(report).toMatchObject({
      numSame: 10,
      numRose: 0,
      numFell: 0,
      becameOther: {},
      numReordered: 0,
      examples: [],
    });
  });
});
