/**
 * Numbers as they are written: thousands in every notation, decimals, repeating decimals, exponents, and prefixed bases. Throws
 * LimitReached for more digits than an answer has.
 */
import { LimitReached } from "./budget.ts";
import { power, type Rational, rational } from "./rational.ts";

/** How a comma between digits is read, and nothing else: `plain` text may have decimal commas, LaTeX has lists. */
export type Notation = "latex" | "plain";

const MAX_DIGITS = 2_000;
const MAX_SCIENTIFIC_EXPONENT = 5_000;

const THOUSANDS = /\d{1,3}(?:(?:,|\{,\}|\\,|\\!|,\\!|\\;|\\ )\d{3}){1,40}(?!\d)(?!,\d)/y;
/** Not before another number, unless that is the fraction of a mixed number. */
const BLANK_THOUSANDS = /\d{1,3}(?: \d{3}){1,40}(?![\d/])(?! \d(?!\d{0,8} ?\/))/y;
/** 1'234'567 and 1_234_567: no base has three digits. */
const MARKED_THOUSANDS = /\d{1,3}(?:(?:'\d{3}){1,40}|(?:_\d{3}){1,40})(?![\d'_])/y;
/** 1,00,000: a group that begins with 0 is no value of a list. */
const INDIAN_THOUSANDS = /(?=[\d,]{1,40},0)\d{1,2}(?:,\d{2}){1,10},\d{3}(?![\d,])/y;
/** 1.234.567, and in plain text 1.234,50. */
const DOTTED_THOUSANDS = /\d{1,3}(?:\.\d{3}){2,40}(?![\d.])/y;
const DECIMAL_COMMA = /\d{1,3}(?:\.\d{3}){1,40},\d{1,2}(?![\d,.])/y;
const PREFIXED = /0(?:[xX][\da-fA-F]{1,200}|[bB][01]{1,800}|[oO][0-7]{1,300})(?![\da-zA-Z])/y;
const BRACED_THOUSANDS = /\d{1,3}(?:(?:\{,\}|\\,|,?\\!)\d{3}){1,40}(?!\d)/y;
const DIGITS = /\d+/y;

/** 0,(3) and 0,1\\overline{6}: nothing but a repeating decimal has a bar or brackets right behind its comma. */
const REPETEND_AFTER_COMMA = /^,\d{0,20}(?:\(\d{1,20}\)(?!\s?,)|\\(?:overline|bar|dot)\s?\{?\d)/;

/** A number and where it stands. */
export interface ReadNumber {
  readonly start: number;
  readonly end: number;
  readonly value: Rational;
  readonly decimal: boolean;
}

/** Digits with thousands, decimals, repeating decimals and an exponent. `inBrackets`: a comma is a separator. */
export function readNumber(text: string, start: number, notation: Notation, inBrackets: boolean): ReadNumber {
  const match = (pattern: RegExp, at: number): string => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0] ?? "";
  };
  const prefixed = text[start] === "0" ? match(PREFIXED, start) : "";
  if (prefixed !== "")
    return { start, end: start + prefixed.length, value: rational(BigInt(prefixed.toLowerCase())), decimal: false };
  const dotted = match(DOTTED_THOUSANDS, start);
  const european = notation === "plain" && !inBrackets ? match(DECIMAL_COMMA, start) : "";
  if (dotted !== "" || european !== "") {
    const [written, decimals = ""] = (european || dotted).replaceAll(".", "").split(",");
    const value = rational(BigInt(written + decimals), 10n ** BigInt(decimals.length));
    return { start, end: start + (european || dotted).length, value, decimal: decimals !== "" };
  }
  let whole = match(DIGITS, start);
  // Only after one to three digits, and before a mark between thousands, can there be more of the number.
  if (whole.length >= 1 && whole.length <= 3 && /^[,{\\ '_]/.test(text[start + whole.length] ?? "")) {
    const grouped =
      match(inBrackets ? BRACED_THOUSANDS : THOUSANDS, start) ||
      match(MARKED_THOUSANDS, start) ||
      (inBrackets ? "" : match(INDIAN_THOUSANDS, start));
    whole = grouped || (inBrackets ? "" : match(BLANK_THOUSANDS, start)) || whole;
  }
  let end = start + whole.length;
  const digits = whole.replaceAll(/\D/g, "");

  let fraction = "";
  let decimal = false;
  const isRepeating = text[end] === "," && !inBrackets && REPETEND_AFTER_COMMA.test(text.slice(end, end + 40));
  const comma =
    isRepeating ||
    (notation === "plain" &&
      text[end] === "," &&
      !inBrackets &&
      whole.length === digits.length &&
      /^,\d+(?![\d,])/.test(text.slice(end, end + 24)) &&
      // With a second comma they are values in a row.
      text.indexOf(",") === text.lastIndexOf(","));
  const point = text.startsWith("{.}", end) ? 3 : 1;
  if (text[end] === "." || comma || point === 3) {
    const after = match(DIGITS, end + point);
    if (after !== "" || (text[end + 1] !== "." && /^\.(?:[^.\\a-zA-Z]|$|\\[a-z])/.test(text.slice(end, end + 3)))) {
      fraction = after;
      end += point + after.length;
      decimal = after !== "";
    }
  }
  if (digits.length + fraction.length > MAX_DIGITS) throw new LimitReached("digits");

  if (isRepeating && fraction === "") end++;
  const repeating = decimal || isRepeating || text[end - 1] === "." ? readRepetend(text, end, fraction) : null;
  if (repeating !== null) {
    const { repetend, length, prefix } = repeating;
    // 0.1(6) = (16 - 1) / 90.
    const all = BigInt(digits + prefix + repetend || "0");
    const before = BigInt(digits + prefix || "0");
    const denominator = (10n ** BigInt(repetend.length) - 1n) * 10n ** BigInt(prefix.length);
    return { start, end: end + length, value: rational(all - before, denominator), decimal: false };
  }

  const mayScale = text[end] === "e" || text[end] === "E";
  const exponent = mayScale ? /^[eE]([-+]?\d{1,5})(?![\d.])/.exec(text.slice(end, end + 8)) : null;
  let value = rational(BigInt(digits + fraction || "0"), 10n ** BigInt(fraction.length));
  if (exponent !== null) {
    if (Math.abs(Number(exponent[1])) > MAX_SCIENTIFIC_EXPONENT) throw new LimitReached("digits");
    const scale = power(rational(10n), BigInt(exponent[1]!));
    value = rational(value.numerator * scale.numerator, value.denominator * scale.denominator);
    end += exponent[0].length;
  }
  return { start, end, value, decimal };
}

/** What repeats after the digits of `fraction`: \overline{3}, (3), or an ellipsis after digits that visibly repeat. */
function readRepetend(
  text: string,
  at: number,
  fraction: string,
): { prefix: string; repetend: string; length: number } | null {
  const rest = text.slice(at, at + 160);
  const dotted = /^\\dot\s?\{?(\d)\}?(\d{0,28})\\dot\s?\{?(\d)\}?/.exec(rest);
  if (dotted !== null) return { prefix: fraction, repetend: dotted.slice(1).join(""), length: dotted[0].length };
  const marked =
    /^\s?\\(?:overline|bar|dot|overbar)\s?(?:\{\s?(\d{1,120})\s?\}|(\d))/.exec(rest) ?? /^\((\d{1,120})\)/.exec(rest);
  if (marked !== null) return { prefix: fraction, repetend: marked[1] ?? marked[2]!, length: marked[0].length };
  const dots = /^(?:\.{3,6}|\\(?:ldots|dots|cdots)(?![a-zA-Z]))/.exec(rest);
  if (dots === null) return null;
  for (let period = 1; period * 2 <= fraction.length && period <= 30; period++) {
    const repetend = fraction.slice(-period);
    const copies = period === 1 ? 3 : 2;
    if (!fraction.endsWith(repetend.repeat(copies))) continue;
    return { prefix: fraction, repetend, length: dots[0].length };
  }
  return null;
}
