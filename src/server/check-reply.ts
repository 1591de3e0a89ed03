/**
 * What a reply of /v1/completions must satisfy before a token of it is trained on. Cheap, and each check has a server, a proxy or
 * a version behind it that broke it once.
 */
import type { Completion, FinishReason } from "../types.ts";
import { CallFailure } from "./call.ts";
import type { CompletionChoice, CompletionReply } from "./wire.ts";

/** What was asked for. */
export interface Expected {
  readonly promptTokenIds: readonly number[];
  readonly numCompletions: number;
  readonly maxTokens: number;
  /** The policy version to write on a completion whose server does not say it. */
  readonly policyVersion: number;
  /** Is this the name of a model that may answer? */
  readonly accepts: (model: string) => boolean;
  /** e.g. "vllm 0.8.5", for messages. */
  readonly serverVersion: string;
}

/** [n] by choice index: a completion, or the sentence that says why this one does not count. */
export type CheckedReply = readonly (Completion | string)[];

/** Log-probabilities are <= 0 but for rounding; the OpenAI encoders write -9999 for minus infinity, and less would overflow float32. */
const roundingSlack = 1e-4;
const placeholder = -9999;

/** Throws CallFailure when the reply as a whole is not an answer to the request. */
export function checkReply(reply: CompletionReply, expected: Expected): CheckedReply {
  if (!expected.accepts(reply.model)) {
    throw new CallFailure(
      "garbled",
      `the answer comes from model ${JSON.stringify(reply.model)}, which was not asked for`,
    );
  }
  const byIndex = new Map<number, CompletionChoice>();
  for (const choice of reply.choices) {
    if (choice.index >= expected.numCompletions || byIndex.has(choice.index)) {
      const what = byIndex.has(choice.index) ? "twice" : `though n was ${expected.numCompletions}`;
      throw new CallFailure("garbled", `choice ${choice.index} came ${what}`);
    }
    byIndex.set(choice.index, choice);
  }
  return Array.from({ length: expected.numCompletions }, (_, index) => {
    const choice = byIndex.get(index);
    return choice === undefined
      ? `choice ${index} of ${expected.numCompletions} is missing`
      : checkChoice(choice, expected);
  });
}

function checkChoice(choice: CompletionChoice, expected: Expected): Completion | string {
  const tokenIds = choice.token_ids;
  if (
    tokenIds === undefined ||
    tokenIds === null ||
    choice.prompt_token_ids === undefined ||
    choice.prompt_token_ids === null
  ) {
    throw new CallFailure(
      "refused",
      `the answer has no token ids although return_token_ids was sent; that needs vLLM 0.10.2 or newer and this server is ` +
        `${expected.serverVersion}: upgrade it`,
    );
  }
  if (!sameIds(choice.prompt_token_ids, expected.promptTokenIds)) {
    throw new CallFailure(
      "refused",
      `the server answered another prompt than it was sent (${choice.prompt_token_ids.length} tokens for ` +
        `${expected.promptTokenIds.length}); it must not truncate, re-tokenise or add tokens`,
    );
  }
  const finishReason = choice.finish_reason;
  if (!isFinished(finishReason))
    return `choice ${choice.index} ended with finish_reason ${JSON.stringify(finishReason)}`;

  const raw = choice.logprobs?.token_logprobs;
  if (raw === undefined) {
    throw new CallFailure(
      "refused",
      "the answer has no logprobs although they were asked for; the server or a proxy drops them",
    );
  }
  if (tokenIds.length === 0) return `choice ${choice.index} has no tokens`;
  if (tokenIds.length > expected.maxTokens) {
    return `choice ${choice.index} has ${tokenIds.length} tokens, more than max_tokens ${expected.maxTokens}`;
  }
  if (raw.length !== tokenIds.length) {
    return `choice ${choice.index} has ${tokenIds.length} token ids and ${raw.length} log-probabilities`;
  }
  const logprobs = new Float32Array(raw.length);
  for (let t = 0; t < raw.length; t++) {
    const value = raw[t];
    if (typeof value !== "number" || !Number.isFinite(value) || value > roundingSlack || value <= placeholder) {
      return `choice ${choice.index} has log-probability ${value} at token ${t}`;
    }
    logprobs[t] = Math.min(value, 0);
  }
  const policyVersion = versionOf(choice, expected);
  if (policyVersion === undefined)
    return `choice ${choice.index} has weight_version ${JSON.stringify(choice.weight_version)}`;
  return { tokenIds, logprobs, text: choice.text, finishReason, policyVersion };
}

function isFinished(reason: string | null): reason is FinishReason {
  return reason === "stop" || reason === "length";
}

function versionOf(choice: CompletionChoice, expected: Expected): number | undefined {
  if (choice.weight_version === undefined || choice.weight_version === null) return expected.policyVersion;
  const version = Number(choice.weight_version);
  return Number.isSafeInteger(version) && version >= 0 ? version : undefined;
}

function sameIds(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}
