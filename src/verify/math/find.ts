/**
 * The search of verify.ts: which part of a response is searched. Strictly, see find-strictly.ts. Leniently, the last answer block, then
 * what follows the thinking, then all of the response: the first that holds an answer.
 */
import { allLetters } from "./choice.ts";
import { type FindOptions, type Refusal, readOptions, type Tell, tellOf } from "./find-options.ts";
import { findStrictly } from "./find-strictly.ts";
import { plainLatex } from "./markup.ts";
import { parseMath } from "./parse.ts";
import { type Answer, type Gold, isInWords, readAnswer } from "./read.ts";
import { splitResponse } from "./thinking.ts";

/** The answer of a response, for golds of this kind. */
export function findAnswer(
  prediction: string,
  golds: readonly Gold[],
  options: FindOptions,
  tell: Tell,
): Answer | Refusal {
  const search = options.mode === "strict" ? findStrictly : findLeniently;
  return search(prediction, golds, options, tell);
}

function findLeniently(response: string, golds: readonly Gold[], options: FindOptions, tell: Tell): Answer | Refusal {
  const prediction = plainLatex(response);
  const { spoken, blocks } = splitResponse(prediction);
  const scopes = [
    { name: "the answer block", text: blocks.at(-1) },
    { name: "the text after the thinking", text: spoken === prediction ? undefined : spoken },
    { name: "the whole response", text: prediction },
  ];
  const read = readOptions(golds, options);
  const wantsWords = golds.some(isInWords);
  const verbatim = wantsWords || golds.some(({ text }) => isLetters(text, text)) ? wholeWords(prediction, golds) : null;
  if (verbatim !== null) return verbatim;
  for (const { name, text } of scopes) {
    if (text == null || text.trim() === "") continue;
    tell(() => `looked in ${name}`);
    const answer = readAnswer(text, read, wantsWords, tellOf(tell));
    if (answer !== null) return answer;
  }
  return { refused: "no answer was found", extracted: null };
}

/** Several choices, where several are asked for: "options B and D". */
function isLetters(gold: string, text: string): boolean {
  return (allLetters(gold)?.length ?? 0) > 1 && allLetters(text) !== null;
}

/** The response as a whole, where it is the words that are asked for and nothing else. */
function wholeWords(prediction: string, golds: readonly Gold[]): Answer | null {
  const text = prediction.trim();
  const parsed = text.length > 300 ? null : parseMath(text);
  const isSame = (gold: Gold) => gold.parsed.words === parsed?.words || isLetters(gold.text, text);
  if (parsed === null || !golds.some(isSame)) return null;
  return { candidate: { text, place: "whole", priority: 260, start: 0, end: prediction.length }, parsed };
}
