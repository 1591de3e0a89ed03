/**
 * Phrases that announce an answer ("the final answer is …", "Answer: …", "#### …"), and the sentence that follows each.
 *
 * Priorities are Math-Verify's, lower first: 0 "final answer is … I hope", 50 "final answer is …" and "####", 100 "answer: …",
 * 200 "answer …" with "is" or "=" within 60 characters.
 */
import type { Environment } from "./environments.ts";

/** One announced answer: the sentence after the phrase, and where it starts and ends. */
export interface Anchor {
  readonly priority: number;
  readonly sentence: string;
  readonly start: number;
  readonly end: number;
}

const PHRASE =
  /final answer[^\n]{0,100}?(?:\bis\b|:)|answers?\**\s?(?::|：|=)|\banswers?\b[^\n]{0,60}?(?:\b(?:is|are|be)\b|[:=])|(?<=^|\n)\s{0,4}A:|####|答案(?:是|为|为：|：|:)/gi;

/** Longer sentences announce no answer. */
const MAX_SENTENCE = 400;

/** The announced answers in reading order. `environments` are those of the text, in reading order. */
export function findAnchors(text: string, environments: readonly Environment[]): Anchor[] {
  const anchors: Anchor[] = [];
  PHRASE.lastIndex = 0;
  let next = 0;
  for (let match = PHRASE.exec(text); match !== null; match = PHRASE.exec(text)) {
    const phrase = match[0];
    const start = skip(text, match.index + phrase.length);
    while (next < environments.length && environments[next]!.end <= start) next++;
    const end = sentenceEnd(text, start, environments, next);
    const sentence = text.slice(start, end).replace(/[*_\s]+$/, "");
    if (sentence !== "") anchors.push({ priority: priorityOf(phrase, text, end), sentence, start, end });
    // "The answer is: the final answer is 5": the inner phrase announces it.
    PHRASE.lastIndex = Math.max(match.index + phrase.length, start);
  }
  return anchors;
}

function priorityOf(phrase: string, text: string, end: number): number {
  const lower = phrase.toLowerCase();
  if (lower.startsWith("final answer")) return /^\W{0,6}I hope/i.test(text.slice(end, end + 14)) ? 0 : 50;
  if (lower === "####") return 50;
  return /[:：=]$|^\s*a:$/.test(lower) ? 100 : 200;
}

/** Past blanks, line ends and marks between a phrase and its answer. */
function skip(text: string, from: number): number {
  const gap = /[\s:：*_>=]{0,40}(?:(?:is|equals|equal to)\b[\s:：*_]{0,20})?/y;
  gap.lastIndex = from;
  return from + (gap.exec(text)?.[0].length ?? 0);
}

/** The end of the sentence or line that starts here; formulas in it are passed whole. */
function sentenceEnd(text: string, start: number, environments: readonly Environment[], first: number): number {
  const limit = Math.min(text.length, start + MAX_SENTENCE);
  let next = first;
  for (let position = start; position < limit; position++) {
    const environment = environments[next];
    if (environment !== undefined && position >= environment.start) {
      position = environment.end - 1;
      next++;
      continue;
    }
    const char = text[position];
    if (char === "\n" || char === "。") return position;
    const isStop = char === "." || char === "!" || char === "?";
    if (
      isStop &&
      /^(?:\s|$|\*\*|["')\]]|<)/.test(text.slice(position + 1, position + 3)) &&
      !isFactorial(text, position)
    ) {
      return position;
    }
    if (char === "<" && /^<\/?[a-z|]/i.test(text.slice(position, position + 3))) return position;
  }
  return Math.max(limit, environments[next - 1]?.end ?? 0);
}

/** "5! = 120", not "It is 5!". */
function isFactorial(text: string, position: number): boolean {
  return text[position] === "!" && /[\d)n]$/.test(text.slice(0, position).slice(-1));
}
