/**
 * One HTTP call to a policy server through the `openai` package, and what its failure means.
 *
 * The package's own retries are off: they know neither that weights are being exchanged nor that a 400 will be a 400 again, and
 * would run a sample of 32k tokens three times in silence. Every call has a deadline that covers the last byte of the reply.
 */
import OpenAI from "openai";
import type { z } from "zod";
import { messageOf } from "../errors.ts";
import type { Transport } from "./http.ts";
import { firstIssue } from "./wire.ts";

/**
 * `refused`: the same request would be refused again. `busy`: try later. `broken`: the server failed on it. `unreachable`: no
 * connection, or it was lost. `late`: the deadline passed. `garbled`: an answer that cannot be used.
 */
export type FailureKind = "refused" | "busy" | "broken" | "unreachable" | "late" | "garbled";

/** One call failed, once. `message` is the server's own sentence where it gave one. */
export class CallFailure extends Error {
  override readonly name = "CallFailure";
  readonly kind: FailureKind;
  readonly status: number | undefined;
  /** What the server's Retry-After asks for. */
  readonly retryAfterMs: number | undefined;

  constructor(
    kind: FailureKind,
    message: string,
    details: { status?: number; retryAfterMs?: number; cause?: unknown } = {},
  ) {
    super(message, { cause: details.cause });
    this.kind = kind;
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
  }
}

export interface CallOptions {
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
  /** JSON body; makes the call a POST. */
  readonly body?: object;
  /** POST without a body. */
  readonly post?: boolean;
}

/** Base URL with the calls that share its transport. */
export interface Caller {
  /** The OpenAI base URL, without a slash at its end, e.g. "http://127.0.0.1:8000/v1". */
  readonly url: string;
  /** The server's own root, where /health and the control endpoints are. */
  readonly root: string;
  readonly transport: Transport;
  /** The body of a 2xx reply; throws CallFailure, or the reason of `signal`. Paths under /v1 start with "/v1/". */
  call(path: string, options: CallOptions): Promise<string>;
}

export function createCaller(url: string, apiKey: string | undefined, transport: Transport): Caller {
  const base = url.replace(/\/+$/, "");
  const root = base.replace(/\/v1$/, "");
  const client = new OpenAI({
    baseURL: base,
    // the package insists on a key; a server without --api-key ignores it
    apiKey: apiKey ?? "none",
    maxRetries: 0,
    fetch: transport.fetch,
    logLevel: "off",
    organization: null,
    project: null,
  });

  async function call(path: string, { deadlineMs, signal, body, post = false }: CallOptions): Promise<string> {
    signal?.throwIfAborted();
    // The package never removes its listener from a signal, so each call gets a signal of its own.
    const own = new AbortController();
    const forward = () => own.abort();
    signal?.addEventListener("abort", forward, { once: true });
    try {
      const options = { timeout: Math.ceil(deadlineMs), signal: own.signal, ...(body === undefined ? {} : { body }) };
      const target = `${root}${path}`;
      // Building a request is a third of its cost: a thousand at once go through the slices as their replies do.
      const response = await transport.slices.run(() =>
        (body !== undefined || post ? client.post(target, options) : client.get(target, options)).asResponse(),
      );
      return await response.text();
    } catch (error) {
      signal?.throwIfAborted();
      throw failureOf(error, deadlineMs);
    } finally {
      signal?.removeEventListener("abort", forward);
    }
  }

  return { url: base, root, transport, call };
}

/** Parses the body of a reply and checks its shape. */
export function parseReply<T>(body: string, schema: z.ZodType<T>, what: string): T {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (cause) {
    throw new CallFailure("garbled", `expected JSON from ${what}, got ${quote(body)}`, { cause });
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new CallFailure("garbled", `unexpected reply of ${what}: ${firstIssue(parsed.error)}`, {
    cause: parsed.error,
  });
}

function quote(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line === "" ? "an empty body" : line.length > 200 ? `${line.slice(0, 200)} …` : line;
}

function failureOf(error: unknown, deadlineMs: number): CallFailure {
  if (error instanceof OpenAI.APIConnectionTimeoutError) {
    return new CallFailure("late", `no complete answer within ${seconds(deadlineMs)}`, { cause: error });
  }
  if (error instanceof OpenAI.APIConnectionError) {
    return new CallFailure("unreachable", messageOf(error.cause ?? error), { cause: error });
  }
  if (error instanceof OpenAI.APIError && typeof error.status === "number") {
    const status: number = error.status;
    const retryAfterMs = retryAfter(error.headers instanceof Headers ? error.headers.get("retry-after") : null);
    return new CallFailure(kindOf(status), `${status}: ${error.message.replace(/^\d{3} /, "")}`, {
      status,
      cause: error,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
  }
  throw error;
}

function kindOf(status: number): FailureKind {
  if (status === 408 || status === 429 || status === 502 || status === 503 || status === 504) return "busy";
  // 501 says that this build lacks the feature: asking again cannot help
  return status >= 500 && status !== 501 ? "broken" : "refused";
}

/** Seconds or an HTTP date. */
function retryAfter(header: string | null): number | undefined {
  if (header === null) return undefined;
  const asSeconds = Number(header);
  const ms = Number.isFinite(asSeconds) ? asSeconds * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) && ms >= 0 ? ms : undefined;
}

export function seconds(ms: number): string {
  return ms >= 10_000 ? `${Math.round(ms / 1000)} s` : `${(ms / 1000).toFixed(1)} s`;
}

/** Sleeps for `ms`, or throws the reason of `signal` as soon as it is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
