/**
 * The embedded policy server: an engine behind the OpenAI API in vLLM's dialect, on node:http.
 *
 * It listens on loopback unless told otherwise, and refuses requests that a web page could have made: a Host that is a foreign name
 * (DNS rebinding) and any foreign Origin. A client that hangs up stops its sampling.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { z } from "zod";
import { type Engine, EngineError } from "../engine/engine.ts";
import { messageOf } from "../errors.ts";
import { type Answer, answerChat, answerCompletion } from "./answers.ts";
import type { ChatTokenizer } from "./chat-tokenizer.ts";
import { encodeText, type Model, renderChat } from "./completions.ts";
import { readJson, requireKey, requireKnownHost } from "./request-guard.ts";
import { ServerMetrics } from "./server-metrics.ts";
import {
  chatRequest,
  completionRequest,
  detokenizeRequest,
  errorBody,
  firstIssue,
  HttpError,
  tokenizeRequest,
} from "./wire.ts";

export interface ServeOptions {
  readonly engine: Engine;
  readonly tokenizer: ChatTokenizer;
  /** The name that requests give as `model`. */
  readonly modelName: string;
  /** Tokens that end a completion unless `ignore_eos` is sent; default the tokenizer's. */
  readonly eosTokenIds?: readonly number[];
  readonly host?: string;
  /** 0 = any free port. */
  readonly port?: number;
  /** Prompt and completion together; default the model's max_position_embeddings. */
  readonly maxModelLen?: number;
  /** When set, /v1 wants `Authorization: Bearer KEY`. */
  readonly apiKey?: string | undefined;
  /** Names beyond localhost and plain addresses under which the server may be asked for. */
  readonly allowedHosts?: readonly string[];
  readonly maxBodyBytes?: number;
  /** Grouper's version, for GET /version. */
  readonly version?: string;
  /** Told of failures that are the server's own. */
  readonly onError?: (error: unknown) => void;
}

export interface EmbeddedServer extends AsyncDisposable {
  /** OpenAI base URL, e.g. "http://127.0.0.1:41234/v1". */
  readonly url: string;
  readonly port: number;
  /** Stops sampling for every client and closes. Safe twice; the engine stays open. */
  close(): Promise<void>;
}

/** Listens; throws when the address is taken. */
export async function serveEngine(options: ServeOptions): Promise<EmbeddedServer> {
  const { engine, tokenizer, modelName, host = "127.0.0.1", port = 0 } = options;
  const { maxModelLen = engine.info.model.maxPositionEmbeddings, eosTokenIds = tokenizer.eosTokenIds } = options;
  const model: Model = { engine, tokenizer, name: modelName, maxModelLen, eosTokenIds };
  const metrics = new ServerMetrics();
  const handler = new Handler(options, model, metrics);
  const server = createServer({ keepAliveTimeout: 75_000, requestTimeout: 60_000 }, (request, response) => {
    void handler.handle(request, response);
  });
  await listen(server, port, host);
  const { port: bound } = server.address() as AddressInfo;
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
    return closing;
  };
  const name = host.includes(":") ? `[${host}]` : host === "0.0.0.0" ? "127.0.0.1" : host;
  return { url: `http://${name}:${bound}/v1`, port: bound, close, [Symbol.asyncDispose]: close };
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

const defaultMaxBodyBytes = 32 * 1024 * 1024;

class Handler {
  readonly #options: ServeOptions;
  readonly #model: Model;
  readonly #metrics: ServerMetrics;
  readonly #created = Math.floor(Date.now() / 1000);
  /** Why the engine can answer no more; health checks say it, so that nobody blames a request. */
  #engineEnd: string | null = null;

  constructor(options: ServeOptions, model: Model, metrics: ServerMetrics) {
    this.#options = options;
    this.#model = model;
    this.#metrics = metrics;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const hungUp = new AbortController();
    response.once("close", () => {
      if (!response.writableFinished) hungUp.abort(new Error("the client hung up"));
    });
    try {
      requireKnownHost(request, this.#options.allowedHosts ?? []);
      await this.#route(request, response, hungUp.signal);
    } catch (error) {
      if (hungUp.signal.aborted) return;
      this.#fail(response, error);
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const path = (request.url ?? "/").split("?", 1)[0]!;
    if (path.startsWith("/v1/")) requireKey(request, this.#options.apiKey);
    const route = `${request.method} ${path}`;
    const model = this.#model;
    switch (route) {
      case "GET /health":
      case "GET /ping":
        if (this.#engineEnd !== null) throw new HttpError(503, this.#engineEnd);
        return send(response, 200, "");
      case "GET /version":
        return sendJson(response, 200, { version: this.#options.version ?? "0.1.0", server: "grouper" });
      case "GET /metrics":
        return send(response, 200, this.#metrics.render(model.name), "text/plain; version=0.0.4; charset=utf-8");
      case "GET /v1/models":
        return sendJson(response, 200, { object: "list", data: [this.#card()] });
      case "POST /v1/completions": {
        const body = await this.#read(request, completionRequest);
        return this.#answer(response, await answerCompletion(body, { model, metrics: this.#metrics, signal }));
      }
      case "POST /v1/chat/completions": {
        const body = await this.#read(request, chatRequest);
        return this.#answer(response, await answerChat(body, { model, metrics: this.#metrics, signal }));
      }
      case "POST /tokenize": {
        const body = await this.#read(request, tokenizeRequest);
        const text =
          "messages" in body
            ? renderChat(model.tokenizer, body.messages, body.add_generation_prompt ?? true, body.chat_template_kwargs)
            : body.prompt;
        const addSpecialTokens = body.add_special_tokens ?? !("messages" in body);
        const tokens = encodeText(model.tokenizer, text, addSpecialTokens);
        return sendJson(response, 200, { tokens, count: tokens.length, max_model_len: model.maxModelLen });
      }
      case "POST /detokenize": {
        const body = await this.#read(request, detokenizeRequest);
        const prompt =
          body.tokens.length === 0 ? "" : model.tokenizer.decode(body.tokens, { skipSpecialTokens: false });
        return sendJson(response, 200, { prompt });
      }
      default:
        throw new HttpError(
          knownPaths.has(path) ? 405 : 404,
          knownPaths.has(path) ? "Method Not Allowed" : "Not Found",
        );
    }
  }

  #card() {
    return {
      id: this.#model.name,
      object: "model",
      created: this.#created,
      owned_by: "grouper",
      root: this.#model.name,
      parent: null,
      max_model_len: this.#model.maxModelLen,
    };
  }

  async #read<T extends { readonly model?: string | undefined }>(
    request: IncomingMessage,
    schema: z.ZodType<T>,
  ): Promise<T> {
    const parsed = schema.safeParse(await readJson(request, this.#options.maxBodyBytes ?? defaultMaxBodyBytes));
    if (!parsed.success) {
      throw new HttpError(400, firstIssue(parsed.error), parsed.error.issues[0]?.path.map(String).join(".") || null);
    }
    const wanted = parsed.data.model;
    if (wanted !== undefined && wanted !== this.#model.name) {
      throw new HttpError(404, `The model \`${wanted}\` does not exist.`, "model");
    }
    return parsed.data;
  }

  async #answer(response: ServerResponse, answer: Answer): Promise<void> {
    if (answer.kind === "whole") {
      sendJson(response, 200, answer.body);
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
    response.flushHeaders();
    for await (const event of answer.events) response.write(`data: ${JSON.stringify(event)}\n\n`);
    response.end("data: [DONE]\n\n");
  }

  #fail(response: ServerResponse, error: unknown): void {
    const status = error instanceof HttpError ? error.status : 500;
    if (status === 500) this.#options.onError?.(error);
    if (error instanceof EngineError && ["crashed", "timeout", "disposed"].includes(error.fault))
      this.#engineEnd = error.message;
    if (response.headersSent) {
      response.destroy();
      return;
    }
    // the rest of a body that nobody wants is not worth reading
    if (status === 413) response.setHeader("connection", "close");
    const message = error instanceof HttpError ? error.message : `the engine failed: ${messageOf(error)}`;
    sendJson(response, status, errorBody(status, message, error instanceof HttpError ? error.param : null));
  }
}

const knownPaths = new Set([
  ...["/health", "/ping", "/version", "/metrics", "/tokenize", "/detokenize"],
  ...["/v1/models", "/v1/completions", "/v1/chat/completions"],
]);

function send(response: ServerResponse, status: number, body: string, type?: string): void {
  response.writeHead(status, {
    ...(type === undefined ? {} : { "content-type": type }),
    "content-length": Buffer.byteLength(body),
    "x-content-type-options": "nosniff",
  });
  response.end(body);
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  send(response, status, JSON.stringify(body), "application/json");
}
