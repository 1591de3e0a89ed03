/**
 * The HTTP transport under the `openai` package: fetch over undici.request on an Agent of our own.
 *
 * Node's global fetch costs twice the CPU, opens up to 1.7 sockets per request in flight, and gives up after 300 s whatever the
 * caller's deadline is. Here bodies are read to their end before `fetch` returns, so that the caller's deadline covers the last
 * byte and a reply that is cut in the middle is an error and never half a sample. Redirects are not followed.
 */
import { Readable } from "node:stream";
import { Agent, errors, request } from "undici";
import { Slices } from "./slices.ts";
import { errorBody, messageOfErrorBody } from "./wire.ts";

export interface TransportOptions {
  /** Sockets at most; requests beyond wait for a free one. */
  readonly maxConnections: number;
  readonly connectTimeoutMs?: number;
  /** A reply longer than this is an error: a server gone mad must not fill the memory. */
  readonly maxReplyBytes?: number;
}

export interface Transport {
  readonly fetch: (input: string | URL | Request, init?: RequestInit) => Promise<Response>;
  /**
   * Goes up whenever the thread of connections to the server is lost: the peer closed a socket, or none stayed open. As long as
   * it stands still, the process on the other side is the one that was verified last.
   */
  readonly continuity: number;
  /** The turns in which replies are handed out; other work on them belongs there too. */
  readonly slices: Slices;
  close(): Promise<void>;
}

/** A body that has arrived in full. Response's own json() and text() go through a stream, for a third of a reply's CPU time. */
class ArrivedResponse extends Response {
  readonly #text: string;
  constructor(text: string, init: ResponseInit) {
    super(null, init);
    this.#text = text;
  }
  override readonly text = () => Promise.resolve(this.#text);
  override readonly json = async (): Promise<unknown> => JSON.parse(this.#text);
}

export function createTransport({
  maxConnections,
  connectTimeoutMs = 10_000,
  maxReplyBytes = 512 * 1024 * 1024,
}: TransportOptions): Transport {
  const agent = new Agent({
    connections: maxConnections,
    pipelining: 1,
    // Deadlines are the caller's, by max_tokens: a long rollout sends no byte for minutes.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: connectTimeoutMs },
    maxResponseSize: maxReplyBytes,
  });
  const slices = new Slices();
  let open = 0;
  let continuity = 0;
  agent.on("connect", () => {
    open++;
  });
  agent.on("disconnect", (_origin, _targets, error) => {
    open--;
    // InformationalError is undici's own doing (an idle socket put away); all else came from the other side.
    if (open === 0 || !(error instanceof errors.InformationalError)) continuity++;
  });
  agent.on("connectionError", () => {
    continuity++;
  });

  const fetch: Transport["fetch"] = async (input, init) => {
    const requested = request(input instanceof Request ? input.url : input, {
      dispatcher: agent,
      method: methodOf(init?.method),
      headers: Object.fromEntries(new Headers(init?.headers)),
      body: bodyOf(init?.body),
      signal: init?.signal ?? null,
    });
    const { statusCode, headers, body } = await orAborted(requested, init?.signal);
    const reply: ResponseInit = { status: statusCode, headers: pairsOf(headers) };
    if (String(headers["content-type"]).startsWith("text/event-stream")) {
      return new Response(Readable.toWeb(body), reply);
    }
    const text = await body.text();
    // The openai package keeps the message of an error only in its own shape; proxies and validators write others.
    const readable = statusCode < 400 ? text : JSON.stringify(errorBody(statusCode, messageOfErrorBody(text)));
    // Here a burst of replies is spread over the turns of the loop: sockets are read as they come, all else waits for its slice.
    return slices.run(() => new ArrivedResponse(readable, reply));
  };

  return {
    fetch,
    slices,
    get continuity() {
      return continuity;
    },
    close: () => agent.destroy(),
  };
}

/** undici hears of an abort only once it is connected, which with a peer that never ends its TLS handshake is past every deadline. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> {
  if (signal == null) return promise;
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

function methodOf(method: string | undefined): "GET" | "POST" | "DELETE" {
  const upper = (method ?? "GET").toUpperCase();
  if (upper === "GET" || upper === "POST" || upper === "DELETE") return upper;
  throw new TypeError(`expected GET, POST or DELETE, got ${upper}`);
}

function bodyOf(body: unknown): string | null {
  if (body === undefined || body === null) return null;
  if (typeof body === "string") return body;
  throw new TypeError("expected a request body that is a string");
}

function pairsOf(headers: Readonly<Record<string, string | string[] | undefined>>): [string, string][] {
  const pairs: [string, string][] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) pairs.push([name, Array.isArray(value) ? value.join(", ") : value]);
  }
  return pairs;
}
