/** What a request to a judge takes, in tokens: at most, by the server's own count, and where the server never says. */
import { z } from "zod";
import type { CallFailure } from "../server/call.ts";

const reported = z.object({
  usage: z.object({ prompt_tokens: z.int().nonnegative(), completion_tokens: z.int().nonnegative().nullish() }),
});
const limit = z.int().positive().nullish().catch(null);
const limited = z.object({ max_tokens: limit, max_completion_tokens: limit });

export interface Usage {
  readonly promptTokens: number;
  readonly replyTokens: number;
}

/** No tokenizer makes more of a text than its bytes; the marks of the conversation are fewer than those of its JSON. */
function mostOf(body: object): Usage {
  const limits = limited.parse(body);
  const replyTokens = limits.max_completion_tokens ?? limits.max_tokens ?? 0;
  return { promptTokens: Buffer.byteLength(JSON.stringify(body)), replyTokens };
}

/** What a request can take, whatever the reply. */
export function mostTokens(body: object): number {
  const { promptTokens, replyTokens } = mostOf(body);
  return promptTokens + replyTokens;
}

/** What a reply took: the server's word, or the most that it can have been. */
export function usageOf(body: object, text: string, json: unknown): Usage {
  const usage = reported.safeParse(json).data?.usage;
  const { promptTokens, replyTokens } = mostOf(body);
  return {
    promptTokens: usage?.prompt_tokens ?? promptTokens,
    replyTokens: usage?.completion_tokens ?? Math.min(replyTokens, Buffer.byteLength(text)),
  };
}

/** A request that was lost on its way may have been worked on to its end; one that was never sent, or that the server turned down, was not. */
export function usageOfFailure(body: object, { kind, cause }: CallFailure): Usage {
  const isLost = kind === "late" || (kind === "unreachable" && !isUnsent(cause));
  return isLost ? mostOf(body) : { promptTokens: 0, replyTokens: 0 };
}

const UNSENT = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT"];

function isUnsent(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  return ("code" in cause && UNSENT.includes(String(cause.code))) || isUnsent(cause.cause);
}
