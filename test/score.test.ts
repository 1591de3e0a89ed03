/** Totals of a step: weights, abstentions, failures, and where too many failures stop the run. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openRewardPool, type RewardPool } from "../src/reward/pool.ts";
import type { RewardSpec } from "../src/reward/reward.ts";
import { scoreGroups } from "../src/score.ts";
import type { Group } from "../src/types.ts";

const folder = mkdtempSync(join(tmpdir(), "grouper-score-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Scores the number that the completion is; "null" abstains, anything else throws. `offset` is added. */
const NUMBER = `
  import { defineReward, z } from "grouper/reward";
  export default defineReward({
    description: "The number after the reward's own letter.",
    params: z.object({ letter: z.string() }),
    score({ completion }, { letter }) {
      const said = new RegExp(letter + "=(\\\\S+)").exec(completion)?.[1];
      if (said === "null") return null;
      if (said === undefined || Number.isNaN(Number(said))) throw new Error("no number for " + letter);
      return Number(said);
    },
  });`;
const file = join(folder, "number.mjs");
writeFileSync(file, NUMBER);

function groupOf(texts: readonly string[], id = "p0"): Group {
  const prompt = { id, text: "Q<think>", tokenIds: [1], prefill: "<think>", answer: "5", fields: { kind: "test" } };
  const rollouts = texts.map((text) => ({
    completion: {
      tokenIds: [1, 2, 3],
      logprobs: new Float32Array(3),
      text,
      finishReason: "stop" as const,
      policyVersion: 0,
    },
    sequence: { tokenIds: new Int32Array(4), lossMask: new Uint8Array(4), samplingLogprobs: new Float32Array(4) },
  }));
  return { prompt, rollouts };
}

describe("scoreGroups with weights a 1, b 0.5, c 0", () => {
  const specs: RewardSpec[] = [
    { file, name: "a", weight: 1, params: { letter: "a" } },
    { file, name: "b", weight: 0.5, params: { letter: "b" } },
    { file, name: "c", weight: 0, params: { letter: "c" } },
  ];
  let pool: RewardPool;
  beforeAll(async () => {
    pool = await openRewardPool({ rewards: specs, threads: 1 });
  });
  afterAll(() => pool.close());

  const rows: readonly [string, number | null][] = [
    ["a=1 b=1 c=1", 1.5],
    ["a=2 b=-3 c=9", 0.5],
    ["a=null b=4 c=1", 2],
    ["a=0 b=null c=1", 0],
    ["a=null b=null c=1", null],
    ["a=1 b=x c=1", null],
    ["a=1 b=1 c=x", 1.5],
    ["a=null b=NaN c=1", null],
  ];

  it("sums what scored, and gives null when nothing did or anything that counts failed", async () => {
    const groups = [
      groupOf(rows.slice(0, 5).map(([text]) => text)),
      groupOf(
        rows.slice(5).map(([text]) => text),
        "p1",
      ),
    ];
    const scored = await scoreGroups(groups, pool, specs, 100, { maxFailedShare: 1 });
    expect(scored.flatMap(({ rewards }) => rewards.map(({ total }) => total))).toEqual(rows.map(([, total]) => total));
    expect(Object.keys(scored[0]!.rewards[0]!.outcomes)).toEqual(["a", "b", "c"]);
    expect(scored.map(({ rewardWeights }) => rewardWeights)).toEqual(Array(2).fill({ a: 1, b: 0.5, c: 0 }));
    expect(scored[1]!.rewards[0]!.outcomes["b"]).toMatchObject({
      status: "failed",
      error: expect.stringContaining("no number for b"),
    });
    expect(scored[0]!.prompt).toBe(groups[0]!.prompt);
    expect(scored[0]!.rollouts).toBe(groups[0]!.rollouts);
  });

  it("past 5 % of failed completions says why and where, instead of training on the rest", async () => {
    const good = Array.from({ length: 37 }, () => "a=1 b=1 c=1");
    const scored = await scoreGroups([groupOf([...good, "oops", "oops"])], pool, specs, 100, { maxFailedShare: 0.06 });
    expect(scored[0]!.rewards.filter(({ total }) => total === null)).toHaveLength(2);
    const failing = scoreGroups([groupOf(good), groupOf(["a=1", "b=1 c=1", "c=1"], "p7")], pool, specs, 100);
    await expect(failing).rejects.toMatchObject({
      name: "RecipeError",
      message: expect.stringMatching(
        /^Rewards failed on 3 of 40 completions of this step, more than the 5 % allowed\. Reward "a" threw Error: no number for a .*\(2 times, e\.g\. prompt p7, completion 1\)/,
      ),
    });
  });

  it("one failed completion alone never stops a run, however small its steps", async () => {
    const scored = await scoreGroups([groupOf(["oops", "a=1 b=1 c=1"])], pool, specs, 100);
    expect(scored[0]!.rewards.map(({ total }) => total)).toEqual([null, 1.5]);
  });

  it("failures of a reward of weight 0 never stop a run", async () => {
    const scored = await scoreGroups([groupOf(Array(10).fill("a=1 b=1 c=x"))], pool, specs, 100);
    expect(scored[0]!.rewards.map(({ total }) => total)).toEqual(Array(10).fill(1.5));
  });

  it("refuses weights that are all 0", async () => {
    const watched = specs.map((spec) => ({ ...spec, weight: 0 }));
    await expect(scoreGroups([groupOf(["a=1"])], pool, watched, 100)).rejects.toThrow(
      "Expected at least one reward with a weight other than 0",
    );
  });
});

it("rewards see the prompt, the prefill, the answer, the fields, the tokens and the limit", async () => {
  const source = `export default { description: "All or nothing.", score: (input) =>
    Number(JSON.stringify(input) === ${JSON.stringify(
      JSON.stringify({
        prompt: "Q<think>",
        prefill: "<think>",
        answer: "5",
        fields: { kind: "test" },
        maxTokens: 100,
        numTokens: 3,
        finishReason: "stop",
        completion: "hm</think>",
        response: "<think>hm</think>",
      }),
    )}) }`;
  const path = join(folder, "sees.mjs");
  writeFileSync(path, source);
  const specs = [{ file: path, weight: 1 }];
  await using pool = await openRewardPool({ rewards: specs, threads: 1 });
  const scored = await scoreGroups([groupOf(["hm</think>", "else"])], pool, specs, 100);
  expect(scored[0]!.rewards.map(({ total }) => total)).toEqual([1, 0]);
});
