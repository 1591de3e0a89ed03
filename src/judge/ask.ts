/**
 * Questions to a language model whose replies have to be readable: from the cache where they are there, else from the server, asked again
 * while a reply holds nothing that can be read, all within the endpoint's deadline.
 */
import { z } from "zod";
import { cacheKey, type ReplyCache } from "./cache.ts";
import type { Controls, Trial } from "./controls.ts";
import type { Endpoint } from "./endpoint.ts";
import type { ChatMessage } from "./protocol.ts";

export interface AskOptions {
  readonly endpoint: Endpoint;
  /** Default 0. */
  readonly temperature?: number;
  /** Of a reply; one that is cut cannot be read. Default 1,024. */
  readonly maxTokens?: number;
  /** Sent with each request, e.g. { chat_template_kwargs: { enable_thinking: false } }. */
  readonly extraBody?: Readonly<Record<string, unknown>>;
  /** Times a question is asked until its reply can be read. Default 2. */
  readonly maxAsks?: number;
  readonly cache?: ReplyCache | undefined;
}

export interface Answer<Value> {
  /** null: none of the replies could be read. */
  readonly value: Value | null;
  /** The last reply. */
  readonly reply: string | null;
  readonly cached: boolean;
}

/** What has to be passed before a reply is believed. */
export interface Control {
  readonly controls: Controls;
  readonly trial: Trial;
}

export interface AskStats {
  /** Questions; equal ones at the same time are one. */
  readonly numQuestions: number;
  readonly numCached: number;
  /** HTTP requests, with retries. */
  readonly numRequests: number;
  readonly numRetries: number;
  readonly promptTokens: number;
  readonly replyTokens: number;
}

/** One choice was asked for. Of two nobody knows which is meant. */
const chatReply = z.object({
  choices: z
    .array(z.object({ message: z.object({ content: z.string().nullish() }), finish_reason: z.string().nullish() }))
    .length(1),
  usage: z.object({ completion_tokens: z.int().nonnegative() }).nullish().catch(null),
});

/** How servers say that a reply came to its end. All else (length, content_filter, abort, an error) is a part of one. */
const WHOLE: readonly string[] = ["stop", "eos", "eos_token", "end_turn", "stop_sequence"];

export class Asker {
  readonly endpoint: Endpoint;
  readonly #options: AskOptions;
  readonly #inFlight = new Map<string, Promise<Answer<unknown>>>();
  #counts = { numQuestions: 0, numCached: 0 };

  constructor(options: AskOptions) {
    this.endpoint = options.endpoint;
    this.#options = options;
  }

  get stats(): AskStats {
    const { numRequests, numRetries, promptTokens, replyTokens } = this.endpoint;
    return { ...this.#counts, numRequests, numRetries, promptTokens, replyTokens };
  }

  /** The request of a question; `fields` are the caller's own. */
  bodyOf(messages: readonly ChatMessage[], fields: Readonly<Record<string, unknown>> = {}): object {
    const { temperature = 0, maxTokens = 1024, extraBody = {} } = this.#options;
    return { model: this.endpoint.model, messages, temperature, max_tokens: maxTokens, ...fields, ...extraBody };
  }

  /**
   * `read` gives null for a reply to ask again for. With `control` nothing is returned, and nothing stays in the cache, that the controls do
   * not allow. Throws EndpointFailure, BudgetSpent, JudgeAlarm, or RecipeError for a disk that is full.
   */
  ask<Value>(body: object, read: (reply: string) => Value | null, control?: Control): Promise<Answer<Value>> {
    const key = cacheKey(1, this.endpoint.url, body);
    const same = this.#inFlight.get(key) as Promise<Answer<Value>> | undefined;
    if (same !== undefined) return same;
    const answer = this.#answer(body, key, read, control).finally(() => this.#inFlight.delete(key));
    this.#inFlight.set(key, answer);
    return answer;
  }

  /**
   * One reply of the server, never from the cache. Not whole: cut, at the token limit or by a filter; what stands before a cut may have
   * been about to be taken back.
   */
  async chat(body: object, deadline?: number): Promise<{ readonly text: string; readonly isWhole: boolean }> {
    const path = this.endpoint.openAiPath("/chat/completions");
    const { choices, usage } = await this.endpoint.post(path, body, chatReply, deadline);
    const { message, finish_reason: finishReason } = choices[0]!;
    const text = message.content ?? "";
    // A server that says neither how a reply ended nor how long it is: a token for every two bytes.
    const numTokens = usage?.completion_tokens ?? Math.ceil(Buffer.byteLength(text) / 2);
    const isFull = numTokens >= (this.#options.maxTokens ?? 1024);
    return { text, isWhole: finishReason == null ? !isFull : WHOLE.includes(finishReason) };
  }

  async #answer<Value>(
    body: object,
    key: string,
    read: (reply: string) => Value | null,
    { controls, trial }: Partial<Control> = {},
  ): Promise<Answer<Value>> {
    const { cache } = this.#options;
    const trust = async () => (trial === undefined ? undefined : controls?.trust(trial));
    this.#counts.numQuestions++;
    await controls?.check();
    const stored = (await cache?.read(key)) ?? null;
    const known = stored === null ? null : read(stored);
    if (known !== null) {
      if (await controls?.isMarked(key)) await trust();
      this.#counts.numCached++;
      return { value: known, reply: stored, cached: true };
    }
    // Both to their end, whichever fails: no rejection is left behind, and nothing is believed before it may be.
    const [asked, trusted] = await Promise.allSettled([this.#untilReadable(body, read), trust()]);
    if (trusted.status === "rejected") throw trusted.reason;
    if (asked.status === "rejected") throw asked.reason;
    const { value, reply } = asked.value;
    if (value !== null) {
      await controls?.mark(key);
      await cache?.write(key, reply);
    }
    // A control may have been failed while this reply was on its way.
    await controls?.check().catch(async (alarm: unknown) => {
      await cache?.remove(key);
      throw alarm;
    });
    return { value, reply, cached: false };
  }

  async #untilReadable<Value>(body: object, read: (reply: string) => Value | null) {
    const { maxAsks = 2 } = this.#options;
    const deadline = this.endpoint.deadline();
    for (let asks = 1; ; asks++) {
      const { text, isWhole } = await this.chat(body, deadline);
      const value = isWhole ? read(text) : null;
      if (value !== null || asks >= maxAsks) return { value, reply: text };
    }
  }
}
