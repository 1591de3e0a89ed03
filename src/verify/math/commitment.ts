/**
 * Does a response stand by its answer? In strict mode the words around it must not deny it, doubt it, set another value beside it
 * or take it back. A policy that is paid for "18, or perhaps 19" learns to name several values, never to choose.
 *
 *   before   "not 18", "19 or 18", 19 = 18
 *   inside   the announced sentence: "maybe 18", "18 (or 19)", "18 19", "18 eggs, 19 eggs", "(B) or (C)"
 *   behind   "18 is wrong", "18 or 19", "18 = 19", a line "19" on its own, "Wait, no", "or maybe 19"
 *
 * Other values may stand there where they are the same value, or where the sentence says what they are of: "18 eggs in 7 days",
 * "18, since 9 * 2 = 18", "18 when n = 3".
 */
import { findEnvironments, joinEnvironments } from "./environments.ts";
import { quote } from "./find-options.ts";
import { isProse } from "./prose.ts";
import type { Answer } from "./read.ts";
import {
  ALTERNATIVE,
  BINDING,
  DENIAL,
  DENIED,
  DOUBT,
  JOINING,
  NEGATION,
  OR,
  REMARK,
  TAKEN_BACK,
  WRONG_INSIDE,
} from "./retreat-words.ts";
import { isOther, isSameAs, valuesOf } from "./stated-values.ts";

/** What an answer is held against. */
export interface Commitment {
  /** The text that was searched. */
  readonly text: string;
  readonly answer: Answer;
  /** Where the last announcement of this answer ends. */
  readonly end: number;
  /** What is asked for: beside a letter another letter is an alternative, beside words other words. */
  readonly asked: "value" | "words" | "letter";
}

/** Why the response does not stand by its answer; null where it does. */
export function hesitation(commitment: Commitment): string | null {
  return beforeIt(commitment) ?? insideIt(commitment) ?? behindIt(commitment);
}

function beforeIt({ text, answer }: Commitment): string | null {
  const { start, place } = answer.candidate;
  const before = text.slice(Math.max(0, start - 200), start);
  const sentence = before.slice(sentenceStart(before));
  const denial = DENIAL.exec(sentence);
  if (denial !== null) return denied(`${denial[0].trim()} ${answer.candidate.text}`);
  const at = sentence.search(/\banswer/i);
  const announcement = at === -1 ? "" : sentence.slice(at);
  const doubt = DOUBT.exec(announcement);
  if (doubt !== null) return `the answer is doubted: ${quote(doubt[0])}`;
  if (place !== "box") return null;
  if (/\b(?:or|either)[\s$*(,]*(?:\\[([]\s*)?$/i.test(sentence)) return "the answer is one of several";
  const [, other] = /(?:^|[=$\n&]|\\[[(])([^=$\n&]{1,160})=\s*$/.exec(before) ?? [];
  return other !== undefined && !isIncomplete(other) && isOther(other, answer)
    ? `different values are set equal: ${quote(other)} and ${quote(answer.candidate.text)}`
    : null;
}

/** True for working that may not be a whole value: with words, an ellipsis, or what a reader has to complete. */
function isIncomplete(text: string): boolean {
  const plain = text.replaceAll(/\\(?:[dt]?frac|sqrt|left|right|pi|infty|cup|cdot|times|div)(?![a-zA-Z])/g, "");
  return /[!|]|\.\.|\\[a-zA-Z]|[a-z]{2}/i.test(plain);
}

function sentenceStart(before: string): number {
  const last = [...before.matchAll(/[.!?]\s|\n/g)].at(-1);
  return last === undefined ? 0 : last.index + last[0].length;
}

function insideIt({ text, answer, asked }: Commitment): string | null {
  const { start, end, place, text: found } = answer.candidate;
  const said = place === "box" ? found : text.slice(start, end);
  const [from, to] = spanOf(found, said);
  const denial =
    WRONG_INSIDE.exec(said.split(REMARK)[0]!) ??
    NEGATION.exec(place === "box" ? beginning(said, asked) : said.slice(0, from));
  if (denial !== null) return denied(denial[0]);
  const doubt = DOUBT.exec(asked === "value" ? said.split(REMARK)[0]! : said.slice(0, from));
  if (doubt !== null) return `the answer is doubted: ${quote(doubt[0])}`;
  const { expression } = answer.parsed;
  const unit = expression.kind === "with-unit" ? expression.unit : "";
  if (valuesOf(unit).some((value) => isOther(value.text, answer))) return besides(unit);
  if (asked === "letter") return anotherLetter(said);
  if (asked === "words") return anotherWord(said, found);
  const aside = said.slice(to).replace(ASIDE, "");
  if (place === "box" && isOther(aside.replaceAll(/^\s*\}|\{\s*$/g, ""), answer)) return besides(aside.trim());
  for (const value of valuesOf(said)) {
    if (value.end > from && value.start < to) continue;
    const gap = said.slice(value.start < from ? 0 : to, value.start);
    const isBound =
      !OR.test(gap) && (BINDING.test(said.slice(0, value.start)) || isInRemark(gap) || isWorking(said, value.end));
    if (!isBound && isOther(value.text, answer)) return besides(value.text);
  }
  const or = /\b(?:or|either|else|otherwise)\b/i.exec(said.slice(to));
  const choice = or === null ? "" : said.slice(to + or.index);
  return or === null || valuesOf(choice).some((value) => isSameAs(value.text, answer))
    ? null
    : `the answer is one of several: ${quote(choice)}`;
}

/** The first word of a box; words may begin with any. */
function beginning(said: string, asked: Commitment["asked"]): string {
  return asked === "words" ? "" : (/^\W*(?:\\?text\s?\{\s*)?[a-z]+/i.exec(said)?.[0] ?? "");
}

function denied(words: string): string {
  return `the answer is denied: ${quote(words.trim())}`;
}

function besides(value: string): string {
  return `another value stands beside the answer: ${quote(value)}`;
}

/** Where the answer stands in what is said: joined formulas from the first to the last. */
function spanOf(found: string, said: string): readonly [from: number, to: number] {
  const at = said.indexOf(found);
  if (at !== -1) return [at, at + headLength(found)];
  const joined = joinEnvironments(said, findEnvironments(said)).find(({ content }) => found.startsWith(content));
  return joined === undefined ? [0, headLength(found)] : [joined.start, joined.end];
}

/** With what a remark begins that is not read as a part of the answer: "18 where …". */
const ASIDE = /(?:\\text\s?\{\s*|\b)(?:if|where|for|when|with|since|because|provided|such that|is|are)\b/gi;

/** How much of an answer is read: all up to such a remark. */
function headLength(found: string): number {
  for (const { index } of found.matchAll(ASIDE)) if (/\w/.test(found.slice(0, index))) return index;
  return found.length;
}

/** True behind a remark that says more than the number: "since 20 * 50 = 1000", not "where 19". */
function isInRemark(gap: string): boolean {
  const remark = REMARK.exec(gap);
  return (
    remark !== null &&
    gap
      .slice(remark.index + remark[0].length)
      .replaceAll(JOINING, "")
      .replaceAll(/[^\p{L}\p{N}]/gu, "") !== ""
  );
}

/** True for a number that an operator or an equals sign makes a part of a calculation. */
function isWorking(said: string, end: number): boolean {
  return /^\s*(?:(?:[-+*/^\u00d7\u00b7\u00f7]|times|plus|minus|(?:multiplied|divided) by)\s*[$(]*\d|(?:[a-z]+\s+)?=)/.test(
    said.slice(end),
  );
}

/** Another option beside the first that is named: "(B) or (C)", "A B C". A remark may speak of the others. */
function anotherLetter(said: string): string | null {
  const [named] = said.split(/\b(?:since|because|as|when|where|if|so|which|not|both|all|none|neither)\b/i);
  const letters = [...named!.matchAll(/(?<![A-Za-z\\])(\(?)([A-J])(\)?)(?![A-Za-z'\u2019])/g)];
  for (const [index, letter] of letters.entries()) {
    const previous = letters[index - 1];
    if (previous === undefined || previous[2] === letter[2]) continue;
    const gap = named!.slice(previous.index + previous[0].length, letter.index);
    const isJoined = gap.replaceAll(JOINING, "").replaceAll(/\\[a-zA-Z]+|[^\p{L}\p{N}]/gu, "") === "";
    if (isJoined || letter[3] === ")") {
      return `another option stands beside the answer: ${letter[2]}`;
    }
  }
  return null;
}

/** Words beside the words that are the answer: "Tuesday (or Wednesday)", "$Evelyn$ | $Angela$". */
function anotherWord(said: string, found: string): string | null {
  const rest = said.replace(found, () => " ");
  const isListed = OR.test(rest) || findEnvironments(rest).length > 0;
  return isListed ? besides(rest.trim()) : null;
}

function behindIt({ text, answer, end, asked }: Commitment): string | null {
  const tail = text
    .slice(end, end + 600)
    .replaceAll(/\\text\s?\{([^{}]{0,80})\}/g, " $1 ")
    .replaceAll(/<\/?(?:br|p|li|div|ul|ol)\b[^<>]{0,40}>/gi, "\n")
    .replaceAll(/<\/?[a-z][^<>]{0,40}>/gi, " ");
  const line = tail.replace(/^(?:[ \t$*_"'`)}]|\n?\\[)\]]|\\?%)+/, "");
  if (/^\?/.test(line)) return 'the answer is doubted: "?"';
  if (asked === "value") {
    const joined = joinedValue(line, answer);
    if (joined !== null) return besides(joined);
  }
  for (const piece of line.split(/\n+|(?<=[.!?])\s+/).slice(0, 12)) {
    if (DENIED.test(piece)) return denied(piece);
    if (TAKEN_BACK.test(piece)) return `the answer is taken back: ${quote(piece)}`;
    if (ALTERNATIVE.test(piece) && (asked !== "value" || hasOnlyOthers(piece, answer))) return besides(piece);
    const alone = asked === "value" ? loneValue(piece, answer) : loneWord(piece, asked);
    if (alone !== null) return besides(alone);
  }
  return null;
}

/** True where a sentence states values, none of which is the answer's. */
function hasOnlyOthers(piece: string, answer: Answer): boolean {
  const values = valuesOf(piece);
  return (values.length > 0 || piece.includes("\\")) && !values.some((value) => isSameAs(value.text, answer));
}

/** The value that follows the answer with nothing but a comma, an "or" or an equals sign between, where it is another. */
function joinedValue(line: string, answer: Answer): string | null {
  const [, sign, value] =
    /^\s*(=|\\approx|\u2248)([^=\n$\u2248]{1,200}?)(?:\$|\\\)|\\\]|\n|=|\\approx|\u2248|[.;,]\s|[.;]?$)/.exec(line) ??
    [];
  if (value !== undefined) return isOther(value, answer, sign === "=" ? "=" : "approx") ? value.trim() : null;
  const gap =
    /^(?:[ \t,;/|&~(\u2013\u2014-]|\\(?:quad|qquad|[,;:! &])|\b(?:or|and|to|maybe|perhaps|possibly|probably|also|not|then|even|else|alternatively|otherwise|but)\b)+/i.exec(
      line,
    );
  if (gap === null || gap[0].trim() === "") return null;
  const [next] = valuesOf(line.slice(0, 200));
  if (next === undefined || next.start > gap[0].length + 1 || !isOther(next.text, answer)) return null;
  const isRemark = /\($/.test(gap[0]) && !/^\s*\)/.test(line.slice(next.end));
  return isRemark ? null : next.text;
}

/** The value of a line or sentence that is nothing else, where it is another than the answer's. */
function loneValue(piece: string, answer: Answer): string | null {
  if (/=|\\approx|\u2248/.test(piece) || piece.length > 200) return null;
  const bare = piece.trim();
  if (/[\d\\]/.test(bare) && !isProse(bare) && isOther(bare, answer)) return bare;
  const values = valuesOf(piece);
  let rest = piece;
  for (const { start, end } of [...values].reverse()) rest = rest.slice(0, start) + rest.slice(end);
  const isBare = rest.replaceAll(JOINING, "").replaceAll(/\\\$|[^\p{L}\p{N}\\]/gu, "") === "";
  return isBare ? (values.find(({ text }) => isOther(text, answer))?.text ?? null) : null;
}

/** A line or sentence of one letter, or of one name or number where words are asked for: "C", "Wednesday." */
function loneWord(piece: string, asked: "words" | "letter"): string | null {
  if (asked === "letter") return /^\W*([A-J])\W*$/.exec(piece)?.[1] ?? null;
  const [, word] = /^\W*(\p{Lu}\p{Ll}*|\d+)\W*$/u.exec(piece) ?? [];
  return word === undefined || /^(?:done|thanks|end|qed|i|a|note|explanation|solution|q)$/i.test(word) ? null : word;
}
