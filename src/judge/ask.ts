/**
 * Questions to a language model whose replies have to be readable: from the cache where they are there, else from the server, asked again
 * while a reply holds nothing that can be read.
 */
import { z } from "zod";
import type { Budget } from "./budget.ts";
import { cacheKey, type ReplyCache } from "./cache.ts";
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
  readonly budget?: Budget | undefined;
}

export interface Answer<Value> {
  /** null: none of the replies could be read. */
  readonly value: Value | null;
  /** The last reply. */
  readonly reply: string | null;
  readonly cached: boolean;
  readonly key: string;
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

const chatReply = z.object({
  choices: z
    .array(z.object({ message: z.object({ content: z.string().nullish() }), finish_reason: z.string().nullish() }))
    .min(1),
  usage: z.object({ prompt_tokens: z.number().nullish(), completion_tokens: z.number().nullish() }).nullish(),
});

export class Asker {
  readonly endpoint: Endpoint;
  readonly #options: AskOptions;
  readonly #inFlight = new Map<string, Promise<Answer<unknown>>>();
  #counts = { numQuestions: 0, numCached: 0, promptTokens: 0, replyTokens: 0 };

  constructor(options: AskOptions) {
    this.endpoint = options.endpoint;
    this.#options = options;
  }

  get stats(): AskStats {
    return { ...this.#counts, numRequests: this.endpoint.numRequests, numRetries: this.endpoint.numRetries };
  }

  /** The request of a question; `fields` are the caller's own. */
  bodyOf(messages: readonly ChatMessage[], fields: Readonly<Record<string, unknown>> = {}): object {
    const { temperature = 0, maxTokens = 1024, extraBody = {} } = this.#options;
    return { model: this.endpoint.model, messages, temperature, max_tokens: maxTokens, ...fields, ...extraBody };
  }

  /**
   * `read` gives null for a reply to ask again for. `trust` is called when the server has to be asked, and nothing is returned or cached
   * unless its promise is kept. Throws EndpointFailure, BudgetSpent, or what `trust` rejects with.
   */
  ask<Value>(body: object, read: (reply: string) => Value | null, trust?: () => Promise<void>): Promise<Answer<Value>> {
    const key = cacheKey(1, this.endpoint.url, body);
    const same = this.#inFlight.get(key) as Promise<Answer<Value>> | undefined;
    if (same !== undefined) return same;
    const answer = this.#answer(body, key, read, trust).finally(() => this.#inFlight.delete(key));
    this.#inFlight.set(key, answer);
    return answer;
  }

  /** One reply of the server, never from the cache. Not whole: cut at the token limit; what stands before a cut may have been about to be taken back. */
  async chat(body: object): Promise<{ readonly text: string; readonly isWhole: boolean }> {
    const path = this.endpoint.openAiPath("/chat/completions");
    const { choices, usage } = await this.endpoint.post(path, body, chatReply);
    const { message, finish_reason: finishReason } = choices[0]!;
    const [promptTokens, replyTokens] = [usage?.prompt_tokens ?? 0, usage?.completion_tokens ?? 0];
    this.#counts.promptTokens += promptTokens;
    this.#counts.replyTokens += replyTokens;
    await this.#options.budget?.spend(promptTokens + replyTokens);
    return { text: message.content ?? "", isWhole: finishReason !== "length" };
  }

  async #answer<Value>(
    body: object,
    key: string,
    read: (reply: string) => Value | null,
    trust: (() => Promise<void>) | undefined,
  ): Promise<Answer<Value>> {
    const { cache } = this.#options;
    this.#counts.numQuestions++;
    const stored = (await cache?.read(key)) ?? null;
    const known = stored === null ? null : read(stored);
    if (known !== null) {
      this.#counts.numCached++;
      return { value: known, reply: stored, cached: true, key };
    }
    // Both to their end, whichever fails: no rejection is left behind, and nothing is believed before it may be.
    const [asked, trusted] = await Promise.allSettled([this.#untilReadable(body, read), trust?.()]);
    if (trusted.status === "rejected") throw trusted.reason;
    if (asked.status === "rejected") throw asked.reason;
    const { value, reply } = asked.value;
    if (value !== null) await cache?.write(key, reply);
    return { value, reply, cached: false, key };
  }

  async #untilReadable<Value>(body: object, read: (reply: string) => Value | null) {
    const { maxAsks = 2 } = this.#options;
    for (let asks = 1; ; asks++) {
      const { text, isWhole } = await this.chat(body);
      const value = isWhole ? read(text) : null;
      if (value !== null || asks >= maxAsks) return { value, reply: text };
    }
  }
}
