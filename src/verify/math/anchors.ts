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

/** So many announced answers of one kind are looked at, from the end. */
const MAX_ANCHORS = 24;

/** The announced answers in reading order. `findFormulas` gives the formulas of the text, and is asked only where a phrase stands. */
export function findAnchors(text: string, findFormulas: () => readonly Environment[]): Anchor[] {
  const starts: Record<"final" | "hash" | "colon" | "verb", number[]> = { final: [], hash: [], colon: [], verb: [] };
  PHRASE.lastIndex = 0;
  for (let match = PHRASE.exec(text); match !== null; match = PHRASE.exec(text)) {
    const start = skip(text, match.index + match[0].length);
    if (!isJudged(text, match.index, start)) starts[kindOf(match[0])].push(start);
    // "The answer is: the final answer is 5": the inner phrase announces it.
    PHRASE.lastIndex = Math.max(match.index + match[0].length, start);
  }
  const kinds = (["final", "hash", "colon", "verb"] as const).filter((kind) => starts[kind].length > 0);
  const environments = kinds.length > 0 ? findFormulas() : [];
  const anchors = kinds.flatMap((kind) =>
    starts[kind].slice(-MAX_ANCHORS).map((start): Anchor => {
      const end = sentenceEnd(text, start, environments);
      const sentence = text.slice(start, end).replace(/[*_\s]+$/, "");
      const isHopeful = kind === "final" && /^\W{0,6}I hope/i.test(text.slice(end, end + 14));
      return { priority: isHopeful ? 0 : PRIORITIES[kind], sentence, start, end };
    }),
  );
  return anchors.filter(({ sentence }) => sentence !== "").sort((a, b) => a.start - b.start);
}

const PRIORITIES = { final: 50, hash: 50, colon: 100, verb: 200 } as const;

function kindOf(phrase: string): keyof typeof PRIORITIES {
  if (phrase === "####") return "hash";
  if (/^final answer/i.test(phrase)) return "final";
  return /[:：=]$/.test(phrase) ? "colon" : "verb";
}

/** "This answer is correct" speaks of an answer that was given before, and gives none. */
function isJudged(text: string, phrase: number, start: number): boolean {
  const before = text.slice(Math.max(0, phrase - 16), phrase);
  const after = text.slice(start, start + 40);
  return /\b(?:this|that|my|our|your|their) $/i.test(before) && JUDGEMENT.test(after);
}

const JUDGEMENT =
  /^(?:(?:not|indeed|also|clearly|obviously|probably) )?(?:in)?(?:correct|right|wrong|valid|accurate|plausible|reasonable)\b/i;

/** Past blanks, line ends and marks between a phrase and its answer. */
function skip(text: string, from: number): number {
  const gap = /[\s:：*_>=]{0,40}(?:(?:is|equals|equal to)\b[\s:：*_]{0,20})?/y;
  gap.lastIndex = from;
  return from + (gap.exec(text)?.[0].length ?? 0);
}

/** The end of the sentence or line that starts here; formulas in it are passed whole. */
function sentenceEnd(text: string, start: number, environments: readonly Environment[]): number {
  const limit = Math.min(text.length, start + MAX_SENTENCE);
  let next = firstEndingAfter(environments, start);
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

/** Found by halving: formulas are in reading order and do not overlap. */
function firstEndingAfter(environments: readonly Environment[], position: number): number {
  let [low, high] = [0, environments.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (environments[middle]!.end <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}
