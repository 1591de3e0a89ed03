/**
 * Real numbers of 768 bits: mantissa times a power of two, for deciding between constants that doubles cannot tell apart.
 *
 * Elementary functions are series in fixed point with guard bits after a reduction of the argument (Brent and Zimmermann, Modern
 * Computer Arithmetic, chapter 4). Results are good to about 740 bits; the caller asks for far fewer.
 */
import { bitLength, integerRoot, type Rational } from "./rational.ts";

/** mantissa * 2^exponent. */
export interface BigFloat {
  readonly mantissa: bigint;
  readonly exponent: number;
}

const BITS = 768;
/** Bits after the binary point inside the series. */
const FIXED = 896;
const ONE_FIXED = 1n << BigInt(FIXED);
/** Past these the results of exp leave every use, and an angle has too few bits left behind its turns. */
const MAX_ARGUMENT_BITS = 24;
const MAX_ANGLE_BITS = 128;

export const BIG_ZERO: BigFloat = { mantissa: 0n, exponent: 0 };
export const BIG_ONE: BigFloat = { mantissa: 1n, exponent: 0 };

function rounded(mantissa: bigint, exponent: number): BigFloat {
  const excess = bitLength(mantissa) - BITS;
  if (mantissa === 0n) return BIG_ZERO;
  return excess <= 0 ? { mantissa, exponent } : { mantissa: mantissa >> BigInt(excess), exponent: exponent + excess };
}

export function fromRational({ numerator, denominator }: Rational): BigFloat {
  if (denominator === 1n) return rounded(numerator, 0);
  const shift = BITS + 8 + Math.max(0, bitLength(denominator) - bitLength(numerator));
  return rounded((numerator << BigInt(shift)) / denominator, -shift);
}

/** Exact: a double is a whole number times a power of two. */
export function fromNumber(value: number): BigFloat {
  if (value === 0) return BIG_ZERO;
  const exponent = Math.floor(Math.log2(Math.abs(value))) - 54;
  return { mantissa: BigInt(Math.round(value * 2 ** -exponent)), exponent };
}

/** The position of the highest bit: |a| lies in [2^(n-1), 2^n); -Infinity for 0. */
export function sizeOf(a: BigFloat): number {
  return a.mantissa === 0n ? Number.NEGATIVE_INFINITY : bitLength(a.mantissa) + a.exponent;
}

export function addBig(a: BigFloat, b: BigFloat): BigFloat {
  if (a.mantissa === 0n) return b;
  if (b.mantissa === 0n) return a;
  const [high, low] = a.exponent >= b.exponent ? [a, b] : [b, a];
  const shift = high.exponent - low.exponent;
  // What lies below every kept bit is nothing.
  if (sizeOf(high) - sizeOf(low) > 2 * BITS) return high;
  if (shift > 4 * BITS) return sizeOf(high) > sizeOf(low) ? high : low;
  return rounded((high.mantissa << BigInt(shift)) + low.mantissa, low.exponent);
}

export function negateBig(a: BigFloat): BigFloat {
  return { mantissa: -a.mantissa, exponent: a.exponent };
}

export function multiplyBig(a: BigFloat, b: BigFloat): BigFloat {
  return rounded(a.mantissa * b.mantissa, a.exponent + b.exponent);
}

/** null for a divisor of 0. */
export function divideBig(a: BigFloat, b: BigFloat): BigFloat | null {
  if (b.mantissa === 0n) return null;
  const shift = BITS + 8 + Math.max(0, bitLength(b.mantissa) - bitLength(a.mantissa));
  return rounded((a.mantissa << BigInt(shift)) / b.mantissa, a.exponent - b.exponent - shift);
}

/** null for negative numbers. */
export function squareRootBig(a: BigFloat): BigFloat | null {
  if (a.mantissa < 0n) return null;
  if (a.mantissa === 0n) return a;
  const shift = 2 * BITS + (Math.abs(a.exponent) % 2);
  return rounded(integerRoot(a.mantissa << BigInt(shift), 2n), (a.exponent - shift) / 2);
}

function toFixed(a: BigFloat): bigint {
  const shift = a.exponent + FIXED;
  return shift >= 0 ? a.mantissa << BigInt(shift) : a.mantissa >> BigInt(-shift);
}

function multiplyFixed(a: bigint, b: bigint): bigint {
  return (a * b) >> BigInt(FIXED);
}

/** atan(1/n) in fixed point. */
function inverseTangent(n: bigint): bigint {
  let power = ONE_FIXED / n;
  let total = power;
  for (let k = 3n, sign = -1n; power !== 0n; k += 2n, sign = -sign) {
    power /= n * n;
    total += (sign * power) / k;
  }
  return total;
}

let cachedPi: bigint | null = null;
let cachedLog2: bigint | null = null;

/** Machin's formula. */
function piFixed(): bigint {
  cachedPi ??= 16n * inverseTangent(5n) - 4n * inverseTangent(239n);
  return cachedPi;
}

/** ln 2 = 2 atanh(1/3). */
function log2Fixed(): bigint {
  if (cachedLog2 !== null) return cachedLog2;
  let power = ONE_FIXED / 3n;
  let total = power;
  for (let k = 3n; power !== 0n; k += 2n) {
    power /= 9n;
    total += power / k;
  }
  cachedLog2 = 2n * total;
  return cachedLog2;
}

export function piBig(): BigFloat {
  return rounded(piFixed(), -FIXED);
}

/** null past 2^24. */
export function expBig(a: BigFloat): BigFloat | null {
  if (sizeOf(a) > MAX_ARGUMENT_BITS) return null;
  const x = toFixed(a);
  const turns = x / log2Fixed();
  // (e^(r / 2^8))^(2^8), with the series of a small argument.
  const r = (x - turns * log2Fixed()) >> 8n;
  let term = ONE_FIXED;
  let total = ONE_FIXED;
  for (let k = 1n; term !== 0n && term !== -1n; k++) {
    term = multiplyFixed(term, r) / k;
    total += term;
  }
  for (let i = 0; i < 8; i++) total = multiplyFixed(total, total);
  return rounded(total, Number(turns) - FIXED);
}

/** The natural logarithm by Halley's iteration on exp; null unless a is positive. */
export function logBig(a: BigFloat): BigFloat | null {
  if (a.mantissa <= 0n) return null;
  const size = sizeOf(a);
  // a = m 2^size with m in [1/2, 1): ln a = ln m + size ln 2.
  const m: BigFloat = { mantissa: a.mantissa, exponent: a.exponent - size };
  let y = fromNumber(Math.log(toDouble(m)) || 0);
  for (let round = 0; round < 4; round++) {
    const e = expBig(y);
    const step = e === null ? null : divideBig(addBig(m, negateBig(e)), addBig(m, e));
    if (step === null) return null;
    y = addBig(y, { mantissa: step.mantissa, exponent: step.exponent + 1 });
  }
  return addBig(y, multiplyBig(rounded(log2Fixed(), -FIXED), rounded(BigInt(size), 0)));
}

/** Sine and cosine; null past 2^128. */
export function sineCosineBig(a: BigFloat): readonly [sine: BigFloat, cosine: BigFloat] | null {
  if (sizeOf(a) > MAX_ANGLE_BITS) return null;
  const half = piFixed() / 2n;
  const x = toFixed(a);
  let quarter = x / half;
  let r = x - quarter * half;
  if (2n * r > half) [quarter, r] = [quarter + 1n, r - half];
  if (2n * r < -half) [quarter, r] = [quarter - 1n, r + half];
  const square = multiplyFixed(r, r);
  const series = (first: bigint, from: bigint): bigint => {
    let term = first;
    let total = first;
    for (let k = from; term !== 0n && term !== -1n; k += 2n) {
      term = -multiplyFixed(term, square) / (k * (k + 1n));
      total += term;
    }
    return total;
  };
  const sine = rounded(series(r, 2n), -FIXED);
  const cosine = rounded(series(ONE_FIXED, 1n), -FIXED);
  const turn = Number(((quarter % 4n) + 4n) % 4n);
  const values: readonly (readonly [BigFloat, BigFloat])[] = [
    [sine, cosine],
    [cosine, negateBig(sine)],
    [negateBig(sine), negateBig(cosine)],
    [negateBig(cosine), sine],
  ];
  return values[turn]!;
}

/** The angle of the point (x, y), from -pi to pi, by Newton's iteration on the rotation back; null at the origin. */
export function angleBig(y: BigFloat, x: BigFloat): BigFloat | null {
  if (x.mantissa === 0n && y.mantissa === 0n) return null;
  if (y.mantissa === 0n) return x.mantissa > 0n ? BIG_ZERO : piBig();
  const scale = -Math.max(sizeOf(x), sizeOf(y));
  const [sx, sy] = [x, y].map((v): BigFloat => ({ mantissa: v.mantissa, exponent: v.exponent + scale }));
  let angle = fromNumber(Math.atan2(toDouble(sy!), toDouble(sx!)) || 0);
  for (let round = 0; round < 4; round++) {
    const turned = sineCosineBig(angle);
    if (turned === null) return null;
    const [sine, cosine] = turned;
    // The tangent of what is left, which is its angle to third order.
    const across = addBig(multiplyBig(sy!, cosine), negateBig(multiplyBig(sx!, sine)));
    const along = addBig(multiplyBig(sx!, cosine), multiplyBig(sy!, sine));
    const step = divideBig(across, along);
    if (step === null) return null;
    angle = addBig(angle, step);
  }
  return angle;
}

/** The nearest double; 0 or infinite outside their range. */
export function toDouble(a: BigFloat): number {
  const excess = Math.max(0, bitLength(a.mantissa) - 60);
  const exponent = a.exponent + excess;
  const half = Math.trunc(exponent / 2);
  return Number(a.mantissa >> BigInt(excess)) * 2 ** half * 2 ** (exponent - half);
}
