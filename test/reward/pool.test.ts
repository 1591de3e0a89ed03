/** The pool under rewards that misbehave: each failure stays with its own completion, and none becomes a number. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openRewardPool, type RewardPoolOptions } from "../../src/reward/pool.ts";
import type { RewardSpec } from "../../src/reward/reward.ts";
import type { CompletionGroup } from "../../src/reward/units.ts";

const folder = mkdtempSync(join(tmpdir(), "grouper-reward-"));
afterAll(() => rmSync(folder, { recursive: true }));

function rewardFile(name: string, source: string): RewardSpec {
  const file = join(folder, name);
  writeFileSync(file, source);
  return { file, weight: 1 };
}

function groupOf(texts: readonly string[], overrides: Partial<CompletionGroup> = {}): CompletionGroup {
  const completions = texts.map((text) => ({ text, numTokens: text.length, finishReason: "stop" as const }));
  return { prompt: "Q", prefill: "", answer: "1", fields: {}, maxTokens: 100, completions, ...overrides };
}

/** The outcomes of the only reward on each text, and what the pool counted. */
async function scoreTexts(spec: RewardSpec, texts: readonly string[], options: Partial<RewardPoolOptions> = {}) {
  await using pool = await openRewardPool({ rewards: [spec], threads: 2, deadlineMs: 500, ...options });
  const [group] = await pool.score([groupOf(texts)]);
  return { outcomes: group!.map(({ outcomes }) => outcomes[pool.labels[0]!]!), stats: pool.stats };
}

/** Scores the length of a completion, and does what the completion says. */
const OBEDIENT = `
import { spawn } from "node:child_process";
import { closeSync, writeSync } from "node:fs";
import { defineReward } from "grouper/reward";
interface Leak { readonly bytes: number[] }
const leaks: Leak[] = [];
export default defineReward({
  description: "Does what it is told.",
  async score({ completion, fields }): Promise<any> {
    if (completion === "throw") throw new TypeError("no such thing");
    if (completion === "hang") for (;;);
    if (completion === "wait") return new Promise(() => {});
    if (completion === "exit") process.exit(3);
    if (completion === "memory") for (;;) leaks.push({ bytes: new Array(100_000).fill(leaks.length) });
    if (completion === "array") for (const list: number[] = []; ; ) list.push(list.length + 0.5);
    if (completion === "signal") { process.kill(process.pid, "SIGSEGV"); return new Promise(() => {}); }
    if (completion === "abort") process.abort();
    if (completion === "descriptors") for (let fd = 0; fd < 50; fd++) try { closeSync(fd); } catch {}
    if (completion === "promises") Promise.prototype.then = () => { throw new Error("no promises"); };
    if (completion === "garbage") { writeSync(3, Buffer.from([1, 0, 0, 0, 7])); return new Promise(() => {}); }
    if (completion === "odd") throw Object.assign(new Error("no name"), { name: Symbol("no text") });
    if (completion === "later") spawn("sh", ["-c", "sleep 0.2; kill -9 " + process.pid]);
    if (completion === "nan") return NaN;
    if (completion === "infinity") return -Infinity;
    if (completion === "string") return "1";
    if (completion === "boolean") return true;
    if (completion === "undefined") return undefined;
    if (completion === "abstain") return null;
    if (completion === "parts") return { score: 2, parts: { a: 0.5, b: 1.5 } };
    if (completion === "bad parts") return { score: 2, parts: { a: NaN } };
    if (completion === "unhandled") { void Promise.reject(new Error("nobody awaits me")); return 1; }
    if (completion === "timer") { setTimeout(() => { throw new Error("too late"); }, 0); await new Promise((done) => setTimeout(done, 20)); return 1; }
    if (completion === "mutate") (fields as any).seen = true;
    if (completion === "env") return Object.keys(process.env).filter((name) => name.startsWith("GROUPER_TEST")).length;
    return completion.length;
  },
});
`;

describe("a reward that misbehaves", () => {
  const spec = rewardFile("obedient.ts", OBEDIENT);
  const fails: readonly [string, RegExp][] = [
    ["throw", /^Reward "obedient" threw TypeError: no such thing \(obedient\.ts:10:\d+\)$/],
    ["nan", /^Reward "obedient" returned NaN, expected a finite number/],
    ["infinity", /returned -Infinity, expected a finite number/],
    ["string", /returned the text "1", expected a finite number/],
    ["boolean", /returned true, expected/],
    ["undefined", /returned undefined, expected/],
    ["bad parts", /returned the part a: NaN, expected finite numbers/],
    ["abort", /threw TypeError: process\.abort\(\) is not supported in workers/],
    ["unhandled", /left an error uncaught: Error: nobody awaits me/],
    ["timer", /left an error uncaught: Error: too late/],
    ["odd", /threw something that throws when it is looked at$/],
    ["mutate", /threw TypeError: Cannot add property seen/],
  ];

  it("is a failed outcome that names the reward and the reason, and the worker lives on", async () => {
    const { outcomes, stats } = await scoreTexts(
      spec,
      fails.flatMap(([word]) => [word, "four"]),
    );
    for (const [index, [word, expected]] of fails.entries()) {
      const outcome = outcomes[2 * index]!;
      expect(outcome.status, word).toBe("failed");
      expect(outcome.status === "failed" && outcome.error).toMatch(expected);
      expect(outcomes[2 * index + 1], `after ${word}`).toEqual({ status: "scored", score: 4 });
    }
    expect(stats.replacedWorkers).toBe(0);
  });

  it("scores, abstains and reports parts when it behaves", async () => {
    const { outcomes } = await scoreTexts(spec, ["abc", "abstain", "parts"]);
    expect(outcomes).toEqual([
      { status: "scored", score: 3 },
      { status: "abstained" },
      { status: "scored", score: 2, parts: { a: 0.5, b: 1.5 } },
    ]);
  });

  for (const [word, expected] of [
    ["hang", /was killed: it took longer than 500 ms/],
    ["wait", /was killed: it took longer than 500 ms/],
    ["exit", /ended its worker: worker exited with code: 3/],
    ["memory", /ended its worker: .*memory/i],
    // A single array beyond the heap, which V8 answers by aborting its process.
    ["array", /ended its worker: .*memory/i],
    ["signal", /ended its worker: its process was ended by SIGSEGV/],
    ["descriptors", /ended its worker: .+/],
    ["garbage", /ended its worker: it wrote to the descriptors of its worker/],
  ] as const) {
    it(`${word}: the one guilty completion of 64 fails, and every other keeps its score`, async () => {
      const texts = Array.from({ length: 64 }, (_, index) => (index === 37 ? word : "x".repeat(index)));
      const options = word === "memory" || word === "array" ? { memoryMb: 64, deadlineMs: 20_000 } : {};
      const { outcomes, stats } = await scoreTexts(spec, texts, options);
      for (const [index, outcome] of outcomes.entries()) {
        if (index === 37) expect(outcome.status === "failed" && outcome.error).toMatch(expected);
        else expect(outcome, `completion ${index}`).toEqual({ status: "scored", score: index });
      }
      // An end without a deadline gets one more try in a fresh worker, in case an earlier call was to blame.
      expect(stats.replacedWorkers).toBe(word === "hang" || word === "wait" ? 1 : 2);
    });
  }

  it("what a call does to its process is mended by a fresh one, for the next call at the latest", async () => {
    await using pool = await openRewardPool({ rewards: [spec], threads: 1, deadlineMs: 500 });
    await pool.score([groupOf(["promises"])]);
    const [group] = await pool.score([groupOf(["four", "three"])]);
    expect(group!.map(({ outcomes }) => outcomes["obedient"])).toEqual([
      { status: "scored", score: 4 },
      { status: "scored", score: 5 },
    ]);
  });

  it("a worker that ends between two calls is replaced", async () => {
    await using pool = await openRewardPool({ rewards: [spec], threads: 1, deadlineMs: 5000 });
    await pool.score([groupOf(["later"])]);
    await new Promise((done) => setTimeout(done, 1000));
    const [group] = await pool.score([groupOf(["four"])]);
    expect(group![0]!.outcomes["obedient"]).toEqual({ status: "scored", score: 4 });
  });

  it("keeps the error texts of what came before the call that was killed", async () => {
    const { outcomes } = await scoreTexts(spec, ["throw", "parts", "hang", "abc"], { threads: 1 });
    expect(outcomes[0]).toMatchObject({ status: "failed", error: expect.stringContaining("no such thing") });
    expect(outcomes[1]).toEqual({ status: "scored", score: 2, parts: { a: 0.5, b: 1.5 } });
    expect(outcomes[2]).toMatchObject({ status: "failed", error: expect.stringContaining("killed") });
    expect(outcomes[3]).toEqual({ status: "scored", score: 3 });
  });

  it("many hanging calls cost a deadline each and no more", async () => {
    const texts = Array.from({ length: 12 }, (_, index) => (index % 3 === 0 ? "hang" : "abc"));
    const start = performance.now();
    const { outcomes, stats } = await scoreTexts(spec, texts, { deadlineMs: 200 });
    expect(outcomes.filter(({ status }) => status === "failed")).toHaveLength(4);
    expect(outcomes.filter(({ status }) => status === "scored")).toHaveLength(8);
    expect(stats.killedWorkers).toBe(4);
    expect(performance.now() - start).toBeLessThan(20_000);
  });

  it("a call that hangs does not keep the next one waiting: a spare thread stands in long before the deadline", async () => {
    await using pool = await openRewardPool({ rewards: [spec], threads: 1, deadlineMs: 20_000 });
    let isOver = false;
    const hanging = pool.score([groupOf(["wait"])]).finally(() => {
      isOver = true;
    });
    const [others] = await pool.score([groupOf(["a", "bb", "ccc"])]);
    expect(others!.map(({ outcomes }) => outcomes["obedient"])).toEqual(
      [1, 2, 3].map((score) => ({ status: "scored", score })),
    );
    expect(isOver).toBe(false);
    expect(pool.stats.replacedWorkers).toBe(0);
    await Promise.all([pool.close(), expect(hanging).rejects.toThrow("The reward pool was closed")]);
  });

  it("sees no environment variable but the harmless ones and those it was promised", async () => {
    process.env["GROUPER_TEST_SECRET"] = "1";
    process.env["GROUPER_TEST_KEY"] = "1";
    const { outcomes } = await scoreTexts(spec, ["env"], { env: ["GROUPER_TEST_KEY"] });
    expect(outcomes).toEqual([{ status: "scored", score: 1 }]);
  });

  it("two score calls at once do not mix", async () => {
    await using pool = await openRewardPool({ rewards: [spec], threads: 2, deadlineMs: 1000 });
    const [first, second] = await Promise.all([
      pool.score([groupOf(["a", "hang"])]),
      pool.score([groupOf(["bb"]), groupOf(["ccc", "dddd"])]),
    ]);
    expect(first[0]!.map(({ outcomes }) => outcomes["obedient"]!.status)).toEqual(["scored", "failed"]);
    expect(second.flat().map(({ outcomes }) => outcomes["obedient"])).toEqual(
      [2, 3, 4].map((score) => ({ status: "scored", score })),
    );
  });
});

describe("a reward of groups", () => {
  const ranks = `
    import { defineReward } from "grouper/reward";
    export default defineReward({
      description: "Rank by length.",
      scoreGroup: (inputs) => {
        if (inputs[0].completion === "short list") return [1];
        if (inputs[0].completion === "no list") return 1;
        if (inputs[0].completion === "hang") for (;;);
        return inputs.map(({ completion }) => inputs.filter((other) => other.completion.length < completion.length).length);
      },
    });`;

  it("sees the siblings of a prompt together and never those of another", async () => {
    await using pool = await openRewardPool({
      rewards: [rewardFile("ranks.mjs", ranks), { name: "accuracy", weight: 1 }],
      threads: 2,
    });
    const texts = [
      ["aa", "1", "ccc"],
      ["dddd", "e"],
    ];
    const scored = await pool.score(texts.map((group) => groupOf(group)));
    const scoresOf = (label: string) => scored.map((group) => group.map(({ outcomes }) => outcomes[label]));
    const expected = (scores: number[][]) => scores.map((group) => group.map((score) => ({ status: "scored", score })));
    expect(scoresOf("ranks")).toEqual(
      expected([
        [1, 0, 2],
        [1, 0],
      ]),
    );
    expect(scoresOf("accuracy")).toEqual(
      expected([
        [0, 1, 0],
        [0, 0],
      ]),
    );
  });

  it("fails for the whole group when its list has another length or it hangs, and for that group only", async () => {
    await using pool = await openRewardPool({ rewards: [rewardFile("ranks.mjs", ranks)], threads: 1, deadlineMs: 300 });
    const scored = await pool.score([
      groupOf(["short list", "b"]),
      groupOf(["no list"]),
      groupOf(["hang", "b"]),
      groupOf(["a", "bb"]),
    ]);
    const errors = scored.map((group) =>
      group.map(({ outcomes }) => outcomes["ranks"]!).map((o) => (o.status === "failed" ? o.error : o)),
    );
    expect(errors[0]![1]).toBe('Reward "ranks" returned 1 scores, expected a list of 2 scores, one per completion.');
    expect(errors[1]![0]).toBe('Reward "ranks" returned 1, expected a list of 1 scores, one per completion.');
    expect(errors[2]).toEqual(Array(2).fill('Reward "ranks" was killed: it took longer than 300 ms.'));
    expect(errors[3]).toEqual([0, 1].map((score) => ({ status: "scored", score })));
  });
});

describe("a pool that cannot open says why", () => {
  const cases: readonly [string, () => RewardSpec, RegExp][] = [
    [
      "unknown name",
      () => ({ name: "acuracy", weight: 1 }),
      /Expected the name of a shipped reward, got "acuracy"\. Did you mean accuracy\? There are: accuracy, .*format/,
    ],
    ["name with a path", () => ({ name: "../src/cli", weight: 1 }), /Expected the name of a shipped reward/],
    [
      "missing file",
      () => ({ file: join(folder, "none.ts"), weight: 1 }),
      /Expected a reward file at .*none\.ts, but there is none/,
    ],
    ["syntax error", () => rewardFile("syntax.ts", "export default {{"), /syntax\.ts could not be loaded: /],
    [
      "missing import",
      () => rewardFile("import.ts", 'import "./nowhere.ts"; export default 1;'),
      /import\.ts could not be loaded: .*nowhere/,
    ],
    [
      "throws at load",
      () => rewardFile("throws.ts", 'throw new Error("not today");'),
      /throws\.ts could not be loaded: not today/,
    ],
    [
      "no default export",
      () => rewardFile("empty.ts", "export const a = 1;"),
      /to export default defineReward\(.*got no default export/,
    ],
    ["a folder", () => ({ file: folder, weight: 1 }), /Expected a reward file at .*, but it is a folder/],
    [
      "another language",
      () => rewardFile("reward.py", "def reward(): return 1"),
      /Expected a reward file that ends in \.ts, \.js or \.mjs, got .*reward\.py/,
    ],
    [
      "no function",
      () => rewardFile("object.ts", "export default { description: 'x' };"),
      /got an object with keys description\./,
    ],
    [
      "exits at load",
      () => rewardFile("exits.ts", "process.exit(0);"),
      /Loading the file of reward "exits" ended its worker/,
    ],
    [
      "hangs at load",
      () => rewardFile("hangs.ts", "for (;;);"),
      /Loading the file of reward "hangs" took longer than 2000 ms/,
    ],
    [
      "wrong value",
      () => ({ name: "accuracy", weight: 1, params: { method: "nummeric" } }),
      /Reward "accuracy": params\.method: .*, numeric, .*got "nummeric"; did you mean numeric\?$/,
    ],
    [
      "wrong key",
      () => ({ name: "format", weight: 1, params: { stile: "r1" } }),
      /Reward "format": params\.stile: unknown key stile; did you mean style\?$/,
    ],
    [
      "wrong type",
      () => ({ name: "repetition", weight: 1, params: { ngramSize: 2.5 } }),
      /params\.ngramSize: .*got 2\.5/,
    ],
  ];
  for (const [name, spec, expected] of cases) {
    it(name, async () => {
      const opening = openRewardPool({
        rewards: [spec()],
        threads: 1,
        startDeadlineMs: name === "hangs at load" ? 2000 : 60_000,
      });
      await expect(opening).rejects.toThrow(expected);
      await expect(opening).rejects.toMatchObject({ name: "RecipeError" });
    });
  }

  it("two rewards of one name", async () => {
    const twice = [
      { name: "accuracy", weight: 1 },
      { name: "accuracy", weight: 2 },
    ];
    await expect(openRewardPool({ rewards: twice })).rejects.toThrow('got "accuracy" twice');
  });
});

describe("a user's file", () => {
  it("may be TypeScript with enums, zod parameters and a neighbour file, in any folder", async () => {
    writeFileSync(join(folder, "neighbour.ts"), "export enum Bonus { Small = 2, Large = 5 }\n");
    const source = `
      import { z as ours } from "zod";
      import { z as same } from "zod/v4";
      import { defineReward, z, type RewardInput } from "grouper/reward";
      import { Bonus } from "./neighbour";
      class Counter { constructor(private readonly factor: number) {} of(input: RewardInput) { return this.factor * input.numTokens; } }
      export default defineReward({
        description: "Tokens times factor, plus a bonus.",
        params: z.object({ factor: ours.number().default(10), word: same.string() }),
        score: (input, params) => new Counter(params.factor).of(input) + (input.completion.includes(params.word) ? Bonus.Large : 0),
      });`;
    const spec = { ...rewardFile("counter.ts", source), name: "tokens", params: { word: "b" } };
    const { outcomes } = await scoreTexts(spec, ["aaa", "ab"]);
    expect(outcomes).toEqual([30, 25].map((score) => ({ status: "scored", score })));
  });

  it("a pool is closed twice without harm, and then refuses work", async () => {
    const pool = await openRewardPool({ rewards: [{ name: "accuracy", weight: 1 }], threads: 1 });
    await pool.close();
    await pool.close();
    await expect(pool.score([groupOf(["1"])])).rejects.toThrow("The reward pool is closed.");
  });
});
