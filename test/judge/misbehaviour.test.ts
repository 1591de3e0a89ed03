/** Servers that misbehave on the wire or in their replies: each is a failure in one sentence, within the deadline, and never a score. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createSocketServer, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import rewardModel from "../../rewards/reward-model.ts";
import { Endpoint } from "../../src/judge/endpoint.ts";
import { Judge } from "../../src/judge/judge.ts";
import { yesProbability } from "../../src/judge/reward-model.ts";
import { inputOf } from "../rewards/input.ts";
import { scriptedServer } from "./scripted-server.ts";

const CASE = { question: "What is 2 + 3?", reference: "5", solution: "It is 5" };

function judgeAt(url: string, options: Partial<ConstructorParameters<typeof Endpoint>[0]> = {}): Judge {
  const endpoint = new Endpoint({ name: "judge", url, model: "m", deadlineMs: 1500, retryDelayMs: 5, ...options });
  return new Judge({ endpoint, protocol: "open-r1", controlEvery: 0, maxAsks: 1 });
}

/** A server of HTTP that answers as it likes. */
async function rawServer(answer: (response: ServerResponse, request: IncomingMessage, count: number) => void) {
  let count = 0;
  const server = createServer((request, response) => {
    request.resume();
    answer(response, request, count++);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    count: () => count,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

async function failureOf(judge: Judge): Promise<string> {
  const failure: unknown = await judge.ask(CASE).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(Error);
  const { name, message } = failure as Error;
  expect(name).toBe("EndpointFailure");
  // One line, and nothing that writes on a terminal.
  expect(message).toMatch(/^judge \(m at [^\p{Cc}]+$/u);
  return message;
}

const completion = (content: string, extra: object = {}) => ({
  choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }],
  ...extra,
});

describe("on the wire", () => {
  it("a redirection is not followed, so that no key goes elsewhere", async () => {
    await using elsewhere = await rawServer((response) =>
      response.end(JSON.stringify(completion("Verdict: EQUIVALENT"))),
    );
    for (const status of [301, 302, 303, 307, 308]) {
      await using server = await rawServer((response) => {
        response.writeHead(status, { location: `${elsewhere.url}/chat/completions` }).end();
      });
      expect(await failureOf(judgeAt(server.url, { apiKey: "canary-0123456789" }))).toContain(`after 1 try: ${status}`);
      expect(server.count()).toBe(1);
    }
    expect(elsewhere.count()).toBe(0);
  });

  it("a body that was compressed unasked is not unpacked, be it a bomb", async () => {
    const bomb = gzipSync(Buffer.alloc(200 * 1024 * 1024, " "));
    await using server = await rawServer((response) => {
      response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" }).end(bomb);
    });
    const before = process.memoryUsage().rss;
    expect(await failureOf(judgeAt(server.url, { maxTries: 2, deadlineMs: 5000 }))).toMatch(/expected JSON/);
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
  });

  it("a reply without end is given up at its limit", async () => {
    const piece = Buffer.alloc(1024 * 1024, " ");
    await using server = await rawServer((response) => {
      const pour = () => {
        while (!response.destroyed && response.write(piece));
      };
      response.writeHead(200, { "content-type": "application/json" }).on("drain", pour);
      pour();
    });
    await failureOf(judgeAt(server.url, { maxTries: 1, deadlineMs: 8000 }));
  });

  it("a handshake that never ends, and a connection that never speaks, cost the deadline and no more", async () => {
    const sockets: Socket[] = [];
    const silent = createSocketServer((socket) => sockets.push(socket.on("error", () => undefined)));
    await new Promise<void>((done) => silent.listen(0, "127.0.0.1", done));
    const { port } = silent.address() as AddressInfo;
    for (const scheme of ["https", "http"]) {
      const start = performance.now();
      expect(await failureOf(judgeAt(`${scheme}://127.0.0.1:${port}/v1`, { deadlineMs: 300 }))).toContain("0.3 s");
      expect(performance.now() - start).toBeLessThan(2500);
    }
    for (const socket of sockets) socket.destroy();
    await new Promise((done) => silent.close(done));
  });

  it("what is not HTTP at all is said, and tried again no more than allowed", async () => {
    let count = 0;
    const server = createSocketServer((socket) => {
      count++;
      socket.on("error", () => undefined).end("SSH-2.0-OpenSSH_9.6\r\n", () => socket.destroy());
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    await failureOf(judgeAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, { maxTries: 3 }));
    expect(count).toBe(3);
    await new Promise((done) => server.close(done));
  });

  it.each([500, 502, 503, 504, 520])("a storm of %d ends after maxTries", async (status) => {
    await using server = await scriptedServer(() => ({ status, message: "\u001b[31mstorm\u0007\nof errors" }));
    expect(await failureOf(judgeAt(server.url, { maxTries: 3 }))).toContain(`after 3 tries: ${status}`);
    expect(server.requests).toHaveLength(3);
  });

  it("Retry-After may be a date; one that is past, or no time at all, is the usual pause", async () => {
    const rows: readonly [string, number, number][] = [
      [new Date(Date.now() + 2000).toUTCString(), 900, 4000],
      ["1", 990, 4000],
      [new Date(0).toUTCString(), 0, 3000],
      ["soon", 0, 3000],
      ["-5", 0, 3000],
    ];
    await Promise.all(
      rows.map(async ([retryAfter, least, most]) => {
        await using server = await scriptedServer((_, count) =>
          count === 0 ? { status: 429, retryAfter } : "Verdict: EQUIVALENT",
        );
        const start = performance.now();
        expect((await judgeAt(server.url, { deadlineMs: 9000 }).ask(CASE)).verdict).toBe("right");
        expect(performance.now() - start, retryAfter).toBeGreaterThanOrEqual(least);
        expect(performance.now() - start, retryAfter).toBeLessThan(most);
      }),
    );
    await using never = await scriptedServer(() => ({ status: 503, retryAfter: new Date(4e12).toUTCString() }));
    expect(await failureOf(judgeAt(never.url))).toContain("after 1 try: 503");
  });
});

describe("in its replies", () => {
  const RIGHT = completion("Verdict: EQUIVALENT");
  const rows: readonly [string, unknown, RegExp][] = [
    ["an error of status 200", { error: { message: "out of memory", code: 500 } }, /an error: out of memory$/],
    ["an error in a word", { error: "out of memory" }, /an error: out of memory$/],
    ["an error beside a verdict", { ...RIGHT, error: { message: "half of it" } }, /an error: half of it$/],
    ["the error of an older server", { object: "error", message: "no such model" }, /an error: no such model$/],
    [
      "two choices that differ",
      { choices: [...RIGHT.choices, ...completion("Verdict: DIFFERENT").choices] },
      /choices/,
    ],
    ["one choice twice", { choices: [...RIGHT.choices, ...RIGHT.choices] }, /choices/],
    ["a message of parts", completion([{ type: "text", text: "Verdict: EQUIVALENT" }] as never), /content/],
    ["a list of replies", [RIGHT], /unexpected reply/],
  ];
  it.each(rows)("%s is a failure", async (_, json, message) => {
    await using server = await scriptedServer(() => ({ json }));
    expect(await failureOf(judgeAt(server.url, { maxTries: 2 }))).toMatch(message);
    expect(server.requests).toHaveLength(2);
  });

  it.each([0.5, 0.9, 0.99])("JSON that is cut after %f of it is a failure", async (share) => {
    const whole = JSON.stringify(RIGHT);
    await using server = await scriptedServer(() => ({ raw: whole.slice(0, whole.length * share) }));
    expect(await failureOf(judgeAt(server.url, { maxTries: 2 }))).toMatch(/expected JSON/);
  });

  it("an error that is null is none, and neither is a count of tokens that makes no sense", async () => {
    for (const usage of [null, {}, { prompt_tokens: -1, completion_tokens: -1 }, { completion_tokens: "20" }, []]) {
      await using server = await scriptedServer(() => ({ json: { ...RIGHT, error: null, usage } }));
      expect((await judgeAt(server.url).ask(CASE)).verdict).toBe("right");
    }
  });

  it("a long reply that says neither how it ended nor how long it is may have been cut", async () => {
    const reply = (numWords: number) => ({
      choices: [{ message: { content: `${"word ".repeat(numWords)}\nVerdict: EQUIVALENT` } }],
    });
    for (const [numWords, verdict] of [
      [100, "right"],
      [1000, "unknown"],
    ] as const) {
      await using server = await scriptedServer(() => ({ json: reply(numWords) }));
      expect((await judgeAt(server.url).ask(CASE)).verdict).toBe(verdict);
    }
  });

  it("a server may have its own name for the model, but not two", async () => {
    const models = ["m-2026-01-01", "m-2026-01-01", "tiny-fallback", "tiny-fallback", "m-2026-01-01"];
    await using server = await scriptedServer((_, count) => ({ json: { ...RIGHT, model: models[count] } }));
    const judge = judgeAt(server.url, { maxTries: 2 });
    const ask = (solution: string) => judge.ask({ ...CASE, solution });
    expect((await ask("a 5")).verdict).toBe("right");
    expect((await ask("b 5")).verdict).toBe("right");
    await expect(ask("c 5")).rejects.toThrow(/it answered as "tiny-fallback", and as "m-2026-01-01" before/);
    expect((await ask("d 5")).verdict).toBe("right");
  });
});

describe("log-probabilities", () => {
  it("that are no probabilities are no opinion", () => {
    const of = (...logprobs: number[]) =>
      yesProbability(logprobs.map((logprob, index) => ({ token: index === 0 ? "YES" : "NO", logprob })));
    expect(of(Math.log(0.75), Math.log(0.25))).toBeCloseTo(0.75, 12);
    // Rounded to a few digits, and vLLM's minus infinity.
    expect(of(0.0001, -9999)).toBeCloseTo(1, 12);
    for (const wrong of [
      of(3, -1),
      of(0.1),
      of(-0.1, -0.1),
      of(Number.NaN, -1),
      of(Number.POSITIVE_INFINITY, -1),
      of(),
    ]) {
      expect(wrong).toBeUndefined();
    }
    // As tokenizers write them that leave their spaces in.
    expect(
      yesProbability([
        { token: "▁Yes", logprob: Math.log(0.5) },
        { token: "ĠNO", logprob: Math.log(0.5) },
      ]),
    ).toBeCloseTo(0.5, 12);
  });

  it.each([
    ["missing", { choices: [{ message: { content: "YES" } }] }],
    ["null", { choices: [{ logprobs: null }] }],
    ["empty", { choices: [{ logprobs: { content: [] } }] }],
    ["text", { choices: [{ logprobs: { content: [{ top_logprobs: [{ token: "YES", logprob: "NaN" }] }] } }] }],
    ["null within", { choices: [{ logprobs: { content: [{ top_logprobs: [{ token: "YES", logprob: null }] }] } }] }],
    ["above 0", { choices: [{ logprobs: { content: [{ top_logprobs: [{ token: "YES", logprob: 2 }] }] } }] }],
    [
      "of two choices",
      { choices: [1, 2].map(() => ({ logprobs: { content: [{ top_logprobs: [{ token: "YES", logprob: 0 }] }] } })) },
    ],
  ])("%s: a failure, never a score", async (_, json) => {
    await using server = await scriptedServer(() => ({ json }));
    const params = { model: "m", url: server.url, api: "yes-probability", controlEvery: 0, maxTries: 1 };
    const [result] = await rewardModel.scoreGroup([inputOf("x y")], rewardModel.params!.parse(params));
    expect(result).toBeInstanceOf(Error);
  });
});
