/** What a judge's server may send back, and what becomes of it: of replies that are no completion, of the key, of tokens that nobody counted. */
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Budget, BudgetSpent } from "../../src/judge/budget.ts";
import { openCache } from "../../src/judge/cache.ts";
import { Endpoint } from "../../src/judge/endpoint.ts";
import { Judge, type JudgeOptions } from "../../src/judge/judge.ts";
import { keyOf } from "../../src/judge/key.ts";
import { judgeParams } from "../../src/judge/params.ts";
import { type ScriptedReply, type ScriptedServer, scriptedServer } from "./scripted-server.ts";

const folder = mkdtempSync(join(tmpdir(), "grouper-endpoint-"));
afterAll(() => rmSync(folder, { recursive: true }));

const CASE = { question: "What is 2 + 3?", reference: "5", solution: "It is 5" };

function judgeAt(
  { url }: ScriptedServer,
  options: Partial<JudgeOptions> & Partial<ConstructorParameters<typeof Endpoint>[0]> = {},
): Judge {
  const endpoint = new Endpoint({
    name: "judge",
    url,
    model: "m",
    deadlineMs: 20_000,
    retryDelayMs: 5,
    maxTries: 2,
    ...options,
  });
  return new Judge({ endpoint, protocol: "open-r1", controlEvery: 0, maxAsks: 1, ...options });
}

describe("a reply", () => {
  const whole = (finishReason: unknown, extra: object = {}): ScriptedReply => ({
    json: { choices: [{ message: { content: "Verdict: EQUIVALENT" }, finish_reason: finishReason, ...extra }] },
  });

  it.each(["length", "content_filter", "abort", "error", "tool_calls", ""])(
    "that ended by %j has no verdict",
    async (reason) => {
      await using server = await scriptedServer(() => whole(reason));
      expect((await judgeAt(server).ask(CASE)).verdict).toBe("unknown");
    },
  );

  it("that does not say how it ended is whole unless it is full", async () => {
    for (const [tokens, verdict] of [
      [20, "right"],
      [1024, "unknown"],
    ] as const) {
      const usage = { prompt_tokens: 1, completion_tokens: tokens };
      await using server = await scriptedServer(() => ({
        json: { choices: [{ message: { content: "Verdict: EQUIVALENT" } }], usage },
      }));
      expect((await judgeAt(server).ask(CASE)).verdict).toBe(verdict);
    }
  });

  it("whose verdict stands in its reasoning alone, or that is a refusal, has none", async () => {
    for (const message of [
      { content: null, reasoning_content: "Verdict: EQUIVALENT" },
      { content: "", reasoning: "Verdict: EQUIVALENT" },
      { content: null, refusal: "Verdict: EQUIVALENT" },
      {},
    ]) {
      await using server = await scriptedServer(() => ({ json: { choices: [{ message, finish_reason: "stop" }] } }));
      expect((await judgeAt(server).ask(CASE)).verdict).toBe("unknown");
    }
  });

  it.each([
    ["<html><body>502 Bad Gateway. Verdict: EQUIVALENT</body></html>", /expected JSON from .*Bad Gateway/],
    ["", /expected JSON from .*an empty body/],
    ['"Verdict: EQUIVALENT"', /unexpected reply/],
    ['{"choices": [{"message": {"content": ["Verdict: EQUIVALENT"]}}]}', /unexpected reply/],
    ['{"object": "error", "message": "The model `m` does not exist."}', /unexpected reply/],
  ])("%j is a failure, not a verdict", async (raw, message) => {
    await using server = await scriptedServer(() => ({ raw }));
    await expect(judgeAt(server).ask(CASE)).rejects.toThrow(message);
    expect(server.requests).toHaveLength(2);
  });

  it("that comes a byte at a time costs the deadline and no more, with all its tries", async () => {
    await using server = await scriptedServer(() => ({ drip: "Verdict: EQUIVALENT", everyMs: 20 }));
    const start = performance.now();
    await expect(judgeAt(server, { deadlineMs: 300, maxAsks: 3, maxTries: 5 }).ask(CASE)).rejects.toThrow(
      "no complete answer",
    );
    expect(performance.now() - start).toBeLessThan(4000);
  });

  it("that cannot be read does not start the deadline anew when it is asked for again", async () => {
    await using server = await scriptedServer(() => ({ content: "hm", delayMs: 1000 }));
    const start = performance.now();
    await expect(judgeAt(server, { deadlineMs: 1900, maxAsks: 5 }).ask(CASE)).rejects.toThrow(
      "no complete answer within 1.9 s",
    );
    expect(performance.now() - start).toBeLessThan(4500);
    expect(server.requests).toHaveLength(2);
  });
});

describe("the key", () => {
  const apiKey = "canary-0123456789";

  it("is in no message and no file, even where the server quotes it", async () => {
    const cache = openCache(join(folder, "cache"));
    await using server = await scriptedServer((_, count) =>
      count === 0 ? { status: 401, message: `Incorrect key: ${apiKey}` } : `You sent ${apiKey}.\nVerdict: EQUIVALENT`,
    );
    const judge = judgeAt(server, { apiKey, cache, controlEvery: 0 });
    const failure: unknown = await judge.ask(CASE).catch((error: unknown) => error);
    expect(String(failure)).toContain("401: Incorrect key: [key]");
    expect(failure instanceof Error && failure.cause).toBeUndefined();
    const judgement = await judge.ask(CASE);
    expect(judgement).toMatchObject({ verdict: "right", reply: expect.stringContaining("You sent [key].") });
    expect(server.requests[1]!.authorization).toBe(`Bearer ${apiKey}`);
    const files = readdirSync(folder, { recursive: true, encoding: "utf8", withFileTypes: true }).filter((f) =>
      f.isFile(),
    );
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) expect(readFileSync(join(file.parentPath, file.name), "utf8")).not.toContain(apiKey);
  });

  it("is not in the cache's key: who pays does not change the question", async () => {
    const cache = openCache(join(folder, "shared"));
    await using server = await scriptedServer(() => "Verdict: EQUIVALENT");
    await judgeAt(server, { apiKey, cache }).ask(CASE);
    expect((await judgeAt(server, { apiKey: "another-key-of-ours", cache }).ask(CASE)).cached).toBe(true);
  });

  it("is one word, from one place", () => {
    const file = join(folder, "key");
    for (const text of ["", " \n", "two words", "a\nb", "schlüssel"]) {
      writeFileSync(file, text);
      expect(() => keyOf({ apiKeyFile: file })).toThrow(/^Expected the file .*key to hold (a|one) key/);
    }
    writeFileSync(file, "one\n");
    expect(keyOf({ apiKeyFile: file })).toBe("one");
    expect(() => keyOf({ apiKeyFile: file, apiKeyEnv: "HOME" })).toThrow("got both");
    expect(() => keyOf({ apiKeyEnv: "GROUPER_TEST_NO_SUCH" })).toThrow("the environment variable GROUPER_TEST_NO_SUCH");
    expect(keyOf({})).toBeUndefined();
  });

  it("does not belong into the address, and the judge's own fields not into extraBody", () => {
    const parse = (params: object) => judgeParams.safeParse({ url: "http://h/v1", model: "m", ...params }).success;
    expect(parse({})).toBe(true);
    for (const url of [
      "http://user:pass@h/v1",
      "http://h/v1?key=secret",
      "http://h/v1#x",
      "file:///etc/passwd",
      "h/v1",
    ]) {
      expect(parse({ url }), url).toBe(false);
    }
    expect(parse({ extraBody: { top_k: 1 } })).toBe(true);
    for (const field of ["model", "messages", "stream", "n"])
      expect(parse({ extraBody: { [field]: 1 } }), field).toBe(false);
  });
});

describe("a budget", () => {
  /** Most that a question of the length of CASE may take: a token a byte, and 1,024 of the reply. */
  const most = async () => {
    await using server = await scriptedServer(() => "Verdict: DIFFERENT");
    return Buffer.byteLength(JSON.stringify(judgeAt(server).bodyOf(CASE))) + 1024;
  };

  it("in tokens holds where the server counts none: a byte is one", async () => {
    const limit = 2 * (await most());
    for (const usage of [undefined, null, { prompt_tokens: -9, completion_tokens: 1 }, { prompt_tokens: "1" }]) {
      await using server = await scriptedServer(() => ({
        json: { choices: [{ message: { content: "Verdict: DIFFERENT" }, finish_reason: "stop" }], usage },
      }));
      const ledger = join(folder, `uncounted-${JSON.stringify(usage)}.log`);
      const judge = judgeAt(server, { budget: new Budget(ledger, { maxTokens: limit }) });
      await judge.ask(CASE);
      const { numTokens } = await new Budget(ledger, {}).totals();
      const sent = JSON.stringify(server.requests[0]!.body).length;
      expect(numTokens).toBeGreaterThanOrEqual(sent);
      expect(numTokens).toBeLessThan(sent + 200);
      expect(judge.stats.promptTokens + judge.stats.replyTokens).toBe(numTokens);
      await judge.ask({ ...CASE, solution: "a 5" });
      await expect(judge.ask({ ...CASE, solution: "b 5" })).rejects.toThrow(`budget of ${limit} tokens is spent`);
      expect(server.requests).toHaveLength(2);
    }
  });

  it("in tokens is exact, however many ask at once: none beyond it, and as many as one after the other", async () => {
    // 120 tokens each. A request is sent while `most` is left: 0, 120, … 1080 spent, which are 10.
    const limit = (await most()) + 9 * 120 + 60;
    await using server = await scriptedServer((_, count) => ({
      content: "Verdict: DIFFERENT",
      delayMs: 5 + (count % 7),
    }));
    const ledger = join(folder, "exact.log");
    const judges = [1, 2, 3].map(() =>
      judgeAt(server, { deadlineMs: 20_000, budget: new Budget(ledger, { maxTokens: limit }) }),
    );
    const asked = Array.from({ length: 48 }, (_, i) =>
      judges[i % 3]!.ask({ ...CASE, solution: `${String(i).padStart(3, "0")} is 5`.slice(-7) }),
    );
    const ends = await Promise.allSettled(asked);
    expect(ends.filter(({ status }) => status === "fulfilled")).toHaveLength(10);
    for (const end of ends) {
      if (end.status === "rejected") expect(end.reason).toBeInstanceOf(BudgetSpent);
    }
    expect(server.requests).toHaveLength(10);
    expect(await new Budget(ledger, {}).totals()).toEqual({ numRequests: 10, numTokens: 1200 });
  });

  it("lets one of many in where there is room for one, and the next when that one took less", async () => {
    const ledger = join(folder, "room.log");
    const budgets = Array.from({ length: 12 }, () => new Budget(ledger, { maxTokens: 1000 }));
    const ends = await Promise.allSettled(budgets.map((budget) => budget.reserve(600, 400)));
    const granted = ends.flatMap((end) => (end.status === "fulfilled" ? [end.value] : []));
    expect(granted).toHaveLength(1);
    expect(await budgets[0]!.totals()).toEqual({ numRequests: 1, numTokens: 600 });
    await budgets[0]!.settle(granted[0]!, 100);
    const waiting = await budgets[1]!.reserve(900, 10_000);
    const next = budgets[2]!.reserve(500, 10_000);
    await budgets[1]!.settle(waiting, 300);
    await next;
    expect(await budgets[3]!.totals()).toEqual({ numRequests: 3, numTokens: 900 });
  });

  it("books at their most what was lost and what a crash left, and not at all what was never taken", async () => {
    const limit = await most();
    const totals = (name: string) => new Budget(join(folder, name), {}).totals();
    const budgetOf = (name: string) => new Budget(join(folder, name), {});
    await using hung = await scriptedServer(() => "hold");
    await judgeAt(hung, { deadlineMs: 100, budget: budgetOf("hung.log") })
      .ask(CASE)
      .catch(() => null);
    expect(await totals("hung.log")).toEqual({ numRequests: 1, numTokens: limit });
    await using refusing = await scriptedServer(() => ({ status: 429 }));
    await judgeAt(refusing, { budget: budgetOf("refused.log") })
      .ask(CASE)
      .catch(() => null);
    expect(await totals("refused.log")).toEqual({ numRequests: 2, numTokens: 0 });
    await judgeAt(refusing, { url: "http://127.0.0.1:9/v1", budget: budgetOf("unreachable.log") })
      .ask(CASE)
      .catch(() => null);
    expect(await totals("unreachable.log")).toEqual({ numRequests: 2, numTokens: 0 });
    // A process that was killed between asking and hearing.
    await budgetOf("killed.log").reserve(700, 0);
    expect(await totals("killed.log")).toEqual({ numRequests: 1, numTokens: 700 });
    await expect(new Budget(join(folder, "killed.log"), { maxTokens: 1000 }).reserve(400, 5000)).rejects.toThrow(
      "budget of 1000 tokens is spent",
    );
    // A ledger of the version before.
    writeFileSync(join(folder, "before.log"), "\nrequest 0\n\ntokens 120\n");
    expect(await totals("before.log")).toEqual({ numRequests: 1, numTokens: 120 });
  });

  it("is exact after a line that a crash cut", async () => {
    await using server = await scriptedServer(() => "Verdict: DIFFERENT");
    const ledger = join(folder, "cut.log");
    const ask = (solution: string) =>
      judgeAt(server, { budget: new Budget(ledger, { maxRequests: 3 }) }).ask({ ...CASE, solution });
    await ask("a 5");
    appendFileSync(ledger, "request 0123");
    await ask("b 5");
    // The cut line may have been a request that was sent, and counts.
    await expect(ask("c 5")).rejects.toThrow("budget of 3 requests is spent");
    expect(server.requests).toHaveLength(2);
  });

  it("that is spent in the middle costs nothing that is known: a run that goes on reads it from the cache", async () => {
    await using server = await scriptedServer(() => "Verdict: DIFFERENT");
    const [ledger, cache] = [join(folder, "spent.log"), openCache(join(folder, "spent"))];
    const run = async (maxRequests: number) => {
      const judge = judgeAt(server, { cache, budget: new Budget(ledger, { maxRequests }) });
      const asked = ["a 5", "b 5", "c 5"].map((solution) => judge.ask({ ...CASE, solution }));
      return (await Promise.allSettled(asked)).map(({ status }) => status).filter((status) => status === "fulfilled")
        .length;
    };
    expect(await run(2)).toBe(2);
    expect(await run(2)).toBe(2);
    expect(server.requests).toHaveLength(2);
    expect(await run(9)).toBe(3);
    expect(server.requests).toHaveLength(3);
  });

  it("whose ledger cannot be kept sends nothing, and says so in one sentence", async () => {
    await using server = await scriptedServer(() => "Verdict: DIFFERENT");
    // A full disk, and a folder in the place of the file.
    for (const ledger of ["/dev/full", folder]) {
      await expect(judgeAt(server, { budget: new Budget(ledger, { maxRequests: 3 }) }).ask(CASE)).rejects.toThrow(
        /^Expected to keep the judge's budget in the ledger .*(ENOSPC|EISDIR).* Make room/,
      );
    }
    expect(server.requests).toHaveLength(0);
  });
});

describe("a cache", () => {
  it("that cannot be written is said in one sentence", async () => {
    await using server = await scriptedServer(() => "Verdict: DIFFERENT");
    const file = join(folder, "not-a-folder");
    writeFileSync(file, "");
    for (const controlEvery of [0, 64]) {
      await expect(judgeAt(server, { cache: openCache(file), controlEvery }).ask(CASE)).rejects.toThrow(
        /^Expected to keep a judge's replies in its cache .*not-a-folder.*, but: E.* or set cache: false\.$/,
      );
    }
  });

  it("ignores what a killed process left of a write", async () => {
    await using server = await scriptedServer(() => "Verdict: DIFFERENT");
    const root = join(folder, "killed");
    const cache = openCache(root);
    await judgeAt(server, { cache }).ask(CASE);
    const file = readdirSync(root, { recursive: true, encoding: "utf8" }).find((name) => name.endsWith(".json"))!;
    const whole = readFileSync(join(root, file), "utf8");
    rmSync(join(root, file));
    writeFileSync(join(root, `${file}.tmp-1-1`), whole.slice(0, 30));
    expect(await judgeAt(server, { cache }).ask(CASE)).toMatchObject({ verdict: "wrong", cached: false });
    expect(await judgeAt(server, { cache }).ask(CASE)).toMatchObject({ verdict: "wrong", cached: true });
  });
});
