/** From texts to parsed answers: the gold answer of a row, and the answer of a response with the place where it stood. */

import { findBoxes, joinBoxes } from "./boxes.ts";
import { goldLetter, goldOption } from "./choice.ts";
import { isTime } from "./clock.ts";
import { type Candidate, type ExtractOptions, extractCandidates, MAX_ANSWER } from "./extract.ts";
import { type Parsed, parseMath } from "./parse.ts";
import { findPlain } from "./plain.ts";

/** A candidate and its reading. */
export interface Answer {
  readonly candidate: Candidate;
  readonly parsed: Parsed;
}

/** One gold answer: its reading, and its letter where it is a choice. */
export interface Gold {
  readonly text: string;
  readonly parsed: Parsed;
  readonly letter: string | null;
}

/** True for words, and for the empty set and number sets, which are often said in words. */
export function isInWords({ parsed: { expression } }: Gold): boolean {
  return (
    expression.kind === "text" ||
    expression.kind === "number-set" ||
    (expression.kind === "set" && expression.items.length === 0)
  );
}

/** What reading a response looks for. */
export interface ReadOptions extends ExtractOptions {
  /** any: the first candidate that can be read. first: the first candidate, readable or not. */
  readonly match: "any" | "first";
}

const GOLD_OPTIONS: ReadOptions = {
  targets: ["latex", "expression"],
  choices: [],
  boxedPriority: 0,
  unanchored: true,
  match: "any",
};

/** Readings that a search may try: a text of nothing but formulas must not cost a reading of each. */
const MAX_READINGS = 24;

/** Golds are read once for the responses of a group. */
const RECENT = 64;
const recent = new Map<string, readonly Gold[]>();

/**
 * A bare answer, a box, the line after ####, or the answer of a worked solution; none where there is none, and two where a bare
 * "1,22" may be a list or a decimal number.
 */
export function readGold(text: string): readonly Gold[] {
  const known = recent.get(text);
  if (known !== undefined) return known;
  const asList = readGoldAfresh(text);
  const asDecimal = /^\s*-?\d+,\d+\s*$/.test(text) ? parseMath(text.replace(",", ".")) : null;
  const gold = [asList, asDecimal === null ? null : { text: text.trim(), parsed: asDecimal, letter: null }].filter(
    (each) => each !== null,
  );
  if (recent.size >= RECENT) recent.delete(recent.keys().next().value ?? "");
  recent.set(text, gold);
  return gold;
}

function readGoldAfresh(text: string): Gold | null {
  const box = joinBoxes(text, findBoxes(text)).at(-1);
  if (box !== undefined) return goldOf(box.content);
  const hash = text.lastIndexOf("####");
  if (hash !== -1)
    return goldOf(
      text
        .slice(hash + 4)
        .trim()
        .split("\n")[0] ?? "",
    );
  const whole = goldOf(text);
  // Words with a formula or an announced answer among them are a worked solution.
  const isSolution =
    whole?.parsed.expression.kind === "text" &&
    whole.letter === null &&
    text.length > 60 &&
    /\$|\\[([]|answer/i.test(text);
  if (whole !== null && !isSolution) return whole;
  const answer = readAnswer(text, GOLD_OPTIONS, false);
  return answer === null ? whole : goldOf(answer.candidate.text);
}

function goldOf(source: string): Gold | null {
  const text = tidy(source);
  const option = goldOption(text);
  if (option !== null) {
    const parsed = parseMath(option.option, { notation: "latex" });
    if (parsed !== null) return { text: text.trim(), parsed, letter: option.letter };
  }
  const parsed = parseMath(text, { notation: "latex" });
  return parsed === null ? null : { text: text.trim(), parsed, letter: goldLetter(text) };
}

/** Boxes and formulas are LaTeX, in which a comma separates; in running text it may be a decimal comma. */
export function readCandidate(candidate: Candidate): Parsed | null {
  const { place } = candidate;
  const text = tidy(candidate.text);
  if (text.length > MAX_ANSWER) return null;
  return place === "box" || place === "formula" ? parseMath(text, { notation: "latex" }) : parseMath(text);
}

/** Without the blanks that some models put inside thousands: 14 {, }916 and 32,\\! 349. */
function tidy(text: string): string {
  if (!text.includes("{, }") && !text.includes("\\! ")) return text;
  return text.replaceAll(/ ?\{, \}/g, "{,}").replaceAll(/\\! +(?=\d)/g, "\\!");
}

/** The answer of a text, or null. `wantsWords`: the gold is words, so that words are an answer wherever they are announced. */
export function readAnswer(
  text: string,
  options: ReadOptions,
  wantsWords: boolean,
  visit?: (candidate: Candidate, parsed: Parsed | null) => void,
): Answer | null {
  let words: Answer | null = null;
  let numReadings = 0;
  for (const candidate of extractCandidates(text, { ...options, words: wantsWords })) {
    // Words of a sentence wait for the numbers in it, never for a sentence of lower standing.
    if (words !== null && (candidate.priority !== words.candidate.priority || candidate.end !== words.candidate.end))
      break;
    if (++numReadings > MAX_READINGS) break;
    const parsed = readCandidate(candidate);
    visit?.(candidate, parsed);
    if (parsed !== null) {
      const answer = { candidate, parsed: wantsWords ? parsed : (numberInBox(candidate, parsed) ?? parsed) };
      const { expression } = answer.parsed;
      const isValue = expression.kind !== "text" || isTime(expression.words) || expression.words.startsWith("date ");
      if (isValue || candidate.place === "box" || candidate.place === "letter") return answer;
      if (isWordsAnswer(candidate, wantsWords)) {
        if (wantsWords) return answer;
        words ??= answer;
      }
    }
    if (options.match === "first") return null;
  }
  return words;
}

/** \\boxed{\\text{They have 42 apples}}: the only number of a sentence in a box. */
function numberInBox({ place, text }: Candidate, parsed: Parsed): Parsed | null {
  if (place !== "box" || parsed.expression.kind !== "text" || text.length > 200) return null;
  const words = text.replaceAll(/\\(?:text[a-z]{0,6}|mbox|mathrm)\s?|[{}$]/g, " ").trim();
  // "(b) 5" is an option.
  if (
    /^\(?[a-jA-J][).:]|[\\=<>]|\b(?:no|not|never|or|and|than|at (?:least|most)|up to|over|under|above|below)\b|n['\u2019]t\b/i.test(
      words,
    )
  )
    return null;
  const [number, ...others] = findPlain(words);
  return number === undefined || others.length > 0 || words.match(/\d[\d.,]*/g)?.length !== 1
    ? null
    : parseMath(number.text);
}

/** Words are an answer where they are announced, and elsewhere only when words are what is asked for. */
function isWordsAnswer({ place, text }: Candidate, wantsWords: boolean): boolean {
  if (text.length > 120) return false;
  if (place === "phrase" || place === "hash") return true;
  if (!wantsWords) return false;
  return (
    place === "whole" ||
    place === "bold" ||
    place === "start" ||
    (place === "formula" && /^(?:\\(?:text|mbox|mathrm|operatorname)|[A-Za-z]+$)/.test(text))
  );
}
