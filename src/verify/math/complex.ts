/**
 * Complex numbers in double precision with a bound on their error: `error` is at least |computed - true|, to first order and with
 * a margin. It is what lets a difference be certain, and an agreement be worth nothing where cancellation ate the digits.
 */

export interface Complex {
  readonly re: number;
  readonly im: number;
  /** Absolute, not negative. */
  readonly error: number;
}

/** A few units in the last place for each operation. */
const EPSILON = 2 ** -51;

export function complex(re: number, im = 0, error = 0): Complex {
  return { re, im, error };
}

export function magnitude({ re, im }: Complex): number {
  return im === 0 ? Math.abs(re) : Math.hypot(re, im);
}

/** Rounded to the machine: the error grows by a unit in the last place. */
function rounded(re: number, im: number, error: number): Complex {
  return { re, im, error: error + EPSILON * (Math.abs(re) + Math.abs(im)) };
}

export function plus(a: Complex, b: Complex): Complex {
  return rounded(a.re + b.re, a.im + b.im, a.error + b.error);
}

export function minus(a: Complex, b: Complex): Complex {
  return rounded(a.re - b.re, a.im - b.im, a.error + b.error);
}

export function times(a: Complex, b: Complex): Complex {
  const error = magnitude(a) * b.error + magnitude(b) * a.error + a.error * b.error;
  if (a.im === 0 && b.im === 0) return rounded(a.re * b.re, 0, error);
  const re = a.re * b.re - a.im * b.im;
  const im = a.re * b.im + a.im * b.re;
  return { re, im, error: error + EPSILON * magnitude(a) * magnitude(b) };
}

/** null where the divisor may be zero. */
export function over(a: Complex, b: Complex): Complex | null {
  const size = magnitude(b);
  if (size <= 2 * b.error || size === 0) return null;
  const reciprocal = b.im === 0 ? complex(1 / b.re, 0) : complex(b.re / size / size, -b.im / size / size);
  const error = b.error / (size * (size - b.error)) + EPSILON / size;
  return times(a, { ...reciprocal, error });
}

export function exp(a: Complex): Complex {
  const size = Math.exp(a.re);
  const error = size * (Math.expm1(Math.min(a.error, 700)) + EPSILON * (2 + Math.abs(a.re) + Math.abs(a.im)));
  if (a.im === 0) return { re: size, im: 0, error };
  return { re: size * Math.cos(a.im), im: size * Math.sin(a.im), error };
}

/** The principal logarithm; null where the argument may be zero. */
export function log(a: Complex): Complex | null {
  const size = magnitude(a);
  if (size <= 2 * a.error || size === 0) return null;
  const re = Math.log(size);
  const im = a.im === 0 ? (a.re < 0 ? Math.PI : 0) : Math.atan2(a.im, a.re);
  return rounded(re, im, a.error / (size - a.error) + EPSILON);
}

/** The principal root. Halving the angle by hand keeps roots of real numbers real or imaginary. */
export function squareRootOf(a: Complex): Complex {
  const size = magnitude(a);
  if (size === 0) return complex(0, 0, Math.sqrt(a.error));
  const error = Math.min(Math.sqrt(a.error), a.error / Math.sqrt(size));
  if (a.im === 0) return a.re > 0 ? rounded(Math.sqrt(a.re), 0, error) : rounded(0, Math.sqrt(-a.re), error);
  const re = Math.sqrt((size + Math.abs(a.re)) / 2);
  const other = Math.abs(a.im) / (2 * re);
  const sign = a.im < 0 ? -1 : 1;
  return a.re > 0 ? rounded(re, sign * other, error) : rounded(other, sign * re, error);
}

/** A whole power, by repeated squaring: exact in phase, real for real bases. */
export function wholePower(a: Complex, exponent: number): Complex | null {
  let result = complex(1);
  let square = a;
  for (let rest = Math.abs(exponent); rest >= 1; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = times(result, square);
    if (rest >= 2) square = times(square, square);
  }
  return exponent < 0 ? over(complex(1), result) : result;
}

export function sine(a: Complex): Complex {
  const error = trigonometricError(a);
  if (a.im === 0) return { re: Math.sin(a.re), im: 0, error };
  return { re: Math.sin(a.re) * Math.cosh(a.im), im: Math.cos(a.re) * Math.sinh(a.im), error };
}

export function cosine(a: Complex): Complex {
  const error = trigonometricError(a);
  if (a.im === 0) return { re: Math.cos(a.re), im: 0, error };
  return { re: Math.cos(a.re) * Math.cosh(a.im), im: -Math.sin(a.re) * Math.sinh(a.im), error };
}

function trigonometricError(a: Complex): number {
  return (
    Math.cosh(Math.min(Math.abs(a.im) + a.error, 700)) * (a.error + EPSILON * (2 + Math.abs(a.re) + Math.abs(a.im)))
  );
}

/** Real and far enough from any doubt: the imaginary part is inside the error. */
export function isReal(a: Complex): boolean {
  return a.im === 0 || Math.abs(a.im) <= 4 * a.error;
}

export function isFiniteValue(a: Complex): boolean {
  return Number.isFinite(a.re) && Number.isFinite(a.im) && Number.isFinite(a.error);
}
