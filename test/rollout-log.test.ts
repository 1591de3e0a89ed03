import { execFileSync } from "node:child_process";
import { mkdtemp, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { toRollout } from "../src/rollout.ts";
import { cutRolloutLog, readRolloutLog, rolloutLogPath, writeRolloutLog } from "../src/rollout-log.ts";
import type { ScoredGroup } from "../src/types.ts";

/** Group g has two completions, of g + 1 and g + 2 tokens. */
function groupOf(g: number): ScoredGroup {
  const prompt = {
    id: `p${g}`,
    text: `Q${g} "é"\n`,
    tokenIds: [1, 2, g],
    prefill: "",
    answer: g === 0 ? null : "4",
    fields: {},
  };
  const rollouts = [1, 2].map((more) =>
    toRollout(prompt, {
      tokenIds: Array.from({ length: g + more }, (_, t) => 150_000 + t),
      logprobs: Float32Array.from({ length: g + more }, (_, t) => -0.1 * (t + 1)),
      text: `answer ${more}\n`,
      finishReason: "stop",
      policyVersion: 7,
    }),
  );
  const rewards = [
    { total: 1, outcomes: { accuracy: { status: "scored" as const, score: 1 } } },
    { total: null, outcomes: { accuracy: { status: "failed" as const, error: "no gold" } } },
  ];
  return { prompt, rollouts, rewards };
}

const groups = Array.from({ length: 9 }, (_, g) => groupOf(g));
const advantages = groups.map(({ rollouts }) =>
  rollouts.map(({ sequence }, i) => Float32Array.from(sequence.lossMask, (trained) => (trained === 1 ? i - 0.25 : 0))),
);

describe("the rollout log", () => {
  it("gives every completion back, in order and exactly", async () => {
    const path = rolloutLogPath(await mkdtemp(join(tmpdir(), "grouper-log-")), "rl", 3);
    await writeRolloutLog(path, groups, advantages);
    const read = await readRolloutLog(path);
    expect(read.map(({ group, index }) => [group, index])).toEqual(
      groups.flatMap((_, g) => [
        [g, 0],
        [g, 1],
      ]),
    );
    read.forEach((logged, n) => {
      const { prompt, rollouts, rewards } = groups[logged.group]!;
      const { completion } = rollouts[n % 2]!;
      expect(logged.prompt).toBe(prompt.text);
      expect(logged.answer).toBe(prompt.answer);
      expect([...logged.promptTokenIds]).toEqual(prompt.tokenIds);
      expect(logged.completion).toBe(completion.text);
      expect([...logged.tokenIds]).toEqual(completion.tokenIds);
      expect(logged.samplingLogprobs).toEqual(completion.logprobs);
      expect(logged.advantages).toEqual(advantages[logged.group]![n % 2]!.subarray(3));
      expect(logged.reward).toBe(rewards[n % 2]!.total);
      expect(logged.outcomes).toEqual(rewards[n % 2]!.outcomes);
    });
  });

  it("is a gzip file that other tools read", async () => {
    const path = rolloutLogPath(await mkdtemp(join(tmpdir(), "grouper-log-")), "rl", 3);
    await writeRolloutLog(path, groups, advantages);
    const lines = execFileSync("gzip", ["-dc", path], { encoding: "utf8" }).trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).promptId)).toEqual(
      groups.flatMap(({ prompt }) => [prompt.id, prompt.id]),
    );
  });

  it("is cut back to a step: later steps and half-written files go", async () => {
    const run = await mkdtemp(join(tmpdir(), "grouper-log-"));
    for (const step of [1, 2, 10])
      await writeRolloutLog(rolloutLogPath(run, "rl", step), groups.slice(0, 1), advantages);
    await cutRolloutLog(run, "rl", 2);
    expect((await readdir(dirname(rolloutLogPath(run, "rl", 1)))).sort()).toEqual([
      "step-000001.jsonl.gz",
      "step-000002.jsonl.gz",
    ]);
  });
});
