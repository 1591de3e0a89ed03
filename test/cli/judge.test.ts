/** Runs with a judge, from the command line: the key stays where it is, a fooled judge and a spent budget stop the run, and it goes on. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type AskedRequest, type ScriptedReply, scriptedServer } from "../judge/scripted-server.ts";
import { grouper, temporaryFolder, tinyRecipe, writeRecipe } from "./grouper.ts";
import { filesOf, traceOf } from "./runs.ts";

const work = temporaryFolder();
afterAll(() => rmSync(work, { recursive: true, force: true }));

const KEY = "canary-0123456789";
const env = { GROUPER_TEST_JUDGE_KEY: KEY };

/** Likes an answer by the number of its digits, and nothing that holds none; says what it was sent. */
function script({ user, authorization }: AskedRequest): ScriptedReply {
  const numDigits = /<judged-\w+>\n([\s\S]*)\n<\/judged/.exec(user)![1]!.replace(/\D/g, "").length;
  return `You sent ${authorization}.\nVerdict: ${numDigits % 2 === 1 ? "EQUIVALENT" : "DIFFERENT"}`;
}

function recipeFor(name: string, url: string, params: object = {}): string {
  const [, rl] = tinyRecipe().stages;
  const judge = {
    url,
    model: "m",
    rule: "none",
    requireStop: false,
    cache: join(work, name, "cache"),
    apiKeyEnv: "GROUPER_TEST_JUDGE_KEY",
  };
  const rewards = { functions: [{ name: "judge", params: { ...judge, controlEvery: 8, ...params } }], threads: 2 };
  const outputDir = join(work, name, "runs");
  mkdirSync(join(work, name), { recursive: true });
  return writeRecipe(
    join(work, name),
    tinyRecipe({ outputDir, stages: [{ ...rl, rewards, steps: 5, eval: undefined } as never] }),
  );
}

const train = (name: string, recipe: string) =>
  grouper(["train", recipe, "--name", "run", "--json"], { env, cwd: join(work, name) });
const runOf = (name: string) => join(work, name, "runs", "run");

describe("a run with a judge", () => {
  it("needs its key before it starts, and writes it nowhere, though the server quotes it in every reply", async () => {
    await using server = await scriptedServer(script);
    const recipe = recipeFor("key", server.url);
    const without = await grouper(["train", recipe, "--name", "run", "--json"], { cwd: join(work, "key") });
    expect(without.code).toBe(1);
    expect(without.stderr).toContain("Expected the environment variable GROUPER_TEST_JUDGE_KEY to hold a key");
    expect(server.requests).toHaveLength(0);
    const { code, stdout, stderr } = await train("key", recipe);
    expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
    expect(server.requests.every(({ authorization }) => authorization === `Bearer ${KEY}`)).toBe(true);
    const files = filesOf(join(work, "key"));
    expect(files.some((file) => file.includes("cache/"))).toBe(true);
    expect(files.some((file) => file.endsWith("metrics.jsonl"))).toBe(true);
    for (const file of files) expect(readFileSync(join(work, "key", file)).includes(KEY), file).toBe(false);
    expect(stdout + stderr).not.toContain(KEY);
    // The scores differ, or nothing would have been learned from the judge.
    expect(
      (await traceOf(runOf("key"))).metrics.some((line) => Number(line["rewards/judge/std"] ?? line["reward_std"]) > 0),
    ).toBe(true);
  });

  it("that accepts an empty answer stops, and says which judge and what it accepted", async () => {
    await using server = await scriptedServer(() => "Verdict: EQUIVALENT");
    const { code, stderr } = await train("fooled", recipeFor("fooled", server.url));
    expect(code).toBe(1);
    expect(stderr).toMatch(/judge \(m at http:.*\) accepted the solution/);
    expect(stderr).not.toContain(KEY);
  });

  it("whose budget is spent stops, stops again on resume, and ends as if nothing had been once it is raised", async () => {
    await using server = await scriptedServer(script);
    const ledger = join(work, "spent", "ledger");
    const spent = await train("spent", recipeFor("spent", server.url, { budget: { ledger, maxRequests: 60 } }));
    expect(spent.code).toBe(1);
    expect(spent.stderr).toMatch(/the judge's budget of 60 requests is spent/);
    expect(server.requests).toHaveLength(60);
    const resume = () => grouper(["train", "--resume", runOf("spent"), "--json"], { env, cwd: join(work, "spent") });
    const again = await resume();
    expect(again.code).toBe(1);
    expect(again.stderr).toMatch(/the judge's budget of 60 requests is spent/);
    expect(server.requests).toHaveLength(60);
    const path = join(runOf("spent"), "recipe.json");
    writeFileSync(path, readFileSync(path, "utf8").replace('"maxRequests": 60', '"maxRequests": 6000'));
    const last = await resume();
    expect([last.code, last.code === 0 ? "" : last.stderr]).toEqual([0, ""]);
    // The run of the first test, which had no budget.
    const [ended, expected] = [await traceOf(runOf("spent")), await traceOf(runOf("key"))];
    expect(ended.checkpoint).toBe(expected.checkpoint);
    expect(ended.rollouts).toEqual(expected.rollouts);
  });
});
