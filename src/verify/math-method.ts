/**
 * The methods of judge.ts that verify.ts serves: `math` (strict), `math-lenient`, and the named policies.
 *
 * `from: auto` leaves the search to verify.ts. Any other place narrows it: a response without an answer there is unparseable, and
 * the strict rules still see all that stands there, as several different boxes. Policies look where their originals look.
 */
import { type AnswerPlace, afterHash, afterThinking, lastAnswerBlock, lastBoxed, lastNumber } from "./extract.ts";
import { fingerprint } from "./math/fingerprint.ts";
import { splitResponse } from "./math/thinking.ts";
import { visibleText } from "./math/visible.ts";
import { POLICY_NAMES } from "./policies/policies.ts";
import { isGold, readPrediction, type VerifyOptions, verify } from "./verify.ts";

/** Ours, and the named policies. */
export const MATH_METHODS = ["math", "math-lenient", ...POLICY_NAMES] as const;
export type MathMethod = (typeof MATH_METHODS)[number];

/** True of the methods that this file knows. */
export function isMathMethod(method: string): method is MathMethod {
  return (MATH_METHODS as readonly string[]).includes(method);
}

/** null when the gold answer is absent or cannot be read. Total: no response makes it throw. */
export function judgeMath(
  response: string,
  gold: string | null,
  method: MathMethod,
  from: AnswerPlace,
): "right" | "wrong" | "unparseable" | null {
  if (gold === null || !isGold(gold)) return null;
  const isOurs = method === "math" || method === "math-lenient";
  const text = isOurs ? narrowed(response, method, from) : response;
  if (text === null) return "unparseable";
  const { equal, extracted } = verify(gold, text, isOurs ? modeOf(method) : { policy: method });
  return equal ? "right" : extracted === null ? "unparseable" : "wrong";
}

/** A text that responses with equal answers share; null for a response without one. Of the gold only its kind is looked at. */
export function mathKey(response: string, gold: string | null, method: MathMethod, from: AnswerPlace): string | null {
  if (method !== "math" && method !== "math-lenient") return verify("", response, { policy: method }).extracted;
  const text = narrowed(response, method, from);
  const answer = text === null ? null : readPrediction(gold ?? [], text, modeOf(method));
  return answer === null ? null : (answer.letter ?? fingerprint(answer.parsed.expression));
}

function modeOf(method: "math" | "math-lenient"): VerifyOptions {
  return { mode: method === "math" ? "strict" : "lenient" };
}

/** The response as far as the place reaches, in a form that announces the answer; null where nothing stands there. */
function narrowed(response: string, method: "math" | "math-lenient", from: AnswerPlace): string | null {
  if (from === "auto" || from === "whole") return response;
  const isStrict = method === "math";
  const spoken = isStrict ? splitResponse(visibleText(response)).spoken : afterThinking(response);
  if (spoken === null) return null;
  switch (from) {
    case "answer-tag":
      return lastAnswerBlock(spoken) === null ? null : response;
    case "boxed": {
      const untagged = spoken.replaceAll(/<\/?answer>/g, " ");
      return lastBoxed(untagged) === null ? null : untagged;
    }
    case "hash":
      return isStrict ? fromFirstHash(spoken) : announced(afterHash(spoken));
    case "last-number":
      return announced(lastNumber(spoken));
  }
  return from satisfies never;
}

function announced(answer: string | null): string | null {
  return answer === null ? null : `#### ${answer}`;
}

/** Every line after ####, and what follows the last. */
function fromFirstHash(spoken: string): string | null {
  const lines = spoken.split("####").slice(1);
  if (lines.length === 0) return null;
  const isLast = (index: number) => index === lines.length - 1;
  return lines.map((line, index) => `#### ${isLast(index) ? line.trim() : line.trim().split("\n")[0]}`).join("\n");
}
