/**
 * Numbers and arithmetic in running text: "1,234.5", "-3/4", "520 - 480", "$18", "20%", "3e-8".
 *
 * A number starts at the text's start, after white space or after a mark that introduces values (= : * ( > and currency signs), so
 * that XDY2K holds none; it may be followed by a unit but not by the letter of a formula. Every repetition of the patterns is
 * bounded, so the time is linear in the text.
 */

/** What was found, and where it starts and ends. */
export interface PlainMatch {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const DIGITS = String.raw`(?:[1-9]\d{0,2}(?:,\d{3}){1,20}(?!\d)|[1-9]\d{0,2}(?: \d{3}){1,20}(?![\d/])|\d{1,400}(?!\d))`;
const EUROPEAN = String.raw`[1-9]\d{0,2}(?:\.\d{3}){1,20},\d{1,2}(?![\d,.])`;
const FRACTION = String.raw`\\[dtc]?frac\s?\{ ?-?\d{1,20} ?\}\s?\{ ?\d{1,20} ?\}`;
const NUMBER = String.raw`(?:${EUROPEAN}|${DIGITS}(?:\.\d{1,400}|,\d{1,2}(?![\d,])(?!,? \d))?(?:[eE][-+]?\d{1,4}(?!\w))?|\.\d{1,400}|${FRACTION})`;
/** An en dash is a sign only where nothing stands before it. */
const SIGN = String.raw`(?:[-+\u2212]|(?<=^|\s)\u2013)`;
/** "!" at the end of a sentence is no factorial. */
const FACTORIAL = String.raw`(?:!(?=\s?[-+*/^=)!,.;:\u00d7\u00f7\u00b7\u2212]))?`;
const ATOM = String.raw`(?:${SIGN}?\(){0,3}${SIGN}?[$\u20ac\u00a3\u00a5\u20b9]?${NUMBER}${FACTORIAL}(?: ?\\?%)?\){0,3}`;
const MIXED = String.raw`${SIGN}?\d{1,9}(?: \d{3}){0,4} \d{1,9} ?/ ?\d{1,9}`;
/** A value may follow these, or stand first; scripts that set no blanks between words do not hold a number back. */
const BEFORE = String.raw`(?<=^|[\s=:*(>"'~\u2248$\u20ac\u00a3\u00a5\u20b9\u3000-\u303f\uff00-\uff0f\uff1a-\uff1f\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}\p{sc=Thai}])`;
/** A number is read together with what it is times: $70k, 2.5 million. */
const SCALE = `(?: (?:hundred|thousand|million|billion|trillion)(?![a-z])|[\u4e07\u4ebf])?`;
const SCALED_MONEY = String.raw`${SIGN}?[$\u20ac\u00a3]${NUMBER} ?(?:k|K|M|bn?|B)(?![\p{L}\p{N}_^$])`;
const EXPRESSION = new RegExp(
  String.raw`${BEFORE}(?:${MIXED}(?![\d.,]*\d)|${SCALED_MONEY}|${ATOM}(?: ?(?:\*\*|[-+*/^\u00d7\u00f7\u00b7\u2212\u2044]) ?${ATOM}){0,40}${SCALE})(?: ?(?:percent|pct)(?![a-z]))?`,
  "gu",
);

/** Letters after a number: a unit is a word, or a letter that is hardly a variable. Symbols are Latin and Greek. */
const UNIT_OR_END =
  /^(?![\p{sc=Latin}\p{sc=Greek}_\\^{])|^(?:[\p{sc=Latin}\p{sc=Greek}]{2,14}|[mgsLlhVWJNKC][\d\u00b2\u00b3]?)(?![\p{sc=Latin}\p{N}_^(])/u;

/** Numbers stand near the end: the text is searched from there, in windows each eight times as wide as the one before. */
const FIRST_WINDOW = 2048;

/** The numbers and arithmetic expressions of the end of the text, in reading order; of all of it where the end has none. */
export function findPlain(text: string): PlainMatch[] {
  for (let width = FIRST_WINDOW; ; width *= 8) {
    const from = Math.max(0, text.length - width);
    // What the window's edge cuts is left to the next, wider window.
    const found = findAll(text, from).filter(({ start }) => from === 0 || start > from + 256);
    if (found.length > 0 || from === 0) return found;
  }
}

function findAll(text: string, from: number): PlainMatch[] {
  const found: PlainMatch[] = [];
  EXPRESSION.lastIndex = from;
  for (let match = EXPRESSION.exec(text); match !== null; match = EXPRESSION.exec(text)) {
    const end = match.index + match[0].length;
    if (!UNIT_OR_END.test(text.slice(end, end + 18))) continue;
    found.push({ text: balanced(match[0]), start: match.index, end });
  }
  return found;
}

/** Without the brackets that have no partner: "(not 3)" gives "3)". */
function balanced(text: string): string {
  const open = text.split("(").length;
  const close = text.split(")").length;
  if (open === close) return text;
  return open > close ? text.replace(/\(/, "") : text.replace(/\)$/, "");
}
