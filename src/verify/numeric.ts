/**
 * Exact numbers: what a person writes as a number, read into a fraction of two bigints, so that 0.1 + 0.2 is 0.3 and a
 * wrong last digit is wrong. Every function is total: text that is no number gives null, never an exception.
 *
 * Read: 42, +42, -3.50, .5, 1,234,567, 7{,}425, 2/3, \frac{2}{3}, 1 1/2, 50%, 1.5e-3, with a currency sign before, and a
 * full stop or a degree sign after. A percentage is its value: 50% is 1/2 and differs from 50.
 */

/** A number in lowest terms; the denominator is positive. */
export interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** Longer texts are not read as numbers, so that a hostile answer cannot buy seconds of big arithmetic. */
const MAX_LENGTH = 200;
const MAX_EXPONENT = 100;

const DIGITS = String.raw`(?:\d{1,3}(?:,\d{3})+|\d+)`;
const DECIMAL = new RegExp(String.raw`^(?:(${DIGITS})(?:\.(\d*))?|\.(\d+))(?:[eE]([-+]?\d{1,4}))?$`);
const FRACTION = new RegExp(String.raw`^(?:(\d+)\s+)?(${DIGITS})\s*/\s*(${DIGITS})$`);
const LATEX_FRACTION = /^(\d*)\s*\\[dt]?frac\s*\{\s*(-?\d+)\s*\}\s*\{\s*(-?\d+)\s*\}$/;

/** The number that the whole text is, or null. */
export function parseNumber(text: string): Rational | null {
  if (text.length > MAX_LENGTH) return null;
  let rest = text
    .replaceAll("{,}", ",")
    .replaceAll(/[\u2212\u2013\uFE63\uFF0D]/g, "-")
    .replaceAll(/\\[,;! ]|[$€£¥]/g, " ")
    .replaceAll("\\%", "%")
    .trim()
    .replace(/(?:\.|°|\^\\circ|\^\{\\circ\})$/, "")
    .trim();
  let sign = 1n;
  const signMatch = /^[-+]\s*/.exec(rest);
  if (signMatch !== null) {
    if (signMatch[0].startsWith("-")) sign = -1n;
    rest = rest.slice(signMatch[0].length);
  }
  let percent = 1n;
  if (rest.endsWith("%")) {
    percent = 100n;
    rest = rest.slice(0, -1).trimEnd();
  }
  const value = parseUnsigned(rest);
  return value === null ? null : rational(sign * value.numerator, percent * value.denominator);
}

function parseUnsigned(text: string): Rational | null {
  const decimal = DECIMAL.exec(text);
  if (decimal !== null) {
    const whole = (decimal[1] ?? "").replaceAll(",", "");
    const decimals = decimal[2] ?? decimal[3] ?? "";
    const exponent = Number(decimal[4] ?? "0");
    if (Math.abs(exponent) > MAX_EXPONENT) return null;
    const shift = exponent - decimals.length;
    const digits = BigInt(whole + decimals);
    return shift >= 0 ? rational(digits * 10n ** BigInt(shift), 1n) : rational(digits, 10n ** BigInt(-shift));
  }
  const fraction = FRACTION.exec(text) ?? LATEX_FRACTION.exec(text);
  if (fraction === null) return null;
  const numerator = BigInt(fraction[2]!.replaceAll(",", ""));
  const denominator = BigInt(fraction[3]!.replaceAll(",", ""));
  if (denominator === 0n) return null;
  const whole = fraction[1] === undefined || fraction[1] === "" ? 0n : BigInt(fraction[1]);
  return rational(whole * denominator + numerator, denominator);
}

/** In lowest terms. Throws a RangeError when the denominator is 0: callers check what they divide by. */
export function rational(numerator: bigint, denominator = 1n): Rational {
  if (denominator === 0n) throw new RangeError("Expected a denominator other than 0.");
  const divisor = greatestCommonDivisor(numerator, denominator) * (denominator < 0n ? -1n : 1n);
  return { numerator: numerator / divisor, denominator: denominator / divisor };
}

/** Positive for any two integers that are not both 0. */
function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}

export function add(a: Rational, b: Rational): Rational {
  return rational(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator);
}

export function subtract(a: Rational, b: Rational): Rational {
  return add(a, negate(b));
}

export function multiply(a: Rational, b: Rational): Rational {
  return rational(a.numerator * b.numerator, a.denominator * b.denominator);
}

/** null when b is 0. */
export function divide(a: Rational, b: Rational): Rational | null {
  return b.numerator === 0n ? null : rational(a.numerator * b.denominator, a.denominator * b.numerator);
}

export function negate(a: Rational): Rational {
  return { numerator: -a.numerator, denominator: a.denominator };
}

export function equal(a: Rational, b: Rational): boolean {
  return a.numerator === b.numerator && a.denominator === b.denominator;
}

/** "7", "-2/3": one text for each number, so that equal numbers are equal keys. */
export function formatRational(a: Rational): string {
  return a.denominator === 1n ? String(a.numerator) : `${a.numerator}/${a.denominator}`;
}
