/**
 * Definite integrals by the double exponential rule (Takahasi and Mori 1974): x = tanh(pi/2 sinh t), halving the step until two
 * levels agree. Infinite ranges are mapped with x = sinh(pi/2 sinh t), half-infinite ones with x = a + exp(pi/2 sinh t).
 */
import { type Complex, complex, isFiniteValue, magnitude, plus, times } from "./complex.ts";

const MAX_LEVELS = 7;
const LIMIT = 3.6;

/** null where the values do not settle to ten digits. `f` gives null where it is undefined; such points count as zero. */
export function integrate(f: (x: number) => Complex | null, from: number, to: number): Complex | null {
  if (from === to) return complex(0);
  if (from > to) {
    const reversed = integrate(f, to, from);
    return reversed === null ? null : complex(-reversed.re, -reversed.im, reversed.error);
  }
  const map = mapping(from, to);
  let total = complex(0);
  let previous: Complex | null = null;
  for (let level = 1; level <= MAX_LEVELS; level++) {
    const step = 2 ** -level;
    // Each level adds the points between those of the level before.
    const first = level === 1 ? -Math.floor(LIMIT / step) : -Math.floor(LIMIT / step) | 1;
    for (let k = first; k * step <= LIMIT; k += level === 1 ? 1 : 2) {
      const { x, weight } = map(k * step);
      const value = Number.isFinite(x) && weight > 0 && Number.isFinite(weight) ? f(x) : null;
      if (value === null || !isFiniteValue(value)) continue;
      total = plus(total, times(value, complex(weight)));
    }
    const estimate = times(total, complex(step));
    if (previous !== null && level > 3) {
      const change = magnitude(complex(estimate.re - previous.re, estimate.im - previous.im));
      const size = Math.max(magnitude(estimate), 1e-3);
      if (change <= 1e-10 * size) return complex(estimate.re, estimate.im, estimate.error + 4 * change + 1e-12 * size);
    }
    previous = estimate;
  }
  return null;
}

type Mapping = (t: number) => { readonly x: number; readonly weight: number };

function mapping(from: number, to: number): Mapping {
  if (Number.isFinite(from) && Number.isFinite(to)) {
    const half = (to - from) / 2;
    return (t) => {
      const u = (Math.PI / 2) * Math.sinh(t);
      const slope = ((Math.PI / 2) * Math.cosh(t)) / Math.cosh(u) ** 2;
      // From the nearer end, so that points close to it keep their digits.
      const x = u < 0 ? from + (2 * half) / (1 + Math.exp(-2 * u)) : to - (2 * half) / (1 + Math.exp(2 * u));
      return { x, weight: x > from && x < to ? half * slope : 0 };
    };
  }
  if (!Number.isFinite(from) && !Number.isFinite(to)) {
    return (t) => {
      const u = (Math.PI / 2) * Math.sinh(t);
      return { x: Math.sinh(u), weight: Math.cosh(u) * (Math.PI / 2) * Math.cosh(t) };
    };
  }
  const isUpper = Number.isFinite(from);
  return (t) => {
    const u = (Math.PI / 2) * Math.sinh(t);
    const distance = Math.exp(u);
    return { x: isUpper ? from + distance : to - distance, weight: distance * (Math.PI / 2) * Math.cosh(t) };
  };
}
