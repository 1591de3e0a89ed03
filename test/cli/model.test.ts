/** A trained model, measured by `grouper eval` and asked through `grouper serve`. */
import { cpSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { grouper, start, temporaryFolder, tinyRecipe, writeLearnable, writeRecipe } from "./grouper.ts";
import { childrenOf, isAlive } from "./runs.ts";

const work = temporaryFolder();
afterAll(() => rmSync(work, { recursive: true, force: true }));
const model = join(work, "model");
const recipe = writeLearnable(work);

beforeAll(async () => {
  const { code, stderr } = await grouper(["train", recipe, "--name", "run"]);
  expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
  cpSync(join(work, "runs/run/checkpoints/rl-step-000008/model"), model, { recursive: true });
});

describe("eval", () => {
  it("prints a table of pass@k and leaves every sample of every item", async () => {
    const { code, stdout } = await grouper([
      "eval",
      recipe,
      "--model",
      model,
      "--samples",
      "4",
      "--set",
      "stages.rl.eval.metric=digits",
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^prompts +8 x 4 samples$/m);
    expect(stdout).toMatch(/^pass@1 +\d+\.\d % ± \d+\.\d % \(standard error over prompts\)$/m);
    for (const k of [2, 4]) expect(stdout).toMatch(new RegExp(`^pass@${k} +\\d+\\.\\d %$`, "m"));
    expect(stdout).toMatch(/^cons@4 +\d/m);
    const path = /^items +(.*)$/m.exec(stdout)![1]!;
    const items = readFileSync(path, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(items.length).toBe(8);
    for (const { completions, correct, numTokens } of items) {
      expect([completions.length, correct.length, numTokens.length]).toEqual([4, 4, 4]);
    }
    // The table's number is the items' number.
    const share = items.flatMap(({ correct }) => correct).filter((verdict: boolean) => verdict).length / 32;
    expect(Number(/^pass@1 +([\d.]+)/m.exec(stdout)![1])).toBeCloseTo(100 * share, 1);
    expect(share).toBeGreaterThan(0);
  });

  it("the same model and seed give the same samples; --json prints one object", async () => {
    const [a, b] = [
      await grouper(["eval", recipe, "--model", model, "--json"]),
      await grouper(["eval", recipe, "--model", model, "--json"]),
    ];
    const [first, second] = [JSON.parse(a.stdout), JSON.parse(b.stdout)];
    expect(first).toMatchObject({ numPrompts: 8, numSamples: 1, metric: "accuracy" });
    expect(first.run).not.toBe(second.run);
    const itemsOf = (run: string) => readFileSync(join(run, "eval-items.jsonl"), "utf8");
    expect(itemsOf(first.run)).toBe(itemsOf(second.run));
  });

  it("a recipe without evaluation is refused with what to add", async () => {
    const [sft] = tinyRecipe().stages;
    const { code, stderr } = await grouper([
      "eval",
      writeRecipe(work, tinyRecipe({ stages: [sft!] }), "sft.yaml"),
      "--model",
      model,
    ]);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /Expected a recipe with an eval stage, or an rl stage with eval, got neither\. Add one of them\./,
    );
  });
});

describe("serve", () => {
  it("answers requests with the tokens asked for, and SIGTERM ends it with 0 and without an engine left", async () => {
    const server = start(["serve", model, "--port", "0", "--threads", "1"]);
    await server.until(/at http:\S+\n/);
    const engines = childrenOf(server.child.pid!);
    const url = /at (http:\S+)\n/.exec(server.printed())![1]!;
    const reply = await fetch(`${url}/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        model: "model",
        prompt: "12+34=",
        max_tokens: 5,
        temperature: 0,
        ignore_eos: true,
        seed: 1,
      }),
    });
    expect(reply.status).toBe(200);
    const { choices, usage } = (await reply.json()) as {
      choices: { text: string }[];
      usage: { completion_tokens: number };
    };
    expect(choices.length).toBe(1);
    expect(usage.completion_tokens).toBe(5);
    server.child.kill("SIGTERM");
    const { code, stderr } = await server.ended;
    expect([code, stderr]).toEqual([0, ""]);
    expect(engines.filter(isAlive)).toEqual([]);
  });

  it("a port that is taken is said so", async () => {
    const taken = createServer();
    await new Promise<void>((done) => taken.listen(0, "127.0.0.1", done));
    const { port } = taken.address() as { port: number };
    const { code, stderr } = await grouper(["serve", model, "--port", String(port)]);
    taken.close();
    expect(stderr).toBe(
      `Could not listen 127.0.0.1:${port}: another program listens there. Choose another port, e.g. --port 0 for a free one.\n`,
    );
    expect(code).toBe(1);
  });

  it("a folder that is no model, and a key that is not set, are refused", async () => {
    const folder = await grouper(["serve", work]);
    expect([folder.code, folder.stdout]).toEqual([1, ""]);
    expect(folder.stderr).toMatch(/^Expected a tokenizer in .*, but tokenizer\.json is missing/);
    const key = await grouper(["serve", model, "--api-key-env", "GROUPER_TEST_KEY_THAT_IS_NOT_SET"]);
    expect(key.code).toBe(2);
    expect(key.stderr).toMatch(/Expected an API key in the environment variable GROUPER_TEST_KEY_THAT_IS_NOT_SET/);
  });
});
