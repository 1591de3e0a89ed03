import { request as rawRequest } from "node:http";
import { connect } from "node:net";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EmbeddedServer, serveEngine } from "../../src/server/embedded.ts";
import { endId, letters, vocabSize } from "./letters.ts";
import { TableEngine } from "./table-engine.ts";

const engine = new TableEngine({ vocabSize, seed: 3, maxPositionEmbeddings: 64 });
let server: EmbeddedServer;
beforeAll(async () => {
  server = await serveEngine({
    engine,
    tokenizer: letters,
    modelName: "tiny",
    maxBodyBytes: 100_000,
  });
});
afterAll(() => server.close());

async function post(path: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(server.url.replace("/v1", "") + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, text, json: text.startsWith("{") ? JSON.parse(text) : undefined };
}

const plain = { model: "tiny", prompt: [1, 10, 2, 13], max_tokens: 12, seed: 7, logprobs: 0, return_token_ids: true };

describe("/v1/completions", () => {
  it("returns ids, log-probabilities and prompt ids of every choice in vLLM's shape", async () => {
    const { status, json } = await post("/v1/completions", { ...plain, n: 3 });
    expect(status).toBe(200);
    expect(json.object).toBe("text_completion");
    expect(json.choices.map((choice: { index: number }) => choice.index)).toEqual([0, 1, 2]);
    for (const choice of json.choices) {
      expect(choice.prompt_token_ids).toEqual(plain.prompt);
      expect(choice.token_ids.length).toBeGreaterThan(0);
      expect(choice.logprobs.token_logprobs).toHaveLength(choice.token_ids.length);
      expect(choice.logprobs.tokens).toHaveLength(choice.token_ids.length);
      expect(choice.weight_version).toBe("0");
    }
    const tokens = json.choices.reduce(
      (sum: number, choice: { token_ids: number[] }) => sum + choice.token_ids.length,
      0,
    );
    expect(json.usage).toEqual({ prompt_tokens: 4, completion_tokens: tokens, total_tokens: 4 + tokens });
  });

  it("samples choice i with seed + i: the same ids alone and in a group", async () => {
    const group = (await post("/v1/completions", { ...plain, n: 3 })).json.choices;
    for (let i = 0; i < 3; i++) {
      const alone = (await post("/v1/completions", { ...plain, seed: plain.seed + i })).json.choices[0];
      expect(alone.token_ids).toEqual(group[i].token_ids);
      expect(alone.logprobs.token_logprobs).toEqual(group[i].logprobs.token_logprobs);
    }
  });

  it("reports the log-probabilities of the distribution sampled from, worked out here from the table", async () => {
    const params = { temperature: 0.7, topP: 0.9, topK: 5, minP: 0.05, maxTokens: 12, stopTokenIds: [endId] };
    const { json } = await post("/v1/completions", { ...plain, temperature: 0.7, top_p: 0.9, top_k: 5, min_p: 0.05 });
    const { token_ids, logprobs } = json.choices[0];
    let previous = plain.prompt.at(-1)!;
    token_ids.forEach((id: number, t: number) => {
      expect(logprobs.token_logprobs[t]).toBeCloseTo(Math.log(engine.distribution(previous, params)[id]!), 5);
      previous = id;
    });
  });

  it("gives 16 tokens when max_tokens is not sent, as vLLM does", async () => {
    const { json } = await post("/v1/completions", { ...plain, max_tokens: undefined, ignore_eos: true });
    expect(json.choices[0].token_ids).toHaveLength(16);
    expect(json.choices[0].finish_reason).toBe("length");
  });

  it("keeps the stop token among the ids and out of the text", async () => {
    const { json } = await post("/v1/completions", { ...plain, max_tokens: 40, n: 20, skip_special_tokens: false });
    const stopped = json.choices.filter((choice: { finish_reason: string }) => choice.finish_reason === "stop");
    expect(stopped.length).toBeGreaterThan(3);
    for (const choice of stopped) {
      expect(choice.token_ids.at(-1)).toBe(endId);
      expect(choice.text).toBe(letters.decode(choice.token_ids.slice(0, -1)));
      expect(choice.stop_reason).toBeNull();
    }
  });

  it("names the id in stop_reason when it was asked for", async () => {
    const { json } = await post("/v1/completions", { ...plain, max_tokens: 40, n: 20, stop_token_ids: [4] });
    const byFour = json.choices.filter((choice: { token_ids: number[] }) => choice.token_ids.at(-1) === 4);
    expect(byFour.length).toBeGreaterThan(0);
    for (const choice of byFour) expect(choice).toMatchObject({ finish_reason: "stop", stop_reason: 4 });
  });

  it("cuts text and tokens where a stop string is complete", async () => {
    const free = (await post("/v1/completions", { ...plain, max_tokens: 40, ignore_eos: true, seed: 11 })).json
      .choices[0];
    const stop = free.text.slice(5, 7);
    const at = free.text.indexOf(stop);
    const { json } = await post("/v1/completions", {
      ...plain,
      max_tokens: 40,
      ignore_eos: true,
      seed: 11,
      stop: [stop],
    });
    const cut = json.choices[0];
    expect(cut).toMatchObject({ text: free.text.slice(0, at), finish_reason: "stop", stop_reason: stop });
    expect(cut.token_ids).toEqual(free.token_ids.slice(0, cut.token_ids.length));
    expect(letters.decode(cut.token_ids, { skipSpecialTokens: true }).endsWith(stop)).toBe(true);
    expect(cut.logprobs.token_logprobs).toHaveLength(cut.token_ids.length);
  });

  it("takes strings, lists of strings and lists of id lists; choice index is prompt * n + sample", async () => {
    const text = (await post("/v1/completions", { ...plain, prompt: "1+2=" })).json.choices;
    expect(text[0].prompt_token_ids).toEqual(letters.encode("1+2="));
    const many = (await post("/v1/completions", { ...plain, n: 2, prompt: ["1+2=", "3-3="] })).json.choices;
    expect(many.map((choice: { prompt_token_ids: number[] }) => letters.decode(choice.prompt_token_ids))).toEqual([
      "1+2=",
      "1+2=",
      "3-3=",
      "3-3=",
    ]);
    const ids = (await post("/v1/completions", { ...plain, prompt: [[1, 2], [3]] })).json.choices;
    expect(ids.map((choice: { prompt_token_ids: number[] }) => choice.prompt_token_ids)).toEqual([[1, 2], [3]]);
  });

  it("scores the prompt with prompt_logprobs: 0, the true token by its decimal id", async () => {
    const { json } = await post("/v1/completions", { ...plain, prompt_logprobs: 0, max_tokens: 1 });
    const scores = json.choices[0].prompt_logprobs;
    expect(scores[0]).toBeNull();
    const all = { temperature: 1, topP: 1, topK: 0, minP: 0, maxTokens: 1, stopTokenIds: [] };
    for (let t = 1; t < plain.prompt.length; t++) {
      const exact = Math.log(engine.distribution(plain.prompt[t - 1]!, all)[plain.prompt[t]!]!);
      expect(scores[t][String(plain.prompt[t])].logprob).toBeCloseTo(exact, 5);
    }
  });

  it("streams each choice and ends with the usage and [DONE]", async () => {
    const { text } = await post("/v1/completions", {
      ...plain,
      n: 2,
      stream: true,
      stream_options: { include_usage: true },
    });
    const events = text
      .trim()
      .split("\n\n")
      .map((line) => line.slice("data: ".length));
    expect(events.at(-1)).toBe("[DONE]");
    const bodies = events.slice(0, -1).map((event) => JSON.parse(event));
    expect(bodies).toHaveLength(3);
    const whole = (await post("/v1/completions", { ...plain, n: 2 })).json;
    const streamed = bodies
      .slice(0, 2)
      .map((body) => body.choices[0])
      .sort((a, b) => a.index - b.index);
    expect(streamed.map((choice) => choice.token_ids)).toEqual(
      whole.choices.map((choice: { token_ids: number[] }) => choice.token_ids),
    );
    expect(bodies[2]).toMatchObject({ choices: [], usage: whole.usage });
  });
});

describe("other endpoints", () => {
  it("/v1/chat/completions renders the template and puts prompt ids on top", async () => {
    const body = { model: "tiny", messages: [{ role: "user", content: "1+2" }], seed: 3, max_completion_tokens: 5 };
    const { json } = await post("/v1/chat/completions", { ...body, logprobs: true, return_token_ids: true });
    expect(json.prompt_token_ids).toEqual(letters.encode("1+2<e>="));
    const [choice] = json.choices;
    expect(choice.message.content).toBe(letters.decode(choice.token_ids, { skipSpecialTokens: true }));
    expect(choice.logprobs.content).toHaveLength(choice.token_ids.length);
  });

  it("the openai package reads completions, chat and streams", async () => {
    const client = new OpenAI({ baseURL: server.url, apiKey: "none", maxRetries: 0 });
    const completion = await client.completions.create({ model: "tiny", prompt: "1+2=", max_tokens: 4, seed: 5 });
    expect(completion.choices[0]?.text).toMatch(/^[0-9+*= -]{0,4}$/);
    const messages = [{ role: "user" as const, content: "1+2" }];
    const stream = await client.chat.completions.create({
      model: "tiny",
      messages,
      stream: true,
      max_completion_tokens: 6,
      seed: 5,
    });
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    const whole = await client.chat.completions.create({ model: "tiny", messages, max_completion_tokens: 6, seed: 5 });
    expect(text).toBe(whole.choices[0]?.message.content);
    expect((await client.models.list()).data[0]).toMatchObject({ id: "tiny", max_model_len: 64 });
  });

  it("is not healthy once its engine has ended", async () => {
    const mortal = new TableEngine({ vocabSize });
    const own = await serveEngine({ engine: mortal, tokenizer: letters, modelName: "tiny" });
    try {
      const health = () => fetch(own.url.replace("/v1", "/health"));
      const ask = () =>
        fetch(`${own.url}/completions`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ model: "tiny", prompt: "1+1=", max_tokens: 2 }),
        });
      expect([(await ask()).status, (await health()).status]).toEqual([200, 200]);
      await mortal[Symbol.asyncDispose]();
      expect((await ask()).status).toBe(500);
      const after = await health();
      expect([after.status, await after.text()]).toEqual([503, expect.stringMatching(/disposed/)]);
    } finally {
      await own.close();
    }
  });

  it("tokenizes, detokenizes, and says its health, version and metrics", async () => {
    expect((await post("/tokenize", { prompt: "1+2=" })).json).toEqual({
      tokens: [1, 10, 2, 13],
      count: 4,
      max_model_len: 64,
    });
    expect((await post("/tokenize", { messages: [{ role: "user", content: "7" }] })).json.tokens).toEqual(
      letters.encode("7<e>="),
    );
    expect((await post("/detokenize", { tokens: [1, 10, 2, 13] })).json).toEqual({ prompt: "1+2=" });
    const root = server.url.replace("/v1", "");
    expect((await fetch(`${root}/health`)).status).toBe(200);
    expect(await (await fetch(`${root}/version`)).json()).toMatchObject({ server: "grouper" });
    const before = await counters();
    await post("/v1/completions", { ...plain, n: 2, ignore_eos: true });
    const after = await counters();
    expect(after.get("vllm:generation_tokens_total")! - before.get("vllm:generation_tokens_total")!).toBe(24);
    expect(after.get("vllm:prompt_tokens_total")! - before.get("vllm:prompt_tokens_total")!).toBe(4);
    expect(after.get("vllm:num_requests_running")).toBe(0);
  });
});

async function counters() {
  const text = await (await fetch(`${server.url.replace("/v1", "")}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf("{")), Number(line.slice(line.lastIndexOf(" ")))]));
}

describe("refusals, in vLLM's error body", () => {
  const cases: [string, object | string, number, RegExp][] = [
    ["an unknown sampling field", { ...plain, temprature: 0.5 }, 400, /temprature/],
    ["a penalty", { ...plain, presence_penalty: 0.5 }, 400, /presence_penalty.*not supported/],
    ["echo", { ...plain, echo: true }, 400, /echo/],
    ["more log-probabilities than there are", { ...plain, logprobs: 5 }, 400, /logprobs.*0 or 1/],
    ["logprobs: true", { ...plain, logprobs: true }, 400, /logprobs/],
    ["a negative temperature", { ...plain, temperature: -1 }, 400, /temperature/],
    ["top_p 0", { ...plain, top_p: 0 }, 400, /top_p/],
    ["n > 1 when greedy", { ...plain, temperature: 0, n: 2 }, 400, /n must be 1/],
    ["a prompt beyond the context", { ...plain, max_tokens: 61 }, 400, /maximum context length is 64 tokens/],
    ["an id outside the vocabulary", { ...plain, prompt: [1, vocabSize] }, 400, /out of vocabulary/],
    ["a negative id", { ...plain, prompt: [1, -1] }, 400, /prompt/],
    ["an empty prompt", { ...plain, prompt: "" }, 400, /empty/],
    ["stream_options without stream", { ...plain, stream_options: { include_usage: true } }, 400, /[Ss]tream options/],
    ["min_tokens above max_tokens", { ...plain, min_tokens: 13 }, 400, /min_tokens/],
    ["another model", { ...plain, model: "huge" }, 404, /`huge` does not exist/],
    ["what is not JSON", "{", 400, /not JSON/],
    ["a body that is too long", { ...plain, user: "x".repeat(200_000) }, 413, /longer than 100000 bytes/],
  ];
  for (const [what, body, status, message] of cases) {
    it(`refuses ${what} with ${status}`, async () => {
      const reply = await post("/v1/completions", body);
      expect(reply.status).toBe(status);
      expect(reply.json.error.code).toBe(status);
      expect(`${reply.json.error.param}: ${reply.json.error.message}`).toMatch(message);
      expect(reply.json.error.type).toMatch(/Error$/);
    });
  }

  it("refuses messages that the template refuses", async () => {
    const reply = await post("/v1/chat/completions", { messages: [{ role: "robot", content: "1" }] });
    expect(reply.status).toBe(400);
    expect(reply.json.error.message).toMatch(/unknown role robot/);
  });

  it("answers 404 for unknown paths and 405 for the wrong method", async () => {
    expect((await post("/v1/nothing", {})).status).toBe(404);
    expect((await post("/health", {})).status).toBe(405);
  });

  it("refuses a foreign Host on every method and a foreign Origin", async () => {
    for (const method of ["GET", "POST", "DELETE", "OPTIONS"]) {
      expect(await statusWithHeaders(method, { host: "evil.example" }), method).toBe(403);
    }
    expect(await statusWithHeaders("GET", { host: `localhost:${server.port}` })).toBe(200);
    expect(await statusWithHeaders("GET", { origin: "http://evil.example" })).toBe(403);
  });

  it("wants the key under /v1 when one is set", async () => {
    await using guarded = await serveEngine({
      engine,
      tokenizer: letters,
      modelName: "tiny",
      eosTokenIds: [endId],
      apiKey: "k3y",
    });
    const status = async (key?: string) =>
      (await fetch(`${guarded.url}/models`, { headers: key === undefined ? {} : { authorization: `Bearer ${key}` } }))
        .status;
    expect([await status(), await status("k3"), await status("k3y")]).toEqual([401, 401, 200]);
  });
});

function statusWithHeaders(method: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = rawRequest(
      { host: "127.0.0.1", port: server.port, path: "/health", method, headers },
      (response) => {
        response.resume();
        resolve(response.statusCode);
      },
    );
    request.on("error", reject);
    request.end();
  });
}

describe("clients that go away", () => {
  it("stops sampling when the client hangs up, and counts the abort", async () => {
    const slow = new TableEngine({ vocabSize, maxPositionEmbeddings: 2000, tokenDelayMs: 5 });
    await using own = await serveEngine({ engine: slow, tokenizer: letters, modelName: "tiny", eosTokenIds: [] });
    const body = JSON.stringify({ prompt: [1], n: 4, max_tokens: 1000 });
    const socket = connect(own.port, "127.0.0.1");
    socket.write(
      `POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await until(() => slow.running === 4);
    socket.destroy();
    await until(() => slow.running === 0);
    const metrics = await (await fetch(`${own.url.replace("/v1", "")}/metrics`)).text();
    expect(metrics).toMatch(/finished_reason="abort"\} 4/);
  });

  it("close() ends replies in flight and is safe twice", async () => {
    const slow = new TableEngine({ vocabSize, maxPositionEmbeddings: 2000, tokenDelayMs: 5 });
    const own = await serveEngine({ engine: slow, tokenizer: letters, modelName: "tiny", eosTokenIds: [] });
    const reply = fetch(`${own.url}/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ prompt: [1], max_tokens: 1000 }),
    }).then(
      () => "answered",
      () => "cut",
    );
    await until(() => slow.running === 1);
    await Promise.all([own.close(), own.close()]);
    expect(await reply).toBe("cut");
    await until(() => slow.running === 0);
  });
});

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 5_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error("waited 5 s in vain");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
