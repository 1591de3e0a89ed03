/**
 * Scores of a reward model behind HTTP: what is sent, and where in the reply the number stands.
 *
 *   vllm-pooling     POST /pooling  { model, messages }    data[0].data: a number, a list, or a list per token: the last one counts
 *   vllm-classify    POST /classify { model, input }       data[0].probs: of two classes or more the last, of one that one
 *   sglang-classify  POST /classify { model, text }        [0].embedding[0]
 *   yes-probability  POST …/chat/completions, log-probs    P(YES) / (P(YES) + P(NO)) of the first token (Seed-Thinking-v1.5's generative RM)
 */
import { z } from "zod";
import type { Endpoint } from "./endpoint.ts";
import type { ChatMessage } from "./protocol.ts";

export const REWARD_MODEL_APIS = ["vllm-pooling", "vllm-classify", "sglang-classify", "yes-probability"] as const;
export type RewardModelApi = (typeof REWARD_MODEL_APIS)[number];

const poolingReply = z.object({
  data: z
    .array(z.object({ data: z.union([z.number(), z.array(z.union([z.number(), z.array(z.number())]))]) }))
    .length(1),
});
const classifyReply = z.object({ data: z.array(z.object({ probs: z.array(z.number()).min(1) })).length(1) });
const embedding = z.object({ embedding: z.array(z.number()).min(1) });
const sglangReply = z.union([z.array(embedding).length(1), embedding.transform((one) => [one])]);
const logprobReply = z.object({
  choices: z
    .array(
      z.object({
        logprobs: z.object({
          content: z
            .array(z.object({ top_logprobs: z.array(z.object({ token: z.string(), logprob: z.number() })) }))
            .min(1),
        }),
      }),
    )
    .length(1),
});

/** The reply holds no score. */
export class NoScore extends Error {
  override readonly name = "NoScore";
}

/** One score; throws EndpointFailure, BudgetSpent or NoScore. `text`: for servers without a chat template. */
export async function scoreOf(
  endpoint: Endpoint,
  api: RewardModelApi,
  { messages, text }: { readonly messages: readonly ChatMessage[]; readonly text: string },
): Promise<number> {
  const { model } = endpoint;
  switch (api) {
    case "vllm-pooling": {
      const { data } = await endpoint.post("/pooling", { model, messages }, poolingReply);
      return finite(endpoint, lastNumber(data[0]!.data));
    }
    case "vllm-classify": {
      const { data } = await endpoint.post("/classify", { model, input: text }, classifyReply);
      return finite(endpoint, data[0]!.probs.at(-1));
    }
    case "sglang-classify":
      return finite(endpoint, (await endpoint.post("/classify", { model, text }, sglangReply))[0]!.embedding[0]);
    case "yes-probability": {
      const body = { model, messages, max_tokens: 1, temperature: 0, logprobs: true, top_logprobs: 20 };
      const { choices } = await endpoint.post(endpoint.openAiPath("/chat/completions"), body, logprobReply);
      return finite(endpoint, yesProbability(choices[0]!.logprobs.content[0]!.top_logprobs));
    }
  }
  return api satisfies never;
}

/** What rounding may add to a probability. */
const ROUNDING = 0.01;

/**
 * P(YES) among YES and NO, over all spellings ("Yes", " YES"); undefined where both together are less likely than all else: a model that
 * was about to say something else has no opinion to read off its tails. Undefined too where the numbers are no probabilities.
 */
export function yesProbability(tokens: readonly { token: string; logprob: number }[]): number | undefined {
  const total = tokens.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0);
  // Not `total > …`: a total that is no number has no opinion either.
  if (!(total <= 1 + ROUNDING)) return undefined;
  const mass = (word: string) =>
    tokens
      // The marks of a space in tokenizers, which some servers leave in.
      .filter(({ token }) => token.replace(/^[▁Ġ]/, "").trim().toUpperCase() === word)
      .reduce((sum, { logprob }) => sum + Math.exp(logprob), 0);
  const [yes, no] = [mass("YES"), mass("NO")];
  return yes + no >= 0.5 ? yes / (yes + no) : undefined;
}

function lastNumber(value: number | readonly (number | readonly number[])[]): number | undefined {
  if (typeof value === "number") return value;
  const last = value.at(-1);
  return typeof last === "number" || last === undefined ? last : last.at(-1);
}

function finite({ name, url }: Endpoint, score: number | undefined): number {
  if (score !== undefined && Number.isFinite(score)) return score;
  throw new NoScore(
    `Expected a finite score from ${name} (${url}), got ${score ?? "none"}. Is this the API of that server?`,
  );
}

/** What follows the thinking: a block that was opened and never closed is no summary, and neither is what was said before it. */
export function summaryOf(response: string): string {
  const end = response.lastIndexOf("</think>");
  const rest = end === -1 ? response : response.slice(end + "</think>".length);
  const open = rest.indexOf("<think>");
  return (open === -1 ? rest : rest.slice(0, open)).trim();
}
