/**
 * Definite integrals by the double exponential rule (Takahasi and Mori 1974): x = tanh(pi/2 sinh t), halving the step until two
 * levels agree. Infinite ranges are mapped with x = sinh(pi/2 sinh t), half-infinite ones with x = a + exp(pi/2 sinh t).
 *
 * Where that does not settle, as at the corner of |sin x|, and around other integrals, where it costs too much: the rule of Gauss and
 * Kronrod with 7 and 15 points (Piessens et al., QUADPACK 1983), halving the part of the largest error.
 */
import { type Complex, complex, isFiniteValue, magnitude, plus, times } from "./complex.ts";

const MAX_LEVELS = 7;
const LIMIT = 3.6;

/**
 * null where the values do not settle to ten digits. `f` gives null where it is undefined; such points count as zero. `isCostly`: the
 * values are integrals themselves.
 */
export function integrate(
  f: (x: number) => Complex | null,
  from: number,
  to: number,
  isCostly = false,
): Complex | null {
  if (from === to) return complex(0);
  if (from > to) {
    const reversed = integrate(f, to, from, isCostly);
    return reversed === null ? null : complex(-reversed.re, -reversed.im, reversed.error);
  }
  const isBounded = Number.isFinite(from) && Number.isFinite(to);
  if (isCostly) return isBounded ? byHalves(f, [from, from + 0.4371 * (to - from), to]) : null;
  const cuts = [0, 0.21, 0.4371, 0.77, 1].map((share) => from + share * (to - from));
  return doubleExponential(f, from, to) ?? (isBounded ? byHalves(f, cuts) : null);
}

/** Points of Kronrod's rule from the end to the middle, their weights, and those of Gauss' rule at every second one. */
const POINTS = [
  0.9914553711208126, 0.9491079123427585, 0.8648644233597691, 0.7415311855993945, 0.5860872354676911,
  0.4058451513773972, 0.20778495500789848, 0,
];
const WEIGHTS = [
  0.022935322010529224, 0.06309209262997856, 0.10479001032225019, 0.14065325971552592, 0.1690047266392679,
  0.19035057806478542, 0.20443294007529889, 0.20948214108472782,
];
const GAUSS_WEIGHTS = [0.1294849661688697, 0.27970539148927664, 0.3818300505051189, 0.4179591836734694];
const MAX_PARTS = 120;

interface Part {
  readonly from: number;
  readonly to: number;
  readonly value: Complex;
  /** The distance of the two rules. */
  readonly apart: number;
}

function byHalves(f: (x: number) => Complex | null, cuts: readonly number[]): Complex | null {
  const parts: Part[] = [];
  for (const [index, from] of cuts.slice(0, -1).entries()) {
    const part = partOf(f, from, cuts[index + 1]!);
    if (part === null) return null;
    parts.push(part);
  }
  while (parts.length < MAX_PARTS) {
    const total = parts.reduce((value, part) => plus(value, part.value), complex(0));
    const apart = parts.reduce((distance, part) => distance + part.apart, 0);
    const size = Math.max(magnitude(total), 1e-3);
    // At a corner the two rules may by chance be closer to each other than to the truth.
    if (apart <= 2e-12 * size) return complex(total.re, total.im, total.error + 100 * apart + 1e-12 * size);
    const worst = parts.reduce((best, part, index) => (part.apart > parts[best]!.apart ? index : best), 0);
    const { from, to } = parts[worst]!;
    const middle = (from + to) / 2;
    const [left, right] = [partOf(f, from, middle), partOf(f, middle, to)];
    if (left === null || right === null) return null;
    parts.splice(worst, 1, left, right);
  }
  return null;
}

/** null where `f` is undefined at one of the points. */
function partOf(f: (x: number) => Complex | null, from: number, to: number): Part | null {
  const [middle, half] = [(from + to) / 2, (to - from) / 2];
  let [kronrod, gauss] = [complex(0), complex(0)];
  for (const [index, point] of POINTS.entries()) {
    for (const side of point === 0 ? [1] : [-1, 1]) {
      const value = f(middle + side * half * point);
      if (value === null || !isFiniteValue(value)) return null;
      kronrod = plus(kronrod, times(value, complex(WEIGHTS[index]! * half)));
      if (index % 2 === 1) gauss = plus(gauss, times(value, complex(GAUSS_WEIGHTS[index >> 1]! * half)));
    }
  }
  return { from, to, value: kronrod, apart: magnitude(complex(kronrod.re - gauss.re, kronrod.im - gauss.im)) };
}

function doubleExponential(f: (x: number) => Complex | null, from: number, to: number): Complex | null {
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
