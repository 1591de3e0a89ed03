import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { RecipeError } from "../src/errors.ts";
import { createRandom } from "../src/random.ts";
import { toRollout } from "../src/rollout.ts";
import { cutRolloutLog, readRolloutLog, rolloutLogPath, writeRolloutLog } from "../src/rollout-log.ts";
import type { ScoredGroup, TrainedRollout } from "../src/types.ts";

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
  return { prompt, rollouts, rewards, rewardWeights: { accuracy: 0.5 + g } };
}

const groups = Array.from({ length: 9 }, (_, g) => groupOf(g));
/** Of each group the first rollout was trained off-policy; of the others, one on-policy and one not at all. */
const trained = groups.map(({ rollouts }, g) =>
  rollouts.map(({ sequence }, i): TrainedRollout => {
    const filled = (value: number) => Float32Array.from(sequence.lossMask, (isTrained) => isTrained * (value + g));
    const advantages = filled(i - 0.25);
    const oldLogprobs = filled(-1);
    if (i === 0) return { advantages, oldLogprobs, logprobs: filled(-2), refLogprobs: filled(-3), values: filled(0.5) };
    return g % 2 === 0 ? { advantages, oldLogprobs, logprobs: oldLogprobs } : { advantages };
  }),
);

describe("the rollout log", () => {
  it("gives every completion back, in order and exactly", async () => {
    const path = rolloutLogPath(await mkdtemp(join(tmpdir(), "grouper-log-")), "rl", 3);
    await writeRolloutLog(path, groups, trained);
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
      const { advantages, oldLogprobs, refLogprobs, logprobs, values } = trained[logged.group]![n % 2]!;
      expect(logged.advantages).toEqual(advantages.subarray(3));
      expect(logged.oldLogprobs).toEqual(oldLogprobs?.subarray(3));
      expect(logged.logprobs).toEqual(logprobs?.subarray(3));
      expect(logged.refLogprobs).toEqual(refLogprobs?.subarray(3));
      expect(logged.values).toEqual(values?.subarray(3));
      expect(logged.reward).toBe(rewards[n % 2]!.total);
      expect(logged.outcomes).toEqual(rewards[n % 2]!.outcomes);
      expect(logged.rewardWeights).toEqual({ accuracy: 0.5 + logged.group });
    });
  });

  it("is a gzip file that other tools read", async () => {
    const path = rolloutLogPath(await mkdtemp(join(tmpdir(), "grouper-log-")), "rl", 3);
    await writeRolloutLog(path, groups, trained);
    const lines = execFileSync("gzip", ["-dc", path], { encoding: "utf8" }).trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).promptId)).toEqual(
      groups.flatMap(({ prompt }) => [prompt.id, prompt.id]),
    );
  });

  it("is cut back to a step: later steps and half-written files go", async () => {
    const run = await mkdtemp(join(tmpdir(), "grouper-log-"));
    for (const step of [1, 2, 10]) await writeRolloutLog(rolloutLogPath(run, "rl", step), groups.slice(0, 1), trained);
    await cutRolloutLog(run, "rl", 2);
    expect((await readdir(dirname(rolloutLogPath(run, "rl", 1)))).sort()).toEqual([
      "step-000001.jsonl.gz",
      "step-000002.jsonl.gz",
    ]);
  });

  describe("damaged: one sentence with the file, the line and the fault", () => {
    const damages: [string, (lines: string[]) => string[] | Buffer, RegExp][] = [
      ["no gzip file", () => Buffer.from("hello"), /cannot be read: incorrect header check\.$/],
      [
        "a file that was cut",
        (lines) => gzipSync(lines.join("\n")).subarray(0, 200),
        /cannot be read: unexpected end of file\.$/,
      ],
      ["a line that is no JSON", ([first]) => [first!, "{"], /line 2 is not JSON\.$/],
      ["a line without tokens", (lines) => edited(lines, 1, { tokenIds: undefined }), /line 2 does not fit: tokenIds/],
      [
        "an unknown outcome",
        (lines) => edited(lines, 0, { outcomes: { a: { status: "lost" } } }),
        /line 1 does not fit: outcomes\.a/,
      ],
      [
        "fewer advantages than tokens",
        (lines) => edited(lines, 1, { advantages: "" }),
        /line 2 has 0 advantages for 2 tokens\.$/,
      ],
      [
        "half a number",
        (lines) => edited(lines, 1, { tokenIds: "AAA=" }),
        /line 2 has tokenIds of 2 bytes, which are no 32-bit numbers\.$/,
      ],
      ["a missing line", ([, ...rest]) => rest, /line 1 is completion 1 of group 0, out of order\.$/],
      ["a missing group", (lines) => lines.slice(2), /line 1 is completion 0 of group 1, out of order\.$/],
      [
        "a group without its prompt",
        (lines) => edited(lines, 2, { prompt: undefined }),
        /line 3 begins a group and has no prompt\.$/,
      ],
    ];
    it.each(damages)("%s", async (_, damage, message) => {
      const { path, lines } = await whole();
      const damaged = damage(lines);
      await writeFile(path, Array.isArray(damaged) ? gzipSync(`${damaged.join("\n")}\n`) : damaged);
      const error = await readRolloutLog(path).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(RecipeError);
      expect((error as RecipeError).message).toMatch(message);
      expect((error as RecipeError).message).toContain(path);
    });

    it("changed bytes, wherever they are: read, or refused in a sentence", async () => {
      const seed = 20_251;
      const random = createRandom(seed);
      const { path, lines } = await whole();
      const bytes = Buffer.from(`${lines.slice(0, 4).join("\n")}\n`);
      let numRefused = 0;
      for (let trial = 0; trial < 300; trial++) {
        const changed = Buffer.from(bytes);
        for (let n = 0; n < 3; n++)
          changed[Math.floor(random.next() * changed.length)] = Math.floor(random.next() * 256);
        await writeFile(path, gzipSync(changed.subarray(0, Math.ceil(random.next() * changed.length))));
        const error = await readRolloutLog(path).then(
          () => null,
          (thrown: unknown) => thrown,
        );
        if (error === null) continue;
        numRefused++;
        expect(error, `seed ${seed}, trial ${trial}: ${String(error)}`).toBeInstanceOf(RecipeError);
      }
      expect(numRefused).toBeGreaterThan(100);
    });
  });
});

async function whole(): Promise<{ path: string; lines: string[] }> {
  const path = rolloutLogPath(await mkdtemp(join(tmpdir(), "grouper-log-")), "rl", 3);
  await writeRolloutLog(path, groups, trained);
  const lines = gunzipSync(await readFile(path))
    .toString()
    .trimEnd()
    .split("\n");
  return { path, lines };
}

function edited(lines: readonly string[], index: number, change: Readonly<Record<string, unknown>>): string[] {
  return lines.map((line, i) => (i === index ? JSON.stringify({ ...JSON.parse(line), ...change }) : line));
}
