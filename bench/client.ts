/**
 * What the policy client costs: `node --import jiti/register bench/client.ts` (REQUESTS=3000).
 *
 * A stub server in a process of its own answers every request after 50 ms with the same reply of 1,024 tokens and their
 * log-probabilities (33 KB). Measured in this process, per number of requests in flight: CPU time per request, the longest time
 * that the event loop was held, and the same for a bare undici.request with JSON.parse, in turns.
 */
import { fork } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { cpus } from "node:os";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { Agent, request } from "undici";
import { connectPolicyServer } from "../src/server/client.ts";

const latencyMs = 50;
const numTokens = 1024;
const promptTokenIds = Array.from({ length: 64 }, (_, i) => i * 101);

if (process.argv[2] === "--stub") serveStub();
else await measureAll();

/** The shortest shape that vLLM gives 1,024 tokens with logprobs: 0. */
function replyBody(): string {
  const ids = Array.from({ length: numTokens }, (_, t) => (t * 7919) % 32_000);
  const logprobs = ids.map((id) => -((id % 977) / 489));
  const choice = {
    ...{ index: 0, text: "abc ".repeat(numTokens), finish_reason: "length", stop_reason: null, token_ids: ids },
    ...{ prompt_token_ids: promptTokenIds, prompt_logprobs: null },
    logprobs: { tokens: [], token_logprobs: logprobs, top_logprobs: null, text_offset: [] },
  };
  return JSON.stringify({ id: "cmpl-1", object: "text_completion", model: "stub", choices: [choice] });
}

function serveStub(): void {
  const whole = Buffer.from(replyBody());
  // The probe asks for n = 2 with one token, and is the only request that does.
  const probe = JSON.stringify({
    model: "stub",
    choices: [0, 1].map((index) => ({
      ...{
        index,
        text: "a",
        finish_reason: "length",
        token_ids: [1],
        prompt_token_ids: [0],
        logprobs: { token_logprobs: [-1] },
      },
    })),
  });
  const card = JSON.stringify({ data: [{ id: "stub", parent: null, max_model_len: 32_768 }] });
  const server = createServer((incoming, response) => {
    let body = "";
    incoming.setEncoding("utf8");
    incoming.on("data", (chunk: string) => {
      body += chunk;
    });
    incoming.on("end", () => {
      const send = (payload: Buffer | string) => {
        response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(payload) });
        response.end(payload);
      };
      if (incoming.url === "/v1/completions") setTimeout(() => send(body.includes('"n":2') ? probe : whole), latencyMs);
      else if (incoming.url === "/version") send('{"version":"0.28.1"}');
      else send(incoming.url === "/v1/models" ? card : "");
    });
  });
  server.listen(0, "127.0.0.1", 4096, () => process.send?.((server.address() as AddressInfo).port));
}

interface Measured {
  readonly cpuMsPerRequest: number;
  readonly maxLagMs: number;
  readonly requestsPerSecond: number;
}

/** Runs `numRequests` with `concurrency` of them in flight. */
async function measure(numRequests: number, concurrency: number, one: (i: number) => Promise<void>): Promise<Measured> {
  const lag = monitorEventLoopDelay({ resolution: 1 });
  lag.enable();
  const start = performance.now();
  const cpuBefore = process.cpuUsage();
  let next = 0;
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (next < numRequests) await one(next++);
    }),
  );
  const cpu = process.cpuUsage(cpuBefore);
  const elapsedMs = performance.now() - start;
  lag.disable();
  return {
    cpuMsPerRequest: (cpu.user + cpu.system) / 1000 / numRequests,
    maxLagMs: lag.max / 1e6,
    requestsPerSecond: (numRequests / elapsedMs) * 1000,
  };
}

async function measureAll(): Promise<void> {
  const stub = fork(fileURLToPath(import.meta.url), ["--stub"], { execArgv: process.execArgv });
  const port = await new Promise<number>((resolve) => stub.once("message", (message) => resolve(Number(message))));
  const url = `http://127.0.0.1:${port}/v1`;
  const numRequests = Number(process.env.REQUESTS ?? 3000);
  console.log(
    `${process.version}, ${cpus()[0]?.model}, ${cpus().length} cores; reply ${replyBody().length} bytes, ${latencyMs} ms`,
  );
  console.log("in flight | client: CPU ms  max lag ms  req/s | bare undici: CPU ms  max lag ms  req/s | CPU ratio");
  try {
    for (const concurrency of [16, 256, 1024]) {
      const total = Math.max(numRequests, 3 * concurrency);
      const runs: { client: Measured[]; bare: Measured[] } = { client: [], bare: [] };
      // A/B/B/A, so that a machine that slows down slows both
      for (const which of ["client", "bare", "bare", "client"] as const) {
        runs[which].push(await (which === "client" ? withClient : withUndici)(url, total, concurrency));
      }
      const [client, bare] = [mean(runs.client), mean(runs.bare)];
      const row = (m: Measured) =>
        `${m.cpuMsPerRequest.toFixed(2)}  ${m.maxLagMs.toFixed(0)}  ${m.requestsPerSecond.toFixed(0)}`;
      console.log(
        `${concurrency} | ${row(client)} | ${row(bare)} | ${(client.cpuMsPerRequest / bare.cpuMsPerRequest).toFixed(2)}`,
      );
    }
  } finally {
    stub.kill();
  }
}

/** Mean CPU and rate; the worst lag. */
function mean(runs: readonly Measured[]): Measured {
  const average = (of: (run: Measured) => number) => runs.reduce((sum, run) => sum + of(run), 0) / runs.length;
  return {
    cpuMsPerRequest: average((run) => run.cpuMsPerRequest),
    maxLagMs: Math.max(...runs.map((run) => run.maxLagMs)),
    requestsPerSecond: average((run) => run.requestsPerSecond),
  };
}

async function withClient(url: string, numRequests: number, concurrency: number): Promise<Measured> {
  const client = await connectPolicyServer({ url, policyVersion: 0, maxConcurrency: concurrency });
  const prompt = { id: "p", text: "", tokenIds: promptTokenIds, prefill: "", answer: null, fields: {} };
  const params = { temperature: 1, topP: 1, topK: 0, minP: 0, maxTokens: numTokens, stopTokenIds: [2] };
  const one = async (i: number) => {
    const [completion] = await client.sample({ prompt, numCompletions: 1, seed: i, params });
    if (completion?.logprobs.length !== numTokens) throw new Error("wrong reply");
  };
  await measure(Math.max(concurrency, 500), concurrency, one);
  const measured = await measure(numRequests, concurrency, one);
  await client[Symbol.asyncDispose]();
  return measured;
}

async function withUndici(url: string, numRequests: number, concurrency: number): Promise<Measured> {
  const agent = new Agent({ connections: concurrency, pipelining: 1 });
  const one = async (i: number) => {
    const body = JSON.stringify({ model: "stub", prompt: promptTokenIds, n: 1, seed: i, max_tokens: numTokens });
    const headers = { "content-type": "application/json" };
    const response = await request(`${url}/completions`, { method: "POST", headers, body, dispatcher: agent });
    const reply = JSON.parse(await response.body.text());
    const logprobs = Float32Array.from(reply.choices[0].logprobs.token_logprobs);
    if (logprobs.length !== numTokens) throw new Error("wrong reply");
  };
  await measure(Math.max(concurrency, 500), concurrency, one);
  const measured = await measure(numRequests, concurrency, one);
  await agent.destroy();
  return measured;
}
