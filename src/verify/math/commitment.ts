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
import { parseMath } from "./parse.ts";
import { isProse } from "./prose.ts";
import type { Answer } from "./read.ts";
import {
  ABOUT,
  AFFIRMED,
  ALTERNATIVE,
  ANSWERING,
  APART,
  BARE_DOUBT,
  BINDING,
  CHANGED,
  CONTRAST,
  DENIAL,
  DENIED,
  DISBELIEF,
  DOUBT,
  FOREIGN_RETREAT,
  IGNORANCE,
  JOINING,
  NEGATION,
  NO_ANSWER,
  NOT_KNOWN,
  OR,
  RANGE,
  REMARK,
  SET_APART,
  SUPPOSED,
  TAKEN_BACK,
  WRONG_INSIDE,
  WRONG_REMARK,
} from "./retreat-words.ts";
import { isOther, isSameAs, type Value, valuesOf, withUnit } from "./stated-values.ts";

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
  const before = spelledOut(text.slice(Math.max(0, start - 200), start));
  const sentence = before.slice(sentenceStart(before));
  const denial = DENIAL.exec(sentence);
  if (denial !== null) return denied(`${denial[0].trim()} ${answer.candidate.text}`);
  const doubted = doubtBefore(sentence, place) ?? IGNORANCE.exec(before)?.[0];
  if (doubted != null) return `the answer is doubted: ${quote(doubted.trim())}`;
  if (place !== "box") return null;
  if (/\b(?:or|either)[\s$*(,]*(?:\\[([]\s*)?$/i.test(sentence)) return "the answer is one of several";
  const [, other] = /(?:^|[=$\n&]|\\[[(])([^=$\n&]{1,160})=\s*$/.exec(before) ?? [];
  return other !== undefined && !isIncomplete(other) && isOther(other, answer)
    ? `different values are set equal: ${quote(other)} and ${quote(answer.candidate.text)}`
    : null;
}

/** With the words of \text commands as words. */
function spelledOut(text: string): string {
  return text.replaceAll(/\\text\s?\{([^{}]{0,80})\}/g, " $1 ");
}

/** What a sentence says against the answer that it is about to give: "I doubt that the answer is"; null where it says nothing. */
function doubtBefore(sentence: string, place: Answer["candidate"]["place"]): string | null {
  const announced =
    /(?:\b(?:the|an?|my|our|one)\s+)?(?:(?:final|correct|right|only|required|desired)\s+)*\banswers?\b.*$/is.exec(
      sentence,
    );
  const foreign = FOREIGN_RETREAT.exec(sentence.split(/[,;\uff0c\uff1b\u3002]/).at(-1)!);
  const direct = DOUBT.exec(announced?.[0] ?? "") ?? NO_ANSWER.exec(sentence) ?? foreign;
  if (direct !== null) return direct[0];
  const lead = sentence
    .slice(0, announced?.index)
    .replaceAll(AFFIRMED, " ")
    .replace(/[\s$*(]+$/, "");
  const supposed = SUPPOSED.exec(lead);
  if (supposed !== null) return supposed[0];
  const clause = lead.split(BOUNDARY).at(-1)!;
  if (place === "box") return BARE_DOUBT.test(clause) ? clause : null;
  if (announced === null || SUBORDINATE.test(clause)) return null;
  return (DISBELIEF.exec(clause) ?? DOUBT.exec(clause))?.[0] ?? null;
}

/** Where a clause ends and the next begins. */
const BOUNDARY = /[,;:\u2014]|\b(?:so|hence|thus|therefore|then|but|and|because|since|means|implies|however)\b/i;
/** A condition or reason without a comma behind it: "if x is not zero the answer is 5". */
const SUBORDINATE = /^\s*(?:so\s+)?(?:if|when|as|while|although|after|once|given)\s+\w+\s+\w/i;

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
  const words = spelledOut(said);
  const remarkless = words.split(REMARK)[0]!;
  const ahead = (place === "box" ? LEAD.exec(words)![0] : said.slice(0, from)).replaceAll(AFFIRMED, " ");
  const denial =
    WRONG_INSIDE.exec(remarkless) ??
    WRONG_REMARK.exec(words) ??
    NEGATION.exec(place === "box" && asked === "words" ? "" : ahead);
  if (denial !== null) return denied(denial[0]);
  const doubt =
    DOUBT.exec(asked === "words" ? said.slice(0, from) : remarkless) ??
    FOREIGN_RETREAT.exec(said.split(/[,\uff0c]/)[0]!) ??
    (asked === "words" ? null : evasion({ ahead, words, found, rest: said.slice(to) }, answer));
  if (doubt !== null) return `the answer is doubted: ${quote(doubt[0].trim())}`;
  const { expression } = answer.parsed;
  const unit = expression.kind === "with-unit" ? expression.unit : "";
  if (valuesOf(unit).some((value) => isOther(value.text, answer))) return besides(unit);
  if (asked === "letter") return anotherLetter(said);
  if (asked === "words") return anotherWord(said, found);
  const aside = said.slice(to).replace(ASIDE, "");
  if (place === "box" && isOther(aside.replaceAll(/^\s*\}|\{\s*$/g, ""), answer)) return besides(aside.trim());
  const own = measured(said, from, to, answer);
  for (const value of valuesOf(said)) {
    if (value.end > from && value.start < to) continue;
    const gap = said.slice(value.start < from ? 0 : to, value.start);
    const isApart = CONTRAST.test(gap);
    const isBound =
      isApart ||
      (!OR.test(gap) &&
        !RANGE.test(gap) &&
        !isListedCase(said, value) &&
        (BINDING.test(said.slice(0, value.start)) ||
          RESULT.test(gap) ||
          isInRemark(gap) ||
          isWorking(said, value.end)));
    if (!isBound && isOther(value.text, own)) return besides(value.text);
  }
  const or = /\b(?:or|either|else|otherwise)\b/i.exec(said.slice(to));
  const choice = or === null ? "" : said.slice(to + or.index);
  return or === null || valuesOf(choice).some((value) => isSameAs(value.text, answer))
    ? null
    : `the answer is one of several: ${quote(choice)}`;
}

/** The answer with the unit that the sentence gives it: "12 cm (120 mm)". */
function measured(said: string, from: number, to: number, answer: Answer): Answer {
  const { text, end } = withUnit(said, from, to);
  const parsed = end > to ? parseMath(text) : null;
  return parsed === null ? answer : { ...answer, parsed };
}

/** What a box begins with before its formula. */
const LEAD = /^(?:\s|\\(?:sim|approx|neg|lnot|not)(?![a-z])|[A-Za-z]{2,}(?![\w(^])|[^\w\\])*/;

/** "over 18", "18 squared", "unknown (18)": what makes the number another, or no answer. */
function evasion(
  { ahead, words, found, rest }: Readonly<Record<"ahead" | "words" | "found" | "rest", string>>,
  { parsed: { expression } }: Answer,
): RegExpExecArray | null {
  const isWhole = expression.kind === "number" && !expression.decimal;
  return (
    APART.exec(ahead) ??
    (isWhole ? ABOUT.exec(ahead) : null) ??
    CHANGED.exec(rest) ??
    CHANGED.exec(/^[\s$]*[\d.,]*\d(.*)$/s.exec(found)?.[1] ?? "") ??
    NOT_KNOWN.exec(words)
  );
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
  for (const { index } of found.matchAll(ASIDE)) {
    if (/\w/.test(found.slice(0, index).replaceAll(/\\text\s?\{[^{}]{0,80}\}?/g, ""))) return index;
  }
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

/** Behind a calculation of other numbers: "we used 3 + 4 = 7". */
const RESULT = /\d\s*[-+*/^\u00d7\u00b7\u00f7]\s*[$(]*\d[\d.,]*\)?\s*=\s*[$(]*$/;

/** True for a value that a remark gives for another case: "18 if n is even, 19 if n is odd", "and if that is wrong then 19". */
function isListedCase(said: string, { start, end }: Value): boolean {
  const before = said.slice(0, start);
  const isNext =
    /(?:[,;]|\band|\bthen|\bwith)\s*[$(\\]*$/i.test(before) &&
    /^\W{0,4}(?:if|when|for|in|otherwise|else|unless|as (?:an?|the|my))\b/i.test(said.slice(end));
  return isNext || (/\bthen\s*[$(\\]*$/i.test(before) && /^\W*$/.test(said.slice(end)));
}

/** True for a number that an operator or an equals sign makes a part of a calculation. */
function isWorking(said: string, end: number): boolean {
  return /^\s*(?:(?:[-+*/^\u00d7\u00b7\u00f7]|times|plus|minus|(?:multiplied|divided) by|(?:less|more|fewer|greater) than|(?:\\?%|percent) of)\s*[$(]*\d|(?:[a-z]+\s+)?=)/.test(
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
  const [, other] = /\b(?:otherwise|else|if not(?:,? then)?|or)[\s(]+([A-J])(?![A-Za-z'\u2019])/.exec(said) ?? [];
  return other === undefined || other === letters[0]?.[2] ? null : `another option stands beside the answer: ${other}`;
}

/** Words beside the words that are the answer: "Tuesday (or Wednesday)", "$Evelyn$ | $Angela$". */
function anotherWord(said: string, found: string): string | null {
  const rest = said.replace(found, () => " ");
  const isListed =
    OR.test(rest) ||
    /\bunless\b/i.test(rest) ||
    findEnvironments(rest).length > 0 ||
    /\(\s*\p{Lu}\p{L}+\s*\)/u.test(rest);
  return isListed ? besides(rest.trim()) : null;
}

function behindIt({ text, answer, end, asked }: Commitment): string | null {
  const tail = spelledOut(text.slice(end, end + 600))
    .replaceAll(/<\/?(?:br|p|li|div|ul|ol)\b[^<>]{0,40}>/gi, "\n")
    .replaceAll(/<\/?[a-z][^<>]{0,40}>/gi, " ");
  const line = tail.replace(/^(?:[ \t$*_"'`)}]|\n?\\[)\]]|\\?%)+/, "");
  if (/^\?|^[^.!?\n]{0,60}\?/.test(line)) return 'the answer is doubted: "?"';
  if (/^\s*[\^_]\s?\{[^{}]*\b(?:or|and)\b/.test(line)) return besides(line.slice(0, 40));
  if (asked === "value") {
    const joined = joinedValue(line, answer);
    if (joined !== null) return besides(joined);
  } else if (/^\W*(?:and|as well as|along with|respectively)\s+(?:\$|\p{Lu})/u.test(line))
    return besides(line.split("\n")[0]!);
  for (const piece of line.split(SENTENCE).slice(0, 12)) {
    if (SET_APART.test(piece)) continue;
    if (DENIED.test(piece)) return denied(piece);
    if (TAKEN_BACK.test(piece)) return `the answer is taken back: ${quote(piece)}`;
    if (ALTERNATIVE.test(piece) && (asked !== "value" || hasOnlyOthers(piece, answer))) return besides(piece);
    const alone = asked === "value" ? loneValue(piece, answer) : loneWord(piece, asked);
    if (alone !== null) return besides(alone);
  }
  return null;
}

/** Between sentences and lines; not behind the number of a step. */
const SENTENCE = /\n+|(?<=[.!?])(?<!(?:^|\n)\W{0,4}\d{1,2}\.)\s+/;

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
    /^(?:[ \t,;/|&~(\u2013\u2014-]|\\(?:quad|qquad|[,;:! &])|\b(?:or|and|to|maybe|perhaps|possibly|probably|also|not|then|even|else|alternatively|otherwise|but|as well as|along with|together with|respectively)\b)+/i.exec(
      line,
    );
  if (gap === null || gap[0].trim() === "" || CONTRAST.test(gap[0])) return null;
  const [next] = valuesOf(line.slice(0, 200));
  if (next === undefined || next.start > gap[0].length + 1 || !isOther(next.text, answer)) return null;
  const isRemark = /\($/.test(gap[0]) && !/^\s*\)/.test(line.slice(next.end));
  return isRemark ? null : next.text;
}

/** The value of a line or sentence that is nothing else, where it is another than the answer's. */
function loneValue(piece: string, answer: Answer): string | null {
  if (/=|\\approx|\u2248/.test(piece) || piece.length > 200) return null;
  const bare = piece.replace(/^\W*[A-Za-z]\s?[:)]\s/, "").trim();
  // An item of a list with a noun tells of something.
  if (/^[-*\u2022]\s.*[a-z]{3}/i.test(bare)) return null;
  if (/[\d\\]/.test(bare) && !isProse(bare) && isOther(bare, answer)) return bare;
  const values = valuesOf(piece);
  let rest = piece;
  for (const { start, end } of [...values].reverse()) rest = rest.slice(0, start) + rest.slice(end);
  const words = rest.replaceAll(JOINING, "");
  const isBare = [words, NEGATION.test(rest) ? words : words.replaceAll(ANSWERING, "")].some(
    (left) => left.replaceAll(/\\\$|[^\p{L}\p{N}\\]/gu, "") === "",
  );
  return isBare ? (values.find(({ text }) => isOther(text, answer))?.text ?? null) : null;
}

/** A line or sentence of one letter, or of one name or number where words are asked for: "C", "Wednesday." */
function loneWord(piece: string, asked: "words" | "letter"): string | null {
  if (asked === "letter") return /^\W*([A-J])\W*$/.exec(piece)?.[1] ?? null;
  const [, word] = /^\W*(\p{Lu}\p{Ll}*|\d+)\W*$/u.exec(piece) ?? [];
  return word === undefined || /^(?:done|thanks|end|qed|i|a|note|explanation|solution|q)$/i.test(word) ? null : word;
}
