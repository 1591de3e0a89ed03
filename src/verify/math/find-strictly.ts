/**
 * The search of verify.ts in strict mode: only what a reader sees after the thinking and, where there are answer blocks, only these.
 * All that is announced must agree, a chain of equations must be true, and the words around must stand by the answer (commitment.ts).
 */

import { findBoxes, joinBoxes } from "./boxes.ts";
import { isSame, withoutChain } from "./chain.ts";
import { hesitation } from "./commitment.ts";
import { equalMath } from "./equal.ts";
import { type Expression, freeSymbols, keyOf, some } from "./expression.ts";
import { extractCandidates } from "./extract.ts";
import { type FindOptions, quote, type Refusal, readOptions, type Tell, tellOf } from "./find-options.ts";
import { plainLatex } from "./markup.ts";
import { type Parsed, parseMath } from "./parse.ts";
import { type Answer, type Gold, isInWords, type ReadOptions, readAnswer, readCandidate } from "./read.ts";
import { splitResponse } from "./thinking.ts";
import { visibleText } from "./visible.ts";

/** The answer of a text, and what else is announced there. */
interface Found {
  readonly text: string;
  readonly answer: Answer;
  readonly others: readonly Answer[];
}

/** The answer that a response announces and stands by, for golds of this kind. */
export function findStrictly(
  prediction: string,
  golds: readonly Gold[],
  options: FindOptions,
  tell: Tell,
): Answer | Refusal {
  const visible = visibleText(prediction);
  if (visible !== prediction)
    tell(() => "left out what is hidden, struck out, a program, or behind the end of the turn");
  const { spoken, blocks, unclosed, rest, thinking } = splitResponse(plainLatex(visible));
  if (spoken === null || (spoken.trim() === "" && thinking.trim() !== "")) {
    return { refused: "nothing follows the thinking", extracted: null };
  }
  const isTagged = blocks.length > 0;
  const read = readOptions(golds, options);
  const wantsWords = golds.some(isInWords);
  const scopes = ["the text after the thinking", "the answer block"];
  tell(() => `looked in ${scopes[blocks.length] ?? `${blocks.length} answer blocks`}`);

  const found: Found[] = [];
  for (const text of isTagged ? [...unclosed, ...blocks] : [spoken]) {
    const answer = readAnswer(text, read, wantsWords, tellOf(tell)) ?? (isTagged ? soleAnswer(text, read) : null);
    const isMention = unclosed.includes(text) && /^\s*[a-z]/.test(text);
    if (answer !== null && !isMention) found.push({ text, answer, others: othersOf(text, answer, read, golds) });
  }
  const best = found.at(-1);
  if (best === undefined) return { refused: "no answer was announced", extracted: null };
  const extracted = best.answer.candidate.text;
  const outside = isTagged ? boxesOf(`${spoken.slice(0, spoken.indexOf("<answer>"))}\n${rest}`) : [];
  const distinct = distinctAnswers([
    ...found.flatMap(({ text, answer, others }) => [answer, ...others.filter(isRivalOf(answer, text))]),
    ...outside,
  ]);
  if (distinct.length > 1) {
    const texts = distinct.slice(0, 4).map(({ candidate }) => quote(candidate.text));
    return asList(distinct, golds) ?? { refused: `several different answers: ${texts.join(", ")}`, extracted };
  }
  const isAnnotated = findBoxes(visible).some(({ content }) => ANNOTATION.test(content));
  if (isAnnotated && !golds.some((gold) => ANNOTATION.test(gold.text)))
    return { refused: "something is written over, under or beside the answer", extracted };
  const sole = { ...best, answer: { ...best.answer, parsed: asOneValue(best.answer.parsed, golds) } };
  const refused = refusalOf(sole, golds, isTagged ? rest : "");
  if (refused !== null) return { refused, extracted };
  const parsed = golds.some((gold) => isChain(gold.text)) ? sole.answer.parsed : withoutChain(sole.answer.parsed);
  return parsed === null ? { refused: CHAIN, extracted } : { ...best.answer, parsed };
}

const CHAIN = "a chain of equations whose members differ is no answer";

/** "3/4, or 0.75", "12 inches, or 1 foot": one value in several forms, where one is asked for. */
function asOneValue(parsed: Parsed, golds: readonly Gold[]): Parsed {
  const { expression } = parsed;
  if (expression.kind !== "list" || golds.some((gold) => some(gold.parsed.expression, isSeveral))) return parsed;
  const [first, ...others] = expression.items;
  const isRepeated = new Set(expression.items.map(keyOf)).size < expression.items.length;
  if (isRepeated || others.length > 3 || !/^(?:number|product|power|sum|percent|with-unit|call)$/.test(first!.kind))
    return parsed;
  const isOne = others.every((item) => isSame(first!, "=", item, parsed));
  return isOne ? { ...parsed, expression: first!, asList: null } : parsed;
}

/** Why the answer does not count, whatever its value; null where it does. `rest` stands behind the answer blocks. */
function refusalOf({ text, answer, others }: Found, golds: readonly Gold[], rest: string): string | null {
  const { parsed, candidate } = answer;
  const isOne = golds.length > 0 && golds.every((gold) => !some(gold.parsed.expression, isSeveral));
  if (isOne && isSeveral(parsed.expression) && parsed.expression.kind !== "tuple") return "a list for a single value";
  if (golds.some((gold) => hasIdleItem(gold, parsed))) return "a list with more in it than the answer";
  const box = /\\(?:boxed|fbox)(?![a-zA-Z])/.exec(candidate.text);
  if (box !== null && candidate.place !== "box") return "the box does not close, or is empty";
  if (box !== null && /\d/.test(candidate.text.slice(0, box.index))) return "a box in a box with something beside it";
  if (INVISIBLE.test(candidate.text)) return "invisible characters stand in the answer";
  if (isChain(parsed.source) && parsed.expression.kind !== "relation" && !golds.some((gold) => isChain(gold.text)))
    return CHAIN;
  const isLetter = golds.some(({ letter }) => letter !== null);
  const isWords = golds.some((gold) => gold.parsed.expression.kind === "text");
  const agreeing = others.filter(({ parsed: other }) => isEqual(parsed, other));
  const end = Math.max(candidate.end, ...agreeing.map((other) => other.candidate.end));
  return hesitation({ text: `${text} ${rest}`, answer, end, asked: isLetter ? "letter" : isWords ? "words" : "value" });
}

/** Intervals and sets in a list are taken together: one that adds nothing to the others is a guess. */
function hasIdleItem(gold: Gold, parsed: Parsed): boolean {
  const { expression } = parsed;
  if (expression.kind !== "list" || !/^(?:tuple|set-operation|number-set)$/.test(gold.parsed.expression.kind))
    return false;
  return expression.items.slice(0, MAX_OTHERS).some((_, index) => {
    const items = expression.items.filter((_item, at) => at !== index);
    const rest = items.length === 1 ? items[0]! : { ...expression, items };
    return equalMath(gold.parsed, { ...parsed, expression: rest, asList: null, words: "" }).equal;
  });
}

/** What carries a second text along: \overset{19}{18}. */
const ANNOTATION = /\\(?:overset|underset|stackrel|(?:over|under)brace|tag|footnote)(?![a-zA-Z])/;

/** Characters without width, and those that turn the direction of writing. */
const INVISIBLE = /[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]/;

/** The other answers that a text announces; of equal texts in one kind of place the last. */
function othersOf(text: string, { candidate }: Answer, options: ReadOptions, golds: readonly Gold[]): Answer[] {
  const others: Answer[] = [];
  const seen = new Set([`${candidate.place} ${candidate.text}`]);
  // A phrase gives several readings of one sentence: the first that can be read stands for it.
  const ends = new Set([candidate.end]);
  const numWords = Math.max(
    0,
    ...golds.map(({ parsed }) => (parsed.expression.kind === "text" ? numWordsOf(parsed) : 0)),
  );
  for (const other of extractCandidates(text, { ...options, unanchored: false })) {
    const key = `${other.place} ${other.text}`;
    if (other.place === "whole" || ends.has(other.end) || seen.has(key)) continue;
    if (seen.size > MAX_OTHERS) break;
    seen.add(key);
    const isDenied = other.place === "phrase" && /^\W*not\b/i.test(text.slice(other.start, other.end));
    const parsed = isDenied ? null : readCandidate(other);
    if (parsed === null) continue;
    // Words of a sentence are a rival only where words are asked for, and no more of them.
    if (other.place !== "box" && parsed.expression.kind === "text" && numWordsOf(parsed) > numWords) continue;
    ends.add(other.end);
    others.push({ candidate: other, parsed });
  }
  return others;
}

function numWordsOf({ words }: Parsed): number {
  return words.split(" ").length;
}

/** The last boxes of what stands around the answer blocks: they announce as well. */
function boxesOf(text: string): Answer[] {
  const boxes = joinBoxes(text, findBoxes(text)).slice(-MAX_OTHERS);
  return boxes.flatMap(({ content, start, end }) => {
    const candidate = { text: content, place: "box", priority: 0, start, end } as const;
    const parsed = readCandidate(candidate);
    return parsed === null ? [] : [{ candidate, parsed }];
  });
}

/**
 * Boxes rival boxes and phrases phrases; a box is rivalled by a final answer that a phrase gives, by a line that is nothing but an answer
 * ("Answer: 5", "#### 5"), or by any phrase behind it.
 */
function isRivalOf({ candidate, parsed }: Answer, text: string): (other: Answer) => boolean {
  return ({ candidate: other, parsed: { expression, source } }) => {
    if (other.place === candidate.place) return true;
    if (other.place === "box" || isWorking(source)) return false;
    if (freeSymbols(expression).size > 0 && freeSymbols(parsed.expression).size === 0) return false;
    if (other.start >= candidate.end || (other.place === "phrase" && other.priority <= 50)) return true;
    return other.priority <= 100 && isLineOfItsOwn(text, other);
  };
}

/** True for an announced answer with nothing else on its line. */
function isLineOfItsOwn(text: string, { text: found, start, end }: Answer["candidate"]): boolean {
  const before = text.slice(text.lastIndexOf("\n", start - 1) + 1, start);
  const said = text.slice(start, end).replaceAll(/[\s$*]|\\[()[\]]/g, "");
  const isAlone =
    /^\W*(?:(?:final )?answer|a)?\W*$/i.test(before) && /^[ \t$*.]*(?:\n|$)/.test(text.slice(end, end + 20));
  return isAlone && said === found.replaceAll(/\s/g, "");
}

/** 3 \\times 4: the final answer in the making. */
function isWorking(source: string): boolean {
  const plain = source.replaceAll(/\\(?:times|cdot|div)/g, "*").replaceAll(/\\(?:[dt]?frac|left|right)/g, "");
  return /[\d)}]\s*[-+*/\u00d7\u00b7\u00f7]\s*[-(\d\\]/.test(plain) && !/[a-z]/i.test(plain);
}

/** So many different texts are compared, from the end; equal values in more spellings than these do not occur. */
const MAX_OTHERS = 16;

/** One answer for each class of equal answers, as far as needed to know that there are several. */
function distinctAnswers(answers: readonly Answer[]): Answer[] {
  const distinct: Answer[] = [];
  for (const answer of answers) {
    const isKnown = distinct.some(({ parsed }) => isEqual(parsed, answer.parsed));
    if (!isKnown) distinct.push(answer);
  }
  return distinct;
}

function isEqual(one: Parsed, other: Parsed): boolean {
  const [a, b] = [withoutChain(one) ?? one, withoutChain(other) ?? other];
  return one.source === other.source || equalMath(a, b).equal;
}

/** Different boxes are the items of a list where the gold is a list of as many. */
function asList(distinct: readonly Answer[], golds: readonly Gold[]): Answer | null {
  const fits = golds.some(({ parsed: { expression } }) => {
    return (expression.kind === "list" || expression.kind === "set") && expression.items.length === distinct.length;
  });
  if (!fits || distinct.some(({ candidate }) => candidate.place !== "box")) return null;
  const inOrder = [...distinct].sort((a, b) => a.candidate.start - b.candidate.start);
  const text = inOrder.map(({ candidate }) => candidate.text).join(", ");
  const parsed = parseMath(text, { notation: "latex" });
  return parsed === null ? null : { candidate: { ...distinct[0]!.candidate, text }, parsed };
}

/** In an answer block everything is announced, as long as there is one value only: "It costs 42 dollars", "6 * 7 = 42 dollars". */
function soleAnswer(text: string, options: ReadOptions): Answer | null {
  const found = [...extractCandidates(text, { ...options, unanchored: true })].flatMap((candidate) => {
    const parsed = candidate.priority === 300 ? readCandidate(candidate) : null;
    return parsed === null ? [] : [{ candidate, parsed }];
  });
  const [last, ...before] = found;
  const isWorked = before.every(
    ({ candidate, parsed }) => /^\s*(?:[a-z]+\s*)?=/.test(text.slice(candidate.end)) && isEqual(last!.parsed, parsed),
  );
  if (last === undefined || !isWorked || last.parsed.expression.kind === "text") return null;
  return { ...last, candidate: { ...last.candidate, start: 0, end: text.length } };
}

/** Two or more equals signs outside lists: 1 = 2 = 3. */
function isChain(text: string): boolean {
  if (/[,;&]|\\\\|\band\b|\bor\b/.test(text)) return false;
  return (text.replaceAll(/[<>!]=|\\neq?/g, "").match(/=+|\\equiv|\\approx/g)?.length ?? 0) > 1;
}

/** Values side by side. An empty set is none of them, and a set of one is that one. */
function isSeveral(node: Expression): boolean {
  if (node.kind === "set") return node.items.length > 1;
  return node.kind === "list" || node.kind === "plus-minus" || node.kind === "tuple";
}
