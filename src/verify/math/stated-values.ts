/** The values that a sentence states, and whether one of them is another than the answer. */
import { isSame, withoutChain } from "./chain.ts";
import { findEnvironments } from "./environments.ts";
import { freeSymbols } from "./expression.ts";
import { parseMath } from "./parse.ts";
import type { Answer } from "./read.ts";
import { isUnitWord } from "./units.ts";
import { isName } from "./unwrap.ts";

/** So many values of a sentence are looked at: honest ones hold a handful. */
const MAX_VALUES = 48;

/** A value, and where it starts and ends. */
export interface Value {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const NUMBER =
  /(?<![\p{sc=Latin}\p{sc=Greek}\p{sc=Cyrillic}\p{N}_^\\]|\d[.,])(?:(?<=^|[\s($=])[-\u2212])?(?:\d{1,3}(?:,\d{3}){1,10}(?!\d)|\d{1,40})(?:\.\d{1,40})?(?:\s?\/\s?\d{1,40})?(?:\s?\\?%)?(?![\p{L}_]*\{)/gu;

const WORD =
  "(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|hundred|thousand|million)";
/** From eleven on: "one of them" and "two more" are seldom answers. */
const NUMBER_WORDS = new RegExp(
  String.raw`\b(?!(?:one|two|three|four|five|six|seven|eight|nine|ten)\b(?![\s-]+${WORD}))${WORD}(?:(?:\s+and\s+|[\s-]+)${WORD}){0,12}\b`,
  "gi",
);
/** "Inches" may also be "in" in "18 in 7 days". */
const UNIT_WORD = /^\s?([A-Za-z]{2,14})(?![\w])/;

/** Formulas, and the numbers outside them, in reading order; ordinals and the digits in words are none. */
export function valuesOf(text: string): Value[] {
  const formulas = findEnvironments(text).map(({ content, start, end }): Value => ({ text: content, start, end }));
  const numbers = [...text.matchAll(NUMBER), ...text.matchAll(NUMBER_WORDS)]
    .map((match): Value => withUnit(text, match.index, match.index + match[0].length))
    .filter(
      ({ start, end }) =>
        !/^(?:st|nd|rd|th)\b|^[a-zA-Z](?![a-zA-Z])|^\s?\\[a-zA-Z]/.test(text.slice(end)) &&
        !formulas.some((each) => each.start <= start && start < each.end),
    );
  return [...formulas, ...numbers].sort((a, b) => a.start - b.start).slice(0, MAX_VALUES);
}

/** The value with the unit of measure behind it: 1 foot may be 12 inches. */
export function withUnit(text: string, start: number, end: number): Value {
  const [unit = "", word = ""] = UNIT_WORD.exec(text.slice(end, end + 18)) ?? [];
  const isUnit = word !== "in" && (word === "percent" || isUnitWord(word));
  const last = isUnit ? end + unit.length : end;
  return { text: text.slice(start, last), start, end: last };
}

/** True for a value that is not the answer's; false for words, and for names and conditions: "for all x", "with n = 3". */
export function isOther(text: string, answer: Answer, sign: "=" | "approx" = "="): boolean {
  const read = parseMath(text);
  if (read === null || /^(?:text|symbol)$/.test(read.expression.kind)) return false;
  const [names, own] = [freeSymbols(read.expression), freeSymbols(answer.parsed.expression)];
  const isRival = answer.parsed.expression.kind === "relation" && [...names].join() === [...own].join();
  const isCondition = (read.expression.kind === "relation" && !isRival) || own.size === 0;
  if ((names.size > 0 && isCondition) || (isName(read.expression) && read.expression.kind === "call")) return false;
  return !isSameAs(text, answer, sign);
}

/** True for a text of the same value, or of its decimals; of the whole number next to it only behind an approximation sign. */
export function isSameAs(text: string, { parsed }: Answer, sign: "=" | "approx" = "="): boolean {
  const read = parseMath(text);
  const value = read === null ? null : withoutChain(read);
  const own = withoutChain(parsed) ?? parsed;
  return value !== null && isSame(own.expression, sign, value.expression, parsed);
}
