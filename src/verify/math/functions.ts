/** The named functions of FUNCTIONS (vocabulary.ts) on complex numbers in double precision; null outside their domains. */
import {
  type Complex,
  complex,
  cosine,
  exp,
  isReal,
  log,
  magnitude,
  minus,
  over,
  plus,
  sine,
  squareRootOf,
  times,
} from "./complex.ts";

const I = complex(0, 1);
const ONE = complex(1);
const HALF = complex(0.5);

/** The value of a named function; null for a name without one, a wrong number of arguments, or a point outside its domain. */
export function callFunction(name: string, args: readonly Complex[]): Complex | null {
  const [a, b] = args;
  if (a === undefined) return null;
  if (args.length === 1) {
    const analytic = ANALYTIC[name];
    if (analytic !== undefined) return analytic(a);
  }
  switch (name) {
    case "abs":
      return complex(magnitude(a), 0, a.error + magnitude(a) * 2 ** -51);
    case "re":
      return complex(a.re, 0, a.error);
    case "im":
      return complex(a.im, 0, a.error);
    case "conj":
      return complex(a.re, -a.im, a.error);
    case "arg":
      return magnitude(a) <= 2 * a.error ? null : complex(Math.atan2(a.im, a.re), 0, a.error / magnitude(a) + 1e-15);
    case "sgn":
      return !isReal(a) || (a.re !== 0 && Math.abs(a.re) <= a.error) ? null : complex(Math.sign(a.re));
    case "floor":
    case "ceil":
      return rounding(a, name);
    case "max":
    case "min":
      return args.every(isReal)
        ? args.reduce((best, value) => (value.re > best.re === (name === "max") ? value : best))
        : null;
    case "log":
      return b === undefined ? null : logarithm(a, b);
    case "root":
      return b === undefined ? null : rootOf(a, b);
    case "mod": {
      const turns = b === undefined ? null : over(a, b);
      const whole = turns === null ? null : rounding(turns, "floor");
      return whole === null || b === undefined ? null : minus(a, times(b, whole));
    }
    case "gcd":
    case "lcm":
      return integersOf(args, name);
    case "binom":
    case "combinations":
      return b === undefined ? null : choose(a, b);
    case "permutations":
      return b === undefined ? null : ratio(gamma(plus(a, ONE)), gamma(plus(minus(a, b), ONE)));
    case "doublefactorial":
      return doubleFactorial(a);
    default:
      return null;
  }
}

const ANALYTIC: Readonly<Record<string, (a: Complex) => Complex | null>> = {
  sin: sine,
  cos: cosine,
  tan: (a) => over(sine(a), cosine(a)),
  cot: (a) => over(cosine(a), sine(a)),
  sec: (a) => over(ONE, cosine(a)),
  csc: (a) => over(ONE, sine(a)),
  sinh: (a) => times(HALF, minus(exp(a), exp(negated(a)))),
  cosh: (a) => times(HALF, plus(exp(a), exp(negated(a)))),
  tanh: (a) => over(minus(exp(a), exp(negated(a))), plus(exp(a), exp(negated(a)))),
  coth: (a) => over(plus(exp(a), exp(negated(a))), minus(exp(a), exp(negated(a)))),
  sech: (a) => over(complex(2), plus(exp(a), exp(negated(a)))),
  csch: (a) => over(complex(2), minus(exp(a), exp(negated(a)))),
  arcsin: (a) =>
    isReal(a) && Math.abs(a.re) < 1 ? real(Math.asin(a.re), a, 1 / Math.sqrt(1 - a.re ** 2)) : arcsine(a),
  arccos: (a) => {
    if (isReal(a) && Math.abs(a.re) < 1) return real(Math.acos(a.re), a, 1 / Math.sqrt(1 - a.re ** 2));
    const inverse = arcsine(a);
    return inverse === null ? null : minus(complex(Math.PI / 2), inverse);
  },
  arctan: arctangent,
  arccot: (a) => minus(complex(Math.PI / 2, 0, 1e-16), arctangent(a) ?? complex(Number.NaN)),
  arcsec: (a) => inverted(a, "arccos"),
  arccsc: (a) => inverted(a, "arcsin"),
  arcsinh: (a) => log(plus(a, squareRootOf(plus(times(a, a), ONE)))),
  arccosh: (a) => log(plus(a, times(squareRootOf(plus(a, ONE)), squareRootOf(minus(a, ONE))))),
  arctanh: (a) => {
    const up = log(plus(ONE, a));
    const down = log(minus(ONE, a));
    return up === null || down === null ? null : times(HALF, minus(up, down));
  },
  ln: log,
  factorial: (a) => gamma(plus(a, ONE)),
  gamma,
};

function negated(a: Complex): Complex {
  return complex(-a.re, -a.im, a.error);
}

function real(value: number, a: Complex, slope: number): Complex {
  return complex(value, 0, a.error * slope + Math.abs(value) * 2 ** -51);
}

function inverted(a: Complex, name: string): Complex | null {
  const reciprocal = over(ONE, a);
  return reciprocal === null ? null : (ANALYTIC[name]?.(reciprocal) ?? null);
}

/** -i ln(i a + sqrt(1 - a^2)). */
function arcsine(a: Complex): Complex | null {
  const inside = log(plus(times(I, a), squareRootOf(minus(ONE, times(a, a)))));
  return inside === null ? null : times(complex(0, -1), inside);
}

/** (i/2) (ln(1 - i a) - ln(1 + i a)). */
function arctangent(a: Complex): Complex | null {
  if (isReal(a)) return real(Math.atan(a.re), a, 1);
  const down = log(minus(ONE, times(I, a)));
  const up = log(plus(ONE, times(I, a)));
  return down === null || up === null ? null : times(complex(0, 0.5), minus(down, up));
}

function logarithm(a: Complex, base: Complex): Complex | null {
  const above = log(a);
  const below = log(base);
  return above === null || below === null ? null : over(above, below);
}

/** Odd roots of negative numbers are negative, as in school; every other root is the principal one. */
function rootOf(a: Complex, degree: Complex): Complex | null {
  if (!isReal(degree) || degree.re === 0) return null;
  if (magnitude(a) === 0) return a;
  const isNegative = isReal(a) && a.re < 0 && Number.isInteger(degree.re) && Math.abs(degree.re % 2) === 1;
  const exponent = log(isNegative ? complex(-a.re, 0, a.error) : a);
  const share = exponent === null ? null : over(exponent, degree);
  if (share === null) return null;
  return isNegative ? negated(exp(share)) : exp(share);
}

/** A value so close to a whole number that its error covers the distance is that number. */
function rounding(a: Complex, name: "floor" | "ceil"): Complex | null {
  if (!isReal(a) || Math.abs(a.re) > 2 ** 50) return null;
  const nearest = Math.round(a.re);
  if (Math.abs(a.re - nearest) <= 8 * a.error) return complex(nearest);
  return complex(name === "floor" ? Math.floor(a.re) : Math.ceil(a.re));
}

function wholeOf(a: Complex): number | null {
  const nearest = Math.round(a.re);
  return isReal(a) && Math.abs(nearest) < 2 ** 50 && Math.abs(a.re - nearest) <= 8 * a.error ? nearest : null;
}

function integersOf(args: readonly Complex[], name: "gcd" | "lcm"): Complex | null {
  let total: number | null = null;
  for (const arg of args) {
    const value = wholeOf(arg);
    if (value === null) return null;
    if (total === null) total = Math.abs(value);
    else {
      let [x, y]: [number, number] = [total, Math.abs(value)];
      const product: number = x * y;
      while (y !== 0) [x, y] = [y, x % y];
      total = name === "gcd" ? x : x === 0 ? 0 : product / x;
    }
  }
  return total === null || total > 2 ** 53 ? null : complex(total);
}

function ratio(a: Complex | null, b: Complex | null): Complex | null {
  return a === null || b === null ? null : over(a, b);
}

function choose(n: Complex, k: Complex): Complex | null {
  const whole = wholeOf(k);
  if (whole !== null && whole < 200) {
    let value = whole < 0 ? complex(0) : ONE;
    for (let i = 0; i < whole; i++) {
      const step = over(minus(n, complex(i)), complex(i + 1));
      value = step === null ? value : times(value, step);
    }
    return value;
  }
  const below = gamma(plus(k, ONE));
  const rest = gamma(plus(minus(n, k), ONE));
  return ratio(gamma(plus(n, ONE)), below === null || rest === null ? null : times(below, rest));
}

function doubleFactorial(a: Complex): Complex | null {
  const n = wholeOf(a);
  if (n === null || n < -1 || n > 300) return null;
  let value = ONE;
  for (let k = n; k > 1; k -= 2) value = times(value, complex(k));
  return value;
}

/** Lanczos' approximation with g = 7 and n = 9 (coefficients of Godfrey, 2001): relative error below 1e-14 for a positive real part. */
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

function gamma(a: Complex): Complex | null {
  const whole = wholeOf(a);
  if (whole !== null) {
    if (whole < 1 || whole > 171) return null;
    let value = ONE;
    for (let k = 2; k < whole; k++) value = times(value, complex(k));
    return value;
  }
  if (a.re < 0.5) {
    // Gamma(a) Gamma(1 - a) = pi / sin(pi a).
    const mirror = gamma(minus(ONE, a));
    return mirror === null ? null : over(complex(Math.PI), times(sine(times(complex(Math.PI), a)), mirror));
  }
  const z = minus(a, ONE);
  let series = complex(LANCZOS[0]!);
  for (let i = 1; i < LANCZOS.length; i++) {
    const term = over(complex(LANCZOS[i]!), plus(z, complex(i)));
    if (term === null) return null;
    series = plus(series, term);
  }
  const t = plus(z, complex(7.5));
  const logT = log(t);
  if (logT === null) return null;
  const value = times(exp(minus(times(plus(z, HALF), logT), t)), times(complex(Math.sqrt(2 * Math.PI)), series));
  return complex(value.re, value.im, value.error + magnitude(value) * 1e-13);
}
