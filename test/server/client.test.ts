import { createServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type ConnectOptions, connectPolicyServer } from "../../src/server/client.ts";
import { serveEngine } from "../../src/server/embedded.ts";
import type { GroupRequest, PolicyServer } from "../../src/server/server.ts";
import { type ContractOptions, type ContractServer, contractServer, type Fault } from "./contract-server.ts";
import { endId, letters } from "./letters.ts";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

const quick = { policyVersion: 0, retryDelayMs: 5, startTimeoutMs: 5_000, random: () => 0.5 };

async function pair(
  contract: ContractOptions = {},
  options: Partial<ConnectOptions> = {},
): Promise<{ server: ContractServer; client: PolicyServer; retries: string[] }> {
  const server = await contractServer(contract);
  open.push(server);
  const retries: string[] = [];
  const client = await connectPolicyServer({
    ...quick,
    url: server.url,
    onRetry: (text) => retries.push(text),
    ...options,
  });
  open.push(client);
  return { server, client, retries };
}

const group: GroupRequest = {
  prompt: { id: "p1", text: "1+2=", tokenIds: [1, 10, 2, 13], prefill: "", answer: "3", fields: {} },
  numCompletions: 4,
  seed: 100,
  params: { temperature: 1, topP: 1, topK: 0, minP: 0, maxTokens: 20, stopTokenIds: [endId] },
};

/** A fault for the completion requests whose number (from 0, the probe not counted) is in `which`. */
function onCompletions(server: ContractServer, fault: Fault, which: (n: number) => boolean): void {
  let n = 0;
  server.fault = (request) => (request.path === "/v1/completions" && which(n++) ? fault : undefined);
}

describe("sampling", () => {
  it("returns what the model said: ids, log-probabilities of the sampled distribution, text, version", async () => {
    const { server, client } = await pair({}, { policyVersion: 7 });
    const completions = await client.sample(group);
    const expected = await server.base.sample(
      [0, 1, 2, 3].map((i) => ({ promptTokenIds: group.prompt.tokenIds, seed: 100 + i, params: group.params })),
    );
    completions.forEach((completion, i) => {
      expect(completion.tokenIds).toEqual(expected[i]!.tokenIds);
      expect(completion.finishReason).toBe(expected[i]!.finishReason);
      expect(completion.policyVersion).toBe(7);
      completion.logprobs.forEach((logprob, t) => {
        expect(logprob).toBeCloseTo(expected[i]!.logprobs[t]!, 5);
      });
    });
  });

  it("gives the same completions from vLLM's contract and from the embedded server", async () => {
    const { server, client } = await pair();
    const embedded = await serveEngine({ engine: server.base, tokenizer: letters, modelName: "policy" });
    open.push(embedded);
    const other = await connectPolicyServer({ ...quick, url: embedded.url, publish: { method: "embedded" } });
    open.push(other);
    const [a, b] = [await client.sample(group), await other.sample(group)];
    expect(b.map((completion) => [completion.tokenIds, completion.text, completion.finishReason])).toEqual(
      a.map((completion) => [completion.tokenIds, completion.text, completion.finishReason]),
    );
  });

  it("sends every field that shapes the distribution, every time", async () => {
    const { server, client } = await pair({}, { policyVersion: 3 });
    await client.sample(group);
    expect(server.requests.at(-1)?.body).toEqual({
      model: "base",
      prompt: [1, 10, 2, 13],
      n: 4,
      seed: 100,
      temperature: 1,
      top_p: 1,
      top_k: -1,
      min_p: 0,
      repetition_penalty: 1,
      presence_penalty: 0,
      frequency_penalty: 0,
      max_tokens: 20,
      min_tokens: 0,
      stop_token_ids: [endId],
      skip_special_tokens: false,
      logprobs: 0,
      return_token_ids: true,
      cache_salt: "policy-v3",
    });
  });

  it("asks for one choice at a time at temperature 0, where vLLM refuses n > 1", async () => {
    const { server, client } = await pair();
    const greedy = { ...group, params: { ...group.params, temperature: 0 }, exactLogprobs: false };
    const completions = await client.sample(greedy);
    expect(completions).toHaveLength(4);
    expect(new Set(completions.map((completion) => completion.text)).size).toBe(1);
    expect(server.requests.slice(-4).map((request) => request.body.n)).toEqual([1, 1, 1, 1]);
  });

  it("keeps at most maxConcurrency completions in flight", async () => {
    const { server, client } = await pair({ latencyMs: 10 }, { maxConcurrency: 10 });
    const groups = await Promise.all(
      Array.from({ length: 12 }, (_, i) => client.sample({ ...group, seed: 1000 + 4 * i })),
    );
    expect(groups.flat()).toHaveLength(48);
    expect(server.peak).toBe(8);
  });

  it("refuses a request that cannot fit the context before it is sent", async () => {
    const { server, client } = await pair({ maxModelLen: 32 });
    const before = server.requests.length;
    const long = { ...group, params: { ...group.params, maxTokens: 29 } };
    await expect(client.sample(long)).rejects.toThrow(/4 tokens and maxTokens is 29.*is 32: lower maxTokens/);
    expect(server.requests.length).toBe(before);
  });

  it("stops waiting when its signal is aborted, with the signal's reason, and leaves no slot taken", async () => {
    const { server, client } = await pair({}, { maxConcurrency: 4 });
    server.fault = () => "hold";
    const controller = new AbortController();
    const pending = client.sample(group, controller.signal);
    const queued = client.sample({ ...group, seed: 200 }, controller.signal);
    setTimeout(() => controller.abort(new Error("enough")), 50);
    await expect(pending).rejects.toThrow("enough");
    await expect(queued).rejects.toThrow("enough");
    server.fault = undefined;
    expect(await client.sample(group)).toHaveLength(4);
  });
});

describe("log-probabilities away from temperature 1", () => {
  const warm = { ...group, params: { ...group.params, temperature: 0.7 } };

  it("refuses a server whose log-probabilities are raw, and names the flag", async () => {
    const { client } = await pair({ logprobsMode: "raw" });
    await expect(client.sample(warm)).rejects.toThrow(/raw log-probabilities.*--logprobs-mode processed_logprobs/);
  });

  it("accepts processed log-probabilities, which are those sampled from", async () => {
    const { server, client } = await pair({ logprobsMode: "processed" });
    const [first] = await client.sample(warm);
    const exact = Math.log(server.base.distribution(13, warm.params)[first!.tokenIds[0]!]!);
    expect(first!.logprobs[0]).toBeCloseTo(exact, 5);
  });

  it("asks once per connection, and never for evaluation", async () => {
    const { server, client } = await pair({ logprobsMode: "processed" });
    await Promise.all([client.sample(warm), client.sample(warm)]);
    await client.sample(warm);
    expect(server.requests.filter((request) => request.body?.cache_salt === "logprobs-mode")).toHaveLength(2);
    const raw = await pair({ logprobsMode: "raw" });
    expect(await raw.client.sample({ ...warm, exactLogprobs: false })).toHaveLength(4);
  });
});

describe("connecting", () => {
  it("waits for a server that is still loading", async () => {
    const server = await contractServer();
    open.push(server);
    const { url } = server;
    await server.stop();
    const connecting = connectPolicyServer({ ...quick, url });
    setTimeout(() => void server.start(), 300);
    const client = await connecting;
    open.push(client);
    expect(client.info).toEqual({ url, version: "vllm 0.28.1", model: "base", maxModelLen: 128 });
  });

  it("gives up at its deadline and names the URL", async () => {
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve));
    const { port } = free.address() as { port: number };
    await new Promise((resolve) => free.close(resolve));
    const url = `http://127.0.0.1:${port}/v1`;
    await expect(connectPolicyServer({ ...quick, url, startTimeoutMs: 400 })).rejects.toThrow(
      new RegExp(`expected a policy server at http://127.0.0.1:${port}, but GET /health.*0.4 s.*ECONNREFUSED`),
    );
  });

  it("gives up on a server that accepts and never answers", async () => {
    const server = await contractServer();
    open.push(server);
    server.fault = () => "hold";
    await expect(connectPolicyServer({ ...quick, url: server.url, startTimeoutMs: 300 })).rejects.toThrow(
      /did not answer 200/,
    );
  });

  const cases: [string, ContractOptions, Partial<ConnectOptions>, RegExp][] = [
    ["an old server, by version", { version: "0.9.2" }, {}, /vllm 0\.9\.2; return_token_ids needs vLLM 0\.10\.2/],
    ["a missing model, naming those there", { model: "qwen" }, { model: "llama" }, /"llama".*server has: qwen/],
    ["a missing key", { apiKey: "k3y" }, {}, /401.*apiKeyEnv/],
    ["a wrong key", { apiKey: "k3y" }, { apiKey: "k" }, /401.*apiKeyEnv/],
    ["disk publishing without dev mode", {}, { publish: { method: "disk" } }, /VLLM_SERVER_DEV_MODE=1/],
    [
      "disk publishing before 0.16",
      { devMode: true, version: "0.15.1" },
      { publish: { method: "disk" } },
      /needs vLLM 0\.16/,
    ],
  ];
  for (const [what, contract, options, message] of cases) {
    it(`refuses ${what}`, async () => {
      await expect(pair(contract, options)).rejects.toThrow(message);
    });
  }

  it("accepts the right key", async () => {
    const { client } = await pair({ apiKey: "k3y" }, { apiKey: "k3y" });
    expect(await client.sample(group)).toHaveLength(4);
  });

  it("refuses a server of unknown version that returns no token ids, naming the version needed", async () => {
    const server = await contractServer({ version: "0.9.2" });
    open.push(server);
    server.fault = (request) => (request.path === "/version" ? { status: 404 } : undefined);
    await expect(connectPolicyServer({ ...quick, url: server.url })).rejects.toThrow(
      /no token ids.*vLLM 0\.10\.2 or newer/,
    );
  });
});

describe("faults that pass", () => {
  it("repeats a request that was refused with 429 no sooner than Retry-After", async () => {
    const { server, client, retries } = await pair();
    onCompletions(server, { status: 429, headers: { "retry-after": "0.4" } }, (n) => n === 0);
    const start = performance.now();
    expect(await client.sample(group)).toHaveLength(4);
    expect(performance.now() - start).toBeGreaterThan(390);
    expect(retries).toHaveLength(1);
    expect(retries[0]).toMatch(/429/);
  });

  it("survives 500 on a tenth of all requests with the same samples as a healthy server", async () => {
    const { server, client } = await pair({}, { maxTries: 6 });
    const requests = Array.from({ length: 40 }, (_, i) => ({ ...group, seed: 1000 + 4 * i }));
    const clean = await Promise.all(requests.map((request) => client.sample(request)));
    let failed = 0;
    onCompletions(server, { status: 500 }, (n) => {
      const fails = (n * 7919) % 10 === 3;
      if (fails) failed++;
      return fails;
    });
    const noisy = await Promise.all(requests.map((request) => client.sample(request)));
    expect(failed).toBeGreaterThan(3);
    expect(noisy.map((one) => one.map((c) => c.tokenIds))).toEqual(clean.map((one) => one.map((c) => c.tokenIds)));
  });

  const passing: [string, Fault][] = [
    ["nonsense in place of JSON", { status: 200, body: "<html>busy</html>" }],
    ["an empty body", { status: 200, body: "" }],
    ["JSON of another shape", { status: 200, body: '{"choices": 3, "model": "base"}' }],
    ["a connection that is reset", "reset"],
    ["a reply that is cut in the middle", "cut"],
    ["503 from a proxy", { status: 503, body: "upstream down" }],
    ["a request that is never answered", "hold"],
    ["a body that drips", "drip"],
    ["an answer of another model", { mutate: (reply) => ({ ...reply, model: "other" }) }],
    ["a choice that came twice", { mutate: (reply) => ({ ...reply, choices: [...reply.choices, reply.choices[0]] }) }],
  ];
  for (const [what, fault] of passing) {
    it(`asks again after ${what}, and never returns a part`, async () => {
      const { server, client, retries } = await pair({}, { requestTimeoutMs: 300 });
      const clean = await client.sample(group);
      onCompletions(server, fault, (n) => n === 0);
      const again = await client.sample(group);
      expect(again).toEqual(clean);
      expect(retries).toHaveLength(1);
    });
  }

  it("takes reordered choices by their index", async () => {
    const { server, client, retries } = await pair();
    const clean = await client.sample(group);
    onCompletions(server, { mutate: (reply) => ({ ...reply, choices: reply.choices.toReversed() }) }, () => true);
    expect(await client.sample(group)).toEqual(clean);
    expect(retries).toEqual([]);
  });

  const badChoice: [string, object, RegExp][] = [
    ["aborted", { finish_reason: "abort" }, /finish_reason "abort"/],
    ["unfinished", { finish_reason: null }, /finish_reason null/],
    ["with an id too many", { token_ids: [1, 2, 3] }, /3 token ids/],
    [
      "with the placeholder of minus infinity",
      { token_ids: [1], logprobs: { token_logprobs: [-9999] } },
      /-9999 at token 0/,
    ],
    ["with a null log-probability", { token_ids: [1], logprobs: { token_logprobs: [null] } }, /log-probability null/],
    [
      "with a positive log-probability",
      { token_ids: [1], logprobs: { token_logprobs: [0.01] } },
      /log-probability 0.01/,
    ],
    ["with no tokens", { token_ids: [], logprobs: { token_logprobs: [] } }, /no tokens/],
    [
      "that is longer than asked for",
      { token_ids: Array(21).fill(1), logprobs: { token_logprobs: Array(21).fill(-1) } },
      /more than max_tokens/,
    ],
  ];
  for (const [what, change, sentence] of badChoice) {
    it(`samples again, and alone, a choice ${what}`, async () => {
      const { server, client, retries } = await pair();
      const clean = await client.sample(group);
      onCompletions(
        server,
        {
          mutate: (reply) => ({
            ...reply,
            choices: reply.choices.map((c: object, i: number) => (i === 2 ? { ...c, ...change } : c)),
          }),
        },
        (n) => n === 0,
      );
      const again = await client.sample(group);
      expect(again).toEqual(clean);
      expect(retries[0]).toMatch(sentence);
      expect(server.requests.at(-1)?.body).toMatchObject({ n: 1, seed: 102 });
    });
  }

  it("waits for a server that dies while it samples, and goes on", async () => {
    const { server, client } = await pair({ latencyMs: 100 });
    const clean = await client.sample(group);
    const pending = client.sample(group);
    await new Promise((resolve) => setTimeout(resolve, 30));
    await server.stop();
    setTimeout(() => void server.start(), 1000);
    expect(await pending).toEqual(clean);
  });
});

describe("faults that stay", () => {
  it("gives up after maxTries, naming URL, tries, last answer and the server's health", async () => {
    const { server, client } = await pair({}, { maxTries: 3 });
    onCompletions(server, { status: 500, body: '{"error":{"message":"kernel fell over"}}' }, () => true);
    const before = server.count("/v1/completions");
    await expect(client.sample(group)).rejects.toThrow(
      /prompt p1 from http:\/\/127.0.0.1:\d+\/v1 failed 3 times; last: 500: kernel fell over; the server is healthy/,
    );
    expect(server.count("/v1/completions") - before).toBe(3);
  });

  it("gives up on a choice that is aborted every time", async () => {
    const { server, client } = await pair({}, { maxTries: 3 });
    const abort = (reply: { choices: object[] }) => ({
      ...reply,
      choices: reply.choices.map((c) => ({ ...c, finish_reason: "abort" })),
    });
    onCompletions(server, { mutate: abort }, () => true);
    await expect(client.sample(group)).rejects.toThrow(/failed 3 times.*finish_reason "abort"/);
  });

  const fatal: [string, Fault, RegExp][] = [
    ["400", { status: 400, body: '{"error":{"message":"top_k is odd"}}' }, /400: top_k is odd/],
    [
      "400 about the context, saying what to lower",
      { status: 400, body: '{"error":{"message":"This model\'s Maximum Context Length is 8 tokens."}}' },
      /lower maxTokens \(now 20\) or maxPromptTokens/,
    ],
    [
      "422 with a validator's body",
      { status: 422, body: '{"detail":[{"loc":["body","n"],"msg":"too large"}]}' },
      /422: .*too large/,
    ],
    [
      "404, naming the models that are there",
      { status: 404, body: '{"error":{"message":"no such model"}}' },
      /wanted base, the server has: base/,
    ],
    ["501", { status: 501 }, /501/],
    [
      "another prompt than was sent",
      {
        mutate: (reply) => ({
          ...reply,
          choices: reply.choices.map((c: object) => ({ ...c, prompt_token_ids: [10, 2, 13] })),
        }),
      },
      /another prompt than it was sent \(3 tokens for 4\)/,
    ],
    [
      "missing log-probabilities",
      { mutate: (reply) => ({ ...reply, choices: reply.choices.map((c: object) => ({ ...c, logprobs: null })) }) },
      /no logprobs/,
    ],
  ];
  for (const [what, fault, message] of fatal) {
    it(`does not repeat ${what}`, async () => {
      const { server, client } = await pair();
      const before = server.count("/v1/completions");
      onCompletions(server, fault, () => true);
      await expect(client.sample(group)).rejects.toThrow(message);
      expect(server.count("/v1/completions") - before).toBe(1);
    });
  }

  it("rejects what is in flight when it is closed", async () => {
    const { server, client } = await pair();
    server.fault = () => "hold";
    const pending = client.sample(group);
    const closed = expect(pending).rejects.toThrow(/was closed/);
    await new Promise((resolve) => setTimeout(resolve, 30));
    await client[Symbol.asyncDispose]();
    await closed;
  });
});
