/** `grouper reward` as a script uses it: recipes, questions without completions, names, exit codes. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { grouper, root } from "./grouper.ts";

const work = mkdtempSync(join(tmpdir(), "grouper-cli-reward-"));
afterAll(() => rmSync(work, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(work, name);
  writeFileSync(path, text);
  return path;
}

const questions = write(
  "questions.jsonl",
  '{"question":"2+2?","answer":"#### 4"}\n{"question":"2+3?","answer":"#### 5"}\n',
);
const completions = write(
  "completions.jsonl",
  '{"completion":"<answer>4</answer>","answer":"4"}\n{"completion":"<answer>7</answer>","answer":"4"}\n',
);
const quickstart = join(root, "recipes/quickstart.yaml");

describe("reward test", () => {
  it("tries golds and junk of questions, and calls a second accuracy accuracy-2", async () => {
    const rewards = ["accuracy:{method: numeric}", "accuracy:{method: math}"];
    const { code, stdout, stderr } = await grouper([
      ...["reward", "test", ...rewards, "--data", questions, "--strict", "--json"],
    ]);
    expect([code, stderr]).toEqual([0, ""]);
    const report = JSON.parse(stdout);
    expect(report.rewards.map(({ name }: { name: string }) => name)).toEqual(["accuracy", "accuracy-2"]);
    expect(report).toMatchObject({ numCompletions: 0, golds: { numGolds: 2, top: 2, holds: true } });
  });

  it("tries a recipe's rewards, with their weights, on the recipe's own questions", async () => {
    const { code, stdout, stderr } = await grouper([
      ...["reward", "test", "--recipe", quickstart, "--limit", "20", "--strict"],
    ]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^These rows have no completions: golds and junk alone were tried\.$/m);
    expect(stdout).toMatch(/^golds \(tags\): 20 of 20 score the most that was seen, 1\.100; 0 less/m);
  });

  it("--strict exits with 1 where a reward fails, though it has scored every gold", async () => {
    const picky = write(
      "picky.mjs",
      'export default { description: "", score({ completion, answer }) { if (completion.includes("7")) throw new Error("no 7"); return Number(completion.includes(answer + "<")); } };',
    );
    const { code, stdout } = await grouper(["reward", "test", picky, "--data", completions, "--strict"]);
    expect(stdout).toMatch(/^picky: 1 scored, 0 abstained, 1 failed$/m);
    expect(code).toBe(1);
  });

  it("says what was meant by a mistyped name, and takes what has a slash for a file", async () => {
    const typo = await grouper(["reward", "test", "acuracy", "--data", completions]);
    expect(typo.stderr).toMatch(/got "acuracy"\. Did you mean accuracy\? There are: accuracy, .*/m);
    const file = await grouper(["reward", "test", "./shout", "--data", completions]);
    expect(file.stderr).toMatch(/^Expected a reward file at .*shout, but there is none\.$/m);
    expect([typo.code, file.code]).toEqual([1, 1]);
  });
});

describe("reward list", () => {
  it("says every shipped reward in a sentence, and of one its definition and parameters", async () => {
    const all = await grouper(["reward", "list"]);
    expect([all.code, all.stderr]).toEqual([0, ""]);
    expect(all.stdout).toMatch(/^countdown +1 for the target, 0\.1 for an answer that misses it/m);
    const one = await grouper(["reward", "list", "countdown"]);
    expect(one.stdout).toMatch(
      /^Countdown: does the expression reach the target.*\n\n {2}r = right \| wrong \| missing/,
    );
    expect(one.stdout).toMatch(/^ {2}wrong: number; default 0\.1\. An answer that misses the target/m);
    const judge = await grouper(["reward", "list", "judge"]);
    expect(judge.stdout).toMatch(/^ {2}url: string; required\. OpenAI base URL/m);
    const every = JSON.parse((await grouper(["reward", "list", "--json"])).stdout) as { name: string }[];
    expect(every.map(({ name }) => name)).toEqual(
      readdirSync(join(root, "rewards"))
        .map((file) => file.replace(/\.ts$/, ""))
        .sort(),
    );
  });

  it("refuses a name that is none", async () => {
    const { code, stdout, stderr } = await grouper(["reward", "list", "acuracy"]);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^Expected the name of a shipped reward, got "acuracy"\. Did you mean accuracy\?/);
  });
});

describe("reward fuzz", () => {
  it("writes completions from a recipe's answers and mutates them", async () => {
    const { code, stdout, stderr } = await grouper([
      ...["reward", "fuzz", "--recipe", quickstart, "--limit", "10", "--strict"],
    ]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^right and wrong completions were written from the rows' answers \(tags\)$/m);
    expect(stdout).toMatch(/^10 of 20 completions earn more than 0\.6000/m);
  });
});

describe("reward diff and bench --strict", () => {
  it("diff exits with 1 where an outcome differs, and with 0 where none does", async () => {
    const diff = (other: string) =>
      grouper(["reward", "diff", "accuracy", other, "--data", completions, "--strict"]).then(({ code }) => code);
    expect(await diff("accuracy:{wrong: -1}")).toBe(1);
    expect(await diff("accuracy:{method: numeric}")).toBe(0);
  });

  it("bench exits with 1 where a reward fails", async () => {
    const nan = write("nan.mjs", 'export default { description: "", score: () => Number.NaN };');
    const bench = await grouper(["reward", "bench", nan, "--data", completions, "--repeats", "1", "--strict"]);
    expect(bench.stdout).toMatch(/^ {2}failed 2 times, e\.g\. .*completions\.jsonl:1: Reward "nan" returned NaN/m);
    expect(bench.code).toBe(1);
  });
});

describe("what is missing", () => {
  it.each([
    [
      ["reward", "test", "--data", completions],
      /Expected a reward: grouper reward test REWARD --data FILE; or .* --recipe/,
    ],
    [["reward", "bench", "--recipe", quickstart], /Expected --data with a file of completions\./],
    [["reward", "fuzz", "accuracy"], /Expected --data with a file of completions\./],
    [["reward", "test", "accuracy", "--data", completions, "--stage", "rl"], /Expected --recipe beside --stage\./],
  ])("%j is a usage error", async (args, message) => {
    const { code, stdout, stderr } = await grouper(args);
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([2, ""]);
  });
});
