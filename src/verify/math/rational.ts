/** Exact fractions of BigInts in lowest terms, with a bound on their size. Throws LimitReached past MAX_BITS. */
import { LimitReached } from "./budget.ts";

/** `numerator / denominator`, in lowest terms, the denominator positive. */
export interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** 2006! has 19,105 bits: numbers of this size are multiplied in microseconds. */
export const MAX_BITS = 24_576;

const LARGEST = 1n << BigInt(MAX_BITS);

export const ZERO: Rational = { numerator: 0n, denominator: 1n };
export const ONE: Rational = { numerator: 1n, denominator: 1n };

/** Throws LimitReached for a zero denominator too: the caller has no number either way. */
export function rational(numerator: bigint, denominator = 1n): Rational {
  if (denominator === 1n) return bounded({ numerator, denominator });
  if (denominator === 0n) throw new LimitReached("division by zero");
  const divisor = gcd(numerator, denominator) * (denominator < 0n ? -1n : 1n);
  return bounded({ numerator: numerator / divisor, denominator: denominator / divisor });
}

export function add(a: Rational, b: Rational): Rational {
  if (a.denominator === b.denominator) return rational(a.numerator + b.numerator, a.denominator);
  return rational(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator);
}

export function multiply(a: Rational, b: Rational): Rational {
  return rational(a.numerator * b.numerator, a.denominator * b.denominator);
}

export function divide(a: Rational, b: Rational): Rational {
  return rational(a.numerator * b.denominator, a.denominator * b.numerator);
}

export function negate(a: Rational): Rational {
  return { numerator: -a.numerator, denominator: a.denominator };
}

export function isEqual(a: Rational, b: Rational): boolean {
  return a.numerator === b.numerator && a.denominator === b.denominator;
}

/** Negative, zero or positive as a is less than, equal to or greater than b. */
export function compare(a: Rational, b: Rational): number {
  const difference = a.numerator * b.denominator - b.numerator * a.denominator;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

export function isInteger(a: Rational): boolean {
  return a.denominator === 1n;
}

/** a^exponent; 0 to a negative power throws LimitReached. */
export function power(a: Rational, exponent: bigint): Rational {
  const times = exponent < 0n ? -exponent : exponent;
  const base = exponent < 0n ? rational(a.denominator, a.numerator) : a;
  const bits = Math.max(bitLength(base.numerator), bitLength(base.denominator));
  if (bits > 1 && times * BigInt(bits - 1) > BigInt(MAX_BITS)) throw new LimitReached("digits");
  // A base of 0, 1 or -1 keeps its size under any exponent, and only the parity of the exponent counts.
  const small = bits <= 1 ? (times === 0n ? 0n : 2n - (times & 1n)) : times;
  return bounded({ numerator: base.numerator ** small, denominator: base.denominator ** small });
}

/** The greatest integer not above a. */
export function floor(a: Rational): bigint {
  const quotient = a.numerator / a.denominator;
  return a.numerator < 0n && quotient * a.denominator !== a.numerator ? quotient - 1n : quotient;
}

/** To the nearest multiple of 10^-decimals, halves away from zero. */
export function roundTo(a: Rational, decimals: number): Rational {
  const scale = 10n ** BigInt(decimals);
  const magnitude = a.numerator < 0n ? -a.numerator : a.numerator;
  const rounded = (2n * magnitude * scale + a.denominator) / (2n * a.denominator);
  return rational(a.numerator < 0n ? -rounded : rounded, scale);
}

/** The exact n-th root, or null where it is irrational; n from 1 up, a not negative. */
export function root(a: Rational, n: bigint): Rational | null {
  const numerator = integerRoot(a.numerator, n);
  const denominator = integerRoot(a.denominator, n);
  return numerator ** n === a.numerator && denominator ** n === a.denominator ? { numerator, denominator } : null;
}

/** The greatest integer whose n-th power is not above a, by Newton's method; a not negative. */
export function integerRoot(a: bigint, n: bigint): bigint {
  if (a < 2n || n === 1n) return a;
  const bits = bitLength(a);
  if (n >= BigInt(bits)) return 1n;
  let x = 1n << (BigInt(bits) / n + 1n);
  for (;;) {
    const next = ((n - 1n) * x + a / x ** (n - 1n)) / n;
    if (next >= x) return x;
    x = next;
  }
}

/** The nearest double; infinite only where the quotient is. */
export function toNumber({ numerator, denominator }: Rational): number {
  if (denominator === 1n) return Number(numerator);
  const shift = bitLength(denominator) - bitLength(numerator) + 64;
  const scaled = shift > 0 ? (numerator << BigInt(shift)) / denominator : numerator / (denominator << BigInt(-shift));
  // In two steps, since 2^-shift alone may underflow.
  const half = Math.trunc(shift / 2);
  return Number(scaled) / 2 ** half / 2 ** (shift - half);
}

/** 0 for 0. */
export function bitLength(a: bigint): number {
  const digits = (a < 0n ? -a : a).toString(16);
  return a === 0n ? 0 : digits.length * 4 - Math.clz32(Number.parseInt(digits[0]!, 16)) + 28;
}

export function gcd(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}

function bounded(a: Rational): Rational {
  const { numerator, denominator } = a;
  if (numerator > LARGEST || numerator < -LARGEST || denominator > LARGEST) throw new LimitReached("digits");
  return a;
}
