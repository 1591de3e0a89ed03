/**
 * The letter of a multiple-choice answer: "B", "(b)", "B) 5", "\text{B}", "option B", or the words of exactly one of the choices.
 *
 * One letter or none: an answer that names two has chosen neither, and a letter beside the words of another choice contradicts itself.
 */
import { afterThinking, lastAnswerBlock, lastBoxed } from "./extract.ts";

export const CHOICE_PLACES = ["auto", "answer-tag", "boxed", "answer-line", "whole"] as const;
export type ChoicePlace = (typeof CHOICE_PLACES)[number];

/** The text in which the letter is sought; null where the response has none. `auto`: tags, then a box, then the last "Answer: …". */
export function choiceText(response: string, place: ChoicePlace): string | null {
  switch (place) {
    case "answer-tag":
      return lastAnswerBlock(response);
    case "boxed":
      return lastBoxed(response);
    case "answer-line":
      return answerLine(response);
    case "whole":
      return response;
    case "auto": {
      const block = lastAnswerBlock(response);
      const spoken = block ?? afterThinking(response);
      return (
        lastBoxed(spoken) ?? block ?? answerLine(spoken) ?? (spoken.trim().length <= MAX_BARE_CHARS ? spoken : null)
      );
    }
  }
  return place satisfies never;
}

/** A response as short as this is its answer. */
const MAX_BARE_CHARS = 40;

/** The rest of the last line that says "answer:", "answer is" or 答案. */
function answerLine(text: string): string | null {
  const lines = text.slice(-MAX_SEARCHED_CHARS).split("\n");
  for (const line of lines.reverse()) {
    const at = [...line.matchAll(/answer\s{0,4}(?:is\s{0,4}:?|[:：])|答案\s{0,4}[是为]?\s{0,4}[:：]?/gi)].at(-1);
    if (at !== undefined) return line.slice(at.index + at[0].length);
  }
  return null;
}

const MAX_SEARCHED_CHARS = 2000;

/** Index of the choice, 0 for A; null where none, or more than one, is named. `choices` are the texts, or their number. */
export function readChoice(text: string, choices: readonly string[] | number): number | null {
  if (text.length > MAX_SEARCHED_CHARS) return null;
  const numChoices = typeof choices === "number" ? choices : choices.length;
  const texts = typeof choices === "number" ? [] : choices.map(plainText);
  const plain = plainText(text);
  const same = texts.indexOf(plain);
  const isLetter = /^[A-Z]$/i.test(plain);
  // The words of a choice come first, unless they are a letter: then the letter is meant.
  if (same !== -1 && !isLetter) return texts.lastIndexOf(plain) === same ? same : null;
  const spoken = SPOKEN.exec(plain);
  const match = LETTERED.exec(plain) ?? (spoken !== null && !HEDGE.test(spoken[2]!) ? spoken : null);
  if (match === null) return null;
  const index = match[1]!.toUpperCase().charCodeAt(0) - 65;
  const rest = plainText(match[2]!);
  if (index >= numChoices) return null;
  if (rest !== "" && texts.includes(rest)) return texts[index] === rest ? index : null;
  return namesAnother(rest, index, numChoices) ? null : index;
}

/** "B", "(B)", "[B]", "B) rest", "option B": the letter, and what follows its bracket, stop or colon. */
const LETTERED =
  /^(?:(?:the )?(?:correct )?(?:option|choice|answer)(?: is)?:? ?)?[([{]?([A-Z])(?:[)\]}.:、。]|$)\s*(.*)$/i;

/** "B because …", "B, since …": a capital that is no word of English, and a sentence that goes on. */
const SPOKEN = /^([B-HJ-Z])[, ]\s*(.*)$/;

/** What takes a letter back, or leaves it open. */
const HEDGE = /\b(?:or|nor|not|neither|wrong|incorrect|false|unless|maybe|perhaps)\b|n't\b/i;

/** "A) or B)", "A, C", "A and B": a second letter that stands alone. The article of "A) a dog" is none. */
function namesAnother(rest: string, index: number, numChoices: number): boolean {
  return [...rest.matchAll(/(?<![\p{L}\p{N}'\\])([A-Z])(?![\p{L}\p{N}'])/gu)].some(([, letter]) => {
    const other = letter!.charCodeAt(0) - 65;
    return other !== index && other < numChoices;
  });
}

/** Without LaTeX wrappers, mathematics signs, emphasis, and the punctuation around it. */
function plainText(text: string): string {
  return text
    .normalize("NFKC")
    .replaceAll(/\\(?:text|textbf|mathrm|mathbf|mathsf|operatorname)\s{0,4}\{([^{}]*)\}/g, "$1")
    .replaceAll(/\\[ ,;!]/g, " ")
    .replaceAll(/\\[()[\]]|[$*_`"]/g, "")
    .replaceAll(/\s+/g, " ")
    .trim()
    .replace(/[.,;]$/, "")
    .trim();
}
