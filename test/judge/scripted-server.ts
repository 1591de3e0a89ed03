/** A judge whose every answer is written by the test: chat completions, other paths, errors, delays, cut replies. */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface AskedRequest {
  readonly path: string;
  readonly authorization: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: tests read bodies as a dynamic language does
  readonly body: any;
  /** The last user message. */
  readonly user: string;
}

export type ScriptedReply =
  /** The content of a chat completion. */
  | string
  | { readonly content: string; readonly finishReason?: string; readonly delayMs?: number }
  /** Sent as it is. */
  | { readonly json: unknown }
  | { readonly status: number; readonly message?: string; readonly retryAfter?: string }
  /** Sent as it is, whatever it is. */
  | { readonly raw: string }
  /** A reply that comes a byte at a time. */
  | { readonly drip: string; readonly everyMs: number }
  /** Never answered. */
  | "hold"
  /** Half of the body, then the socket is closed. */
  | "cut";

export interface ScriptedServer extends AsyncDisposable {
  /** Base URL with /v1. */
  readonly url: string;
  readonly requests: AskedRequest[];
  /** Most requests that were open at once. */
  peak: number;
}

/** `script` is asked for each request, with how many came before. */
export async function scriptedServer(
  script: (request: AskedRequest, count: number) => ScriptedReply,
): Promise<ScriptedServer> {
  const requests: AskedRequest[] = [];
  let open = 0;
  const server = createServer(async (incoming, response) => {
    server_.peak = Math.max(server_.peak, ++open);
    response.on("close", () => open--);
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString() || "{}");
    const user = body.messages?.findLast((message: { role: string }) => message.role === "user")?.content ?? "";
    const request = { path: incoming.url ?? "", authorization: incoming.headers.authorization, body, user };
    requests.push(request);
    await answer(response, script(request, requests.length - 1));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const server_: ScriptedServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    peak: 0,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
  return server_;
}

async function answer(response: ServerResponse, reply: ScriptedReply): Promise<void> {
  if (reply === "hold") return;
  if (typeof reply === "object" && "status" in reply) {
    const headers = {
      "content-type": "application/json",
      ...(reply.retryAfter ? { "retry-after": reply.retryAfter } : {}),
    };
    response.writeHead(reply.status, headers).end(JSON.stringify({ error: { message: reply.message ?? "scripted" } }));
    return;
  }
  if (typeof reply === "object" && "raw" in reply) {
    response.writeHead(200, { "content-type": "text/html" }).end(reply.raw);
    return;
  }
  if (typeof reply === "object" && "drip" in reply) {
    response.writeHead(200, { "content-type": "application/json" });
    for (const char of JSON.stringify(completionOf(reply.drip))) {
      if (response.destroyed) return;
      response.write(char);
      await sleep(reply.everyMs);
    }
    response.end();
    return;
  }
  const text = JSON.stringify(typeof reply === "object" && "json" in reply ? reply.json : completionOf(reply));
  if (reply === "cut") {
    response.writeHead(200, { "content-type": "application/json", "content-length": String(text.length) });
    response.write(text.slice(0, text.length / 2), () => response.destroy());
    return;
  }
  if (typeof reply === "object" && "delayMs" in reply) await sleep(reply.delayMs);
  response.writeHead(200, { "content-type": "application/json" }).end(text);
}

function completionOf(reply: string | { content: string; finishReason?: string } | "cut"): object {
  const { content, finishReason = "stop" } = typeof reply === "string" ? { content: reply } : reply;
  return {
    choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: finishReason }],
    usage: { prompt_tokens: 100, completion_tokens: 20 },
  };
}

const GOOD = /<judged-[0-9a-f]{16}>\n([\s\S]*)\n<\/judged-/;

/** A judge that does its work: EQUIVALENT exactly where the fenced solution ends with the reference; it says so in the open-r1 way. */
export function honest(reference: string): (request: AskedRequest) => ScriptedReply {
  return ({ user }) => {
    const solution = GOOD.exec(user)?.[1] ?? user;
    return `Compared.\nVerdict: ${solution.trim().endsWith(reference) ? "EQUIVALENT" : "DIFFERENT"}`;
  };
}
