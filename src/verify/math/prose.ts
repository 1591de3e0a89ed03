/** Sentences told from formulas, so that "We get 5" is no product of W, e, g, e, t and 5. */

import { countsOf } from "./counts.ts";
import { dateOf } from "./dates.ts";
import { scaleOf } from "./number-words.ts";
import { respelled } from "./spellings.ts";
import { isUnitWord } from "./units.ts";
import { FUNCTION_ALIASES, FUNCTIONS, GREEK_LETTERS, SYMPY_CLASSES } from "./vocabulary.ts";

/** Words that belong to a formula or a value. */
const VALUE_WORDS: ReadonlySet<string> = new Set(
  (
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh asin acos atan log ln lg exp sqrt cbrt abs floor ceil min max " +
    "gcd lcm mod det pi inf infinity oo infty union and or percent pct degrees degree deg rad radians cm mm km kg mg ml ft lb mi minus negative"
  ).split(" "),
);

/** Two letters are a product of variables, unless they are one of these. */
const SHORT_WORDS: ReadonlySet<string> = new Set(
  "we he it is so of to in at as by if no on my be do go am an us me".split(" "),
);

/** abc and xyz are products, "but" and "not" are words. */
function isProduct(word: string): boolean {
  return word.length === 2 ? !SHORT_WORDS.has(word) : word.length === 3 && (word === "abc" || !/[aeiou]/.test(word));
}

function isFunction(word: string): boolean {
  return FUNCTIONS.has(FUNCTION_ALIASES.get(word) ?? word);
}

/** What may follow a value and add nothing to it: "5 when x is large". */
const REMARKS: ReadonlySet<string> = new Set("if where for when with since because provided".split(" "));

/** Words of a script without blanks before a digit or sign; "and" and "or" (\u548c \u4e0e \u4e14 \u6216) join values. */
const EAST_ASIAN_WORDS = /(?![\u548c\u4e0e\u6216\u4e14])[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}][\s\S]*?[\d\\=^]/u;

/** Two numbers and what stands between them. */
const SIMPLE_PHRASE = /^\S{0,40}\d\)?\s?(?:to|in|out of|and|\(?base)\s(?:a\s)?\d\S{0,40}$/;

/** The text with as many backslashes in place of each command, and of what stands in upright type. */
function withoutCommands(text: string): string {
  return text.replaceAll(
    /\\(?:text[a-z]{0,6}|mbox|color|mathrm|operatorname|begin|end)\s?\{[^{}]{0,200}\}|\\[a-zA-Z]{1,40}|\b0x[\da-fA-F]{1,200}\b/g,
    (mark) => (mark.startsWith("0") ? "0" : "\\").repeat(mark.length),
  );
}

/** True where words of a sentence stand before the last digit, command or operator of the text. */
export function isProse(text: string): boolean {
  if (/^(?:the set of )?all (?:the )?(?:real|rational|complex|integer)/i.test(text) && text.length < 100) return false;
  if (!/[A-Za-z]{2}|[^\x00-\x7f]/.test(withoutCommands(text))) return false;
  if (dateOf(text) !== null || countsOf(text) !== null) return false;
  const bare = withoutCommands(respelled(text));
  if (/[^\x00-\x7f]/.test(bare) && EAST_ASIAN_WORDS.test(bare)) return true;
  for (const match of bare.matchAll(/[A-Za-z]{2,}/g)) {
    const word = match[0].toLowerCase();
    const next = bare[match.index + word.length];
    const isGlued = word.length === 2 && (/[-+*/=(^]/.test(bare[match.index - 1] ?? "") || /[-+*/=)]/.test(next ?? ""));
    // Be^x and by of ax+by are products, Matrix(…) and Interval.open(…) are values.
    if (VALUE_WORDS.has(word) || isProduct(word) || isGlued || next === "^" || next === "_") continue;
    if (SYMPY_CLASSES.has(match[0]) && (next === "(" || next === ".")) continue;
    if (/^[LR]?open$/.test(match[0]) && next === "(") continue;
    if (GREEK_LETTERS.includes(match[0]) || (next === "(" && isFunction(match[0]))) continue;
    // A unit, a remark or words alone: nothing of a value follows.
    if (!/[\d\\=^]/.test(bare.slice(match.index + word.length))) return false;
    const before = bare.slice(0, match.index);
    // 2 hours 30 minutes, 2.5 million, 1 out of 6, 204 base 5.
    if (/\d\s?$/.test(before) && (isUnitWord(word) || scaleOf(word) !== null)) continue;
    if (SIMPLE_PHRASE.test(bare.trim())) return false;
    const isUnit = /\d\s?$/.test(before) && /^\s*(?:[=/]|per\b)/.test(bare.slice(match.index + word.length));
    if (isUnit) continue;
    return !(REMARKS.has(word) && /[\d\\]/.test(before));
  }
  return false;
}
