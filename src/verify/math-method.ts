/**
 * The methods `math` (strict) and `math-lenient` of judge.ts: verify.ts over the part of a response that a recipe asks for.
 *
 * `from: auto` leaves the search to verify.ts. Any other place narrows it: a response without an answer there is unparseable, and
 * the strict rules still see all that stands there, as several different boxes.
 */
import { type AnswerPlace, afterHash, afterThinking, lastAnswerBlock, lastBoxed, lastNumber } from "./extract.ts";
import { fingerprint } from "./math/fingerprint.ts";
import { isGold, readPrediction, verify } from "./verify.ts";

export type MathMethod = "math" | "math-lenient";

const MODES = { math: "strict", "math-lenient": "lenient" } as const;

/** null when the gold answer is absent or cannot be read. Total: no response makes it throw. */
export function judgeMath(
  response: string,
  gold: string | null,
  method: MathMethod,
  from: AnswerPlace,
): "right" | "wrong" | "unparseable" | null {
  if (gold === null || !isGold(gold)) return null;
  const text = narrowed(response, from);
  if (text === null) return "unparseable";
  const { equal, extracted } = verify(gold, text, { mode: MODES[method] });
  return equal ? "right" : extracted === null ? "unparseable" : "wrong";
}

/** A text that responses with equal answers share; null for a response without one. Of the gold only its kind is looked at. */
export function mathKey(response: string, gold: string | null, method: MathMethod, from: AnswerPlace): string | null {
  const text = narrowed(response, from);
  const answer = text === null ? null : readPrediction(gold ?? [], text, { mode: MODES[method] });
  return answer === null ? null : (answer.letter ?? fingerprint(answer.parsed.expression));
}

/** The response as far as the place reaches, in a form that announces the answer; null where nothing stands there. */
function narrowed(response: string, from: AnswerPlace): string | null {
  switch (from) {
    case "auto":
      return response;
    case "answer-tag":
      return lastAnswerBlock(afterThinking(response)) === null ? null : response;
    case "boxed": {
      const spoken = afterThinking(response).replaceAll(/<\/?answer>/g, " ");
      return lastBoxed(spoken) === null ? null : spoken;
    }
    case "hash": {
      const answer = afterHash(afterThinking(response));
      return answer === null ? null : `#### ${answer}`;
    }
    case "last-number": {
      const number = lastNumber(afterThinking(response));
      return number === null ? null : `#### ${number}`;
    }
    case "whole":
      return response;
  }
  return from satisfies never;
}
