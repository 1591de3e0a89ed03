/**
 * Calls to a judge's or a reward model's server: bounded tries within one deadline, each failure with the judge's name.
 *
 * Busy, broken, unreachable and garbled answers are tried again after a pause that doubles, or after the server's own Retry-After; a
 * refusal never is. A pause that would pass the deadline is not begun. Whatever a server sends back, the key is taken out of it: some
 * quote it in their errors, and from there it would go into logs and caches. An error inside a reply of status 200 is one, whatever stands
 * beside it; and a server that names another model than before has a fallback, whose scores are not those of the judge.
 */
import { z } from "zod";
import { type Caller, CallFailure, createCaller, parseReply, seconds, sleep } from "../server/call.ts";
import { Gate } from "../server/gate.ts";
import { createTransport, type Transport } from "../server/http.ts";
import { messageOfErrorBody } from "../server/wire.ts";
import type { Budget } from "./budget.ts";
import { mostTokens, type Usage, usageOf, usageOfFailure } from "./usage.ts";

export interface EndpointOptions {
  /** Name in messages. */
  readonly name: string;
  /** OpenAI base URL, e.g. "http://127.0.0.1:8000/v1". */
  readonly url: string;
  readonly model: string;
  readonly apiKey?: string | undefined;
  /** Time for one question, from asking it to its last try's last byte, waiting for a free connection included. Default 9,000. */
  readonly deadlineMs?: number;
  /** Tries of one request, the first included. Default 4. */
  readonly maxTries?: number;
  /** Requests in flight. Default 16. */
  readonly concurrency?: number;
  /** Pause before the second try; doubles from there. Default 250. */
  readonly retryDelayMs?: number;
  readonly budget?: Budget | undefined;
}

/** A question that got no answer: a failure of the reward, never a score. */
export class EndpointFailure extends Error {
  override readonly name = "EndpointFailure";
}

/** A longer reply is no verdict. */
const MAX_REPLY_BYTES = 8 * 1024 * 1024;

/** Shorter keys are placeholders such as "EMPTY", and may be words of a reply. */
const MIN_SECRET = 8;

const faulty = z.union([
  z.object({ error: z.union([z.string(), z.object({})]) }),
  z.object({ object: z.literal("error") }),
]);
const named = z.object({ model: z.string() });

export class Endpoint {
  readonly name: string;
  readonly url: string;
  readonly model: string;
  numRequests = 0;
  numRetries = 0;
  promptTokens = 0;
  replyTokens = 0;
  readonly #options: EndpointOptions;
  readonly #transport: Transport;
  readonly #caller: Caller;
  readonly #gate: Gate;
  /** What the server calls its model: not always what it was asked for. */
  #servedModel: string | undefined;

  constructor(options: EndpointOptions) {
    const { name, url, model, apiKey, concurrency = 16, deadlineMs = 9000 } = options;
    this.name = name;
    this.model = model;
    this.#options = options;
    this.#transport = createTransport({
      maxConnections: concurrency,
      maxReplyBytes: MAX_REPLY_BYTES,
      connectTimeoutMs: deadlineMs,
    });
    this.#caller = createCaller(url, apiKey, this.#transport);
    this.url = this.#caller.url;
    this.#gate = new Gate(concurrency);
  }

  /** The OpenAI path under the base URL, as a path under the server's root: "/v1/chat/completions" for ".../v1". */
  openAiPath(path: string): string {
    return `${this.url.slice(this.#caller.root.length)}${path}`;
  }

  /** When a question that is asked now has to be answered: on the clock of performance.now(), in milliseconds. */
  deadline(): number {
    return performance.now() + (this.#options.deadlineMs ?? 9000);
  }

  /** Posts `body` to `path` under the server's root; throws EndpointFailure, BudgetSpent, or RecipeError for a ledger that cannot be kept. */
  async post<Reply>(
    path: string,
    body: object,
    schema: z.ZodType<Reply>,
    deadline: number = this.deadline(),
  ): Promise<Reply> {
    const { deadlineMs = 9000, maxTries = 4, retryDelayMs = 250, budget } = this.#options;
    const remaining = () => deadline - performance.now();
    const waiting = AbortSignal.timeout(Math.max(0, Math.floor(remaining())));
    const leave = await this.#gate.enter(1, waiting).catch(() => {
      throw this.#failure(`no free connection within ${seconds(deadlineMs)}`, 0);
    });
    try {
      for (let tries = 1; ; tries++) {
        const booking = await budget?.reserve(mostTokens(body), Math.max(0, remaining()));
        this.numRequests++;
        const failure = await this.#try(path, body, schema, Math.max(1, remaining()), booking);
        if (!(failure instanceof CallFailure)) return failure;
        const isLate = failure.kind === "late";
        const isFinal = isLate || failure.kind === "refused" || tries >= maxTries;
        // Spread, so that those who failed together do not come back together; the spread needs no chance.
        const backoffMs = retryDelayMs * 2 ** (tries - 1) * (0.75 + 0.5 * ((this.numRequests * GOLDEN) % 1));
        const pauseMs = Math.max(backoffMs, failure.retryAfterMs ?? 0);
        if (isFinal || pauseMs >= remaining()) {
          throw this.#failure(isLate ? `no complete answer within ${seconds(deadlineMs)}` : failure.message, tries);
        }
        this.numRetries++;
        await sleep(pauseMs);
      }
    } finally {
      leave();
    }
  }

  /** Closes the connections; safe twice. */
  async close(): Promise<void> {
    await this.#transport.close();
  }

  async #try<Reply>(
    path: string,
    body: object,
    schema: z.ZodType<Reply>,
    deadlineMs: number,
    booking: string | undefined,
  ): Promise<Reply | CallFailure> {
    let isBooked = false;
    try {
      const text = this.#withoutKey(await this.#caller.call(path, { deadlineMs, body }));
      const json = jsonOf(text);
      isBooked = true;
      await this.#book(booking, usageOf(body, text, json));
      if (faulty.safeParse(json).success) {
        throw new CallFailure("broken", `unexpected reply of ${path}, an error: ${messageOfErrorBody(text)}`);
      }
      const reply = parseReply(text, schema, path);
      this.#checkModel(named.safeParse(json).data?.model);
      return reply;
    } catch (error) {
      if (!(error instanceof CallFailure)) throw error;
      if (!isBooked) await this.#book(booking, usageOfFailure(body, error));
      return error;
    }
  }

  async #book(booking: string | undefined, { promptTokens, replyTokens }: Usage): Promise<void> {
    this.promptTokens += promptTokens;
    this.replyTokens += replyTokens;
    if (booking !== undefined) await this.#options.budget?.settle(booking, promptTokens + replyTokens);
  }

  #checkModel(model: string | undefined): void {
    this.#servedModel ??= model;
    if (model === undefined || model === this.#servedModel) return;
    throw new CallFailure(
      "garbled",
      `it answered as ${JSON.stringify(model)}, and as ${JSON.stringify(this.#servedModel)} before. Name the exact model, without a fallback`,
    );
  }

  #withoutKey(text: string): string {
    const { apiKey } = this.#options;
    return apiKey === undefined || apiKey.length < MIN_SECRET ? text : text.replaceAll(apiKey, "[key]");
  }

  /** Without a cause: the package's own error holds what was sent and received. */
  #failure(reason: string, tries: number): EndpointFailure {
    const after = tries === 0 ? "" : ` after ${tries} ${tries === 1 ? "try" : "tries"}`;
    // What a server sends may be binary, or write on a terminal.
    const words = this.#withoutKey(reason).replaceAll(/[\p{Cc}\p{Cf}]+/gu, " ");
    return new EndpointFailure(`${this.name} (${this.model} at ${this.url}) gave no answer${after}: ${words}`);
  }
}

const GOLDEN = 0.618_033_988_749_895;

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
