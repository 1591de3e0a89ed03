/**
 * Formulas in English words as the formula: "x squared plus one", "two to the tenth power", "one over four", "the square root of
 * 144", "half of one percent", "two hours and fifteen minutes". Only where every word of the answer belongs to one.
 */
import { numberInWords, scaleOf } from "./number-words.ts";
import { isUnitWord } from "./units.ts";

/** Longer texts are sentences. */
const MAX_LENGTH = 120;
const MAX_RUN = 10;

/** What a root or a logarithm in words reaches over. */
const OPERAND = String.raw`(\(?-?[\w.\u03c0]{1,20}(?:\/\d{1,9})?\)?(?:\^\d)?)`;

/** Words of operations and their signs, in the order in which they are replaced. */
const OPERATIONS: readonly (readonly [words: RegExp, sign: string])[] = [
  [/\bplus or minus /g, "\u00b1"],
  [/ (?:raised )?to the power (?:of )?(\(?-?[\w./]{1,20}\)?)/g, "^($1)"],
  [/ (?:raised )?to the (\d{1,9})(?:st|nd|rd|th)(?: power)?(?![a-z])/g, "^($1)"],
  [/ to the (?=\(\d)/g, "^"],
  [/ squared\b/g, "^2"],
  [/ cubed\b/g, "^3"],
  [new RegExp(String.raw`(?:\bthe )?\bsquare root of ${OPERAND}`, "g"), "sqrt($1)"],
  [new RegExp(String.raw`(?:\bthe )?\bcube root of ${OPERAND}`, "g"), "cbrt($1)"],
  [new RegExp(String.raw`\broot ${OPERAND}`, "g"), "sqrt($1)"],
  [new RegExp(String.raw`(?:\bthe )?\bnatural log(?:arithm)? of ${OPERAND}`, "g"), "ln($1)"],
  [/ factorial\b/g, "!"],
  [/ (?:multiplied by|times) /g, "*"],
  [/ (?:divided by|over) /g, "/"],
  [/ plus /g, "+"],
  [/ minus /g, "-"],
  [/ (?:is equal to|equals) /g, "="],
  [/\btwice (?=[\d(a-z])/g, "2*"],
  [/(?<=[\d)%]) of (?:an? )?(?=[\d(]|pi\b|percent)/g, "*"],
  [/(?<=\)) an? (?=[a-z])/g, " "],
  [/^(\d{1,6}) choose (\d{1,6})$/g, "\\binom{$1}{$2}"],
  [/^a total of /g, ""],
  // "twelve (12)".
  [/^(\d{1,15}) \(\1\)$/g, "$1"],
];

/** The text with its words as digits and signs; null where a word is left that belongs to no formula. */
export function spokenFormula(source: string): string | null {
  const bare = source.replace(/^\\text\s?\{([^{}\\]{0,100})\}$/, "$1");
  if (bare.length > MAX_LENGTH || !/[a-z]{3}/i.test(bare) || /[\\${}_[\]&|<>]/.test(bare)) return null;
  const lower = bare.toLowerCase().replaceAll(/\s+/g, " ").replace(/\.$/, "").trim();
  let text = inDigits(lower.replace(/^(?=quarter pi\b)/, "a "));
  if (text === null) return null;
  for (const [words, sign] of OPERATIONS) text = text.replaceAll(words, sign);
  if (text === lower) return null;
  const words = text.match(/[a-z]{2,}/g) ?? [];
  return words.every((word) => ALLOWED.has(word) || isUnitWord(word)) ? text : null;
}

/** Words of the formula itself. */
const ALLOWED: ReadonlySet<string> = new Set(
  "pi sqrt cbrt ln binom and or to in out of percent degrees degree minus negative million billion thousand".split(" "),
);

/** Runs of number words as digits, the longest first; null for more words than a formula has. */
function inDigits(text: string): string | null {
  const words = text.split(" ");
  if (words.length > 2 * MAX_RUN) return null;
  const result: string[] = [];
  for (let at = 0; at < words.length; ) {
    const [value, length] = numberAt(words, at);
    if (length > 0) result.push(value);
    else {
      // 5 sixths.
      const parts = /^\d{1,9}$/.test(result.at(-1) ?? "") ? numberInWords(`two ${words[at]}`) : null;
      const isShare = parts !== null && words[at]!.endsWith("s") && parts.denominator > 1n;
      const share = isShare ? numberInWords(`a ${words[at]!.replace(/ves$/, "f").replace(/s$/, "")}`) : null;
      if (share !== null) result.push(`${result.pop()}/${share.denominator}`);
      else result.push(words[at]!);
    }
    at += Math.max(1, length);
  }
  return result.join(" ");
}

/** The number that the longest run of words from here is, and how many words it has; an ordinal is one only in "to the tenth power". */
function numberAt(words: readonly string[], at: number): readonly [text: string, length: number] {
  // "1.5 million" is read by the grammar.
  if (!/^[a-z]/.test(words[at]!) || scaleOf(words[at]!) !== null) return ["", 0];
  for (let length = Math.min(MAX_RUN, words.length - at); length > 0; length--) {
    const run = words.slice(at, at + length);
    // "a hundred", but "to the hundredth".
    const value = numberInWords(run.join(" "));
    if (value === null) continue;
    const isOrdinal = value.denominator === 1n && /(?:st|nd|rd|th)$/.test(run.at(-1)!);
    if (isOrdinal && words.slice(Math.max(0, at - 2), at).join(" ") !== "to the") continue;
    if (isOrdinal) return [`${value.numerator}th`, length];
    return [value.denominator === 1n ? `${value.numerator}` : `(${value.numerator}/${value.denominator})`, length];
  }
  return ["", 0];
}
