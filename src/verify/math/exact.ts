/** The exact value of a constant expression as a fraction, where it has one that can be found without approximation. */
import { type Budget, LimitReached, spend } from "./budget.ts";
import type { Expression, Of } from "./expression.ts";
import {
  add,
  bitLength,
  compare,
  divide,
  floor,
  gcd,
  isInteger,
  multiply,
  negate,
  ONE,
  power,
  type Rational,
  rational,
  root,
  ZERO,
} from "./rational.ts";

/** The most terms of a sum, and the largest n of n!, that are worked out. */
const MAX_TERMS = 2_000;
const MAX_FACTORIAL = 3_000n;

/** The values of bound variables: the index of a sum. */
export type Bindings = ReadonlyMap<string, Rational>;

/** null where the value is irrational, too large, or depends on a symbol; throws LimitReached when the budget ends. */
export function exactValue(node: Expression, budget: Budget, bindings: Bindings = new Map()): Rational | null {
  try {
    return exactOf(node, budget, bindings);
  } catch (error) {
    if (error instanceof LimitReached && error.what !== "steps") return null;
    throw error;
  }
}

function exactOf(node: Expression, budget: Budget, bindings: Bindings): Rational | null {
  spend(budget);
  switch (node.kind) {
    case "number":
      return node.value;
    case "symbol":
      return bindings.get(node.name) ?? null;
    case "percent": {
      const value = exactOf(node.value, budget, bindings);
      return value === null ? null : divide(value, rational(100n));
    }
    case "sum":
      return fold(node.terms, ZERO, add, budget, bindings);
    case "product":
      return fold(node.factors, ONE, multiply, budget, bindings);
    case "power":
      return powerValue(node, budget, bindings);
    case "call":
      return node.known ? callValue(node, budget, bindings) : null;
    case "series":
      return node.name === "integral" ? null : seriesValue(node, budget, bindings);
    default:
      return null;
  }
}

function fold(
  parts: readonly Expression[],
  start: Rational,
  combine: (a: Rational, b: Rational) => Rational,
  budget: Budget,
  bindings: Bindings,
): Rational | null {
  let total = start;
  for (const part of parts) {
    const value = exactOf(part, budget, bindings);
    if (value === null) return null;
    total = combine(total, value);
    charge(budget, total);
  }
  return total;
}

function bitsOf({ numerator, denominator }: Rational): number {
  return bitLength(numerator) + bitLength(denominator);
}

/** The common divisor of two large numbers is what fractions cost: quadratic in their bits. */
function charge(budget: Budget, value: Rational): void {
  const bits = bitsOf(value);
  if (bits > 256) spend(budget, Math.ceil((bits / 256) ** 2));
}

function powerValue(node: Of<"power">, budget: Budget, bindings: Bindings): Rational | null {
  const exponent = exactOf(node.exponent, budget, bindings);
  if (exponent === null) return null;
  const base = exactOf(node.base, budget, bindings);
  if (base === null) return null;
  if (isInteger(exponent)) {
    const value = power(base, exponent.numerator);
    charge(budget, value);
    return value;
  }
  if (base.numerator < 0n || exponent.denominator > 64n) return null;
  const exact = root(base, exponent.denominator);
  charge(budget, base);
  return exact === null ? null : power(exact, exponent.numerator);
}

function seriesValue(node: Of<"series">, budget: Budget, bindings: Bindings): Rational | null {
  const from = exactOf(node.from, budget, bindings);
  const to = exactOf(node.to, budget, bindings);
  if (from === null || to === null || !isInteger(from) || !isInteger(to)) return null;
  if (to.numerator - from.numerator >= BigInt(MAX_TERMS)) throw new LimitReached("terms");
  let total = node.name === "sum" ? ZERO : ONE;
  for (let index = from.numerator; index <= to.numerator; index++) {
    const value = exactOf(node.body, budget, new Map([...bindings, [node.variable, rational(index)]]));
    if (value === null) return null;
    total = node.name === "sum" ? add(total, value) : multiply(total, value);
    charge(budget, total);
  }
  return total;
}

function callValue(node: Of<"call">, budget: Budget, bindings: Bindings): Rational | null {
  const values: Rational[] = [];
  for (const arg of node.args) {
    const value = exactOf(arg, budget, bindings);
    if (value === null) return null;
    values.push(value);
  }
  return exactCall(node.name, values, budget);
}

/** A named function of fractions; null where its value is no fraction or its arguments are none of its own. */
export function exactCall(name: string, values: readonly Rational[], budget: Budget): Rational | null {
  const [a, b] = values;
  if (a === undefined) return null;
  switch (name) {
    case "abs":
      return a.numerator < 0n ? negate(a) : a;
    case "sgn":
      return rational(a.numerator < 0n ? -1n : a.numerator > 0n ? 1n : 0n);
    case "re":
    case "conj":
      return a;
    case "im":
      return ZERO;
    case "floor":
      return rational(floor(a));
    case "ceil":
      return rational(-floor(negate(a)));
    case "max":
    case "min":
      return values.reduce((best, value) => (compare(value, best) > 0 === (name === "max") ? value : best));
    case "gcd":
    case "lcm":
      return values.every(isInteger)
        ? rational(values.map((v) => v.numerator).reduce(name === "gcd" ? gcd : lcm))
        : null;
    case "factorial":
    case "doublefactorial":
      return factorial(a, name === "factorial" ? 1n : 2n, budget);
    case "binom":
    case "combinations":
      return b === undefined ? null : binomial(a, b, budget);
    case "permutations":
      return b === undefined || !isInteger(a) || !isInteger(b) || b.numerator < 0n || b.numerator > MAX_FACTORIAL
        ? null
        : fallingFactorial(a.numerator, b.numerator, budget);
    case "mod":
      if (b === undefined || b.numerator === 0n) return null;
      return add(a, negate(multiply(b, rational(floor(divide(a, b))))));
    case "root":
      return b === undefined ? null : rootValue(a, b);
    case "log":
      return b === undefined ? null : logarithm(a, b, budget);
    case "ln":
      return a.numerator === a.denominator ? ZERO : null;
    default:
      return null;
  }
}

function lcm(a: bigint, b: bigint): bigint {
  if (a === 0n || b === 0n) return 0n;
  const least = (a / gcd(a, b)) * b;
  return least < 0n ? -least : least;
}

/** n (n - step) (n - 2 step) … */
function factorial(n: Rational, step: bigint, budget: Budget): Rational | null {
  if (!isInteger(n) || n.numerator < 0n) return null;
  if (n.numerator > MAX_FACTORIAL) throw new LimitReached("digits");
  let value = 1n;
  for (let k = n.numerator; k > 1n; k -= step) value *= k;
  spend(budget, Number(n.numerator));
  return rational(value);
}

function fallingFactorial(n: bigint, k: bigint, budget: Budget): Rational {
  let value = 1n;
  for (let i = 0n; i < k; i++) value *= n - i;
  spend(budget, Number(k));
  return rational(value);
}

function binomial(n: Rational, k: Rational, budget: Budget): Rational | null {
  if (!isInteger(n) || !isInteger(k)) return null;
  const isComplete = n.numerator >= 0n && 2n * k.numerator > n.numerator;
  const small = isComplete ? n.numerator - k.numerator : k.numerator;
  if (small < 0n) return ZERO;
  if (small > MAX_FACTORIAL) throw new LimitReached("digits");
  const below = fallingFactorial(small, small, budget);
  return divide(fallingFactorial(n.numerator, small, budget), below);
}

/** Odd roots of negative numbers are negative, as in school. */
function rootValue(a: Rational, degree: Rational): Rational | null {
  if (!isInteger(degree) || degree.numerator < 1n || degree.numerator > 64n) return null;
  if (a.numerator >= 0n) return root(a, degree.numerator);
  if (degree.numerator % 2n === 0n) return null;
  const positive = root(negate(a), degree.numerator);
  return positive === null ? null : negate(positive);
}

/** log_b a where both are powers of one fraction: log_4 8 = 3/2. */
function logarithm(a: Rational, b: Rational, budget: Budget): Rational | null {
  if (a.numerator <= 0n || b.numerator <= 0n || compare(b, ONE) === 0) return null;
  const sign = compare(a, ONE) < 0 === compare(b, ONE) < 0 ? 1n : -1n;
  let x = compare(a, ONE) < 0 ? divide(ONE, a) : a;
  let z = compare(b, ONE) < 0 ? divide(ONE, b) : b;
  // Powers of one fraction shrink on the way; anything else grows.
  const limit = Math.max(bitsOf(x), bitsOf(z)) + 2;
  // Euclid on the exponents: log_z x = count + log_z (x / z^count), and log_z x = 1 / log_x z.
  const quotients: bigint[] = [];
  while (quotients.length < MAX_LOGARITHM_ROUNDS) {
    let count = 0n;
    for (; compare(x, z) >= 0; count++) {
      if (count > MAX_LOGARITHM_STEPS || bitsOf(x) > limit) return null;
      spend(budget, 2 + Math.ceil(bitsOf(x) / 256));
      x = divide(x, z);
    }
    quotients.push(count);
    if (compare(x, ONE) === 0) {
      const value = quotients.reduceRight((tail: Rational | null, q) => {
        return tail === null ? rational(q) : add(rational(q), divide(ONE, tail));
      }, null);
      return value === null ? null : rational(sign * value.numerator, value.denominator);
    }
    [x, z] = [z, x];
  }
  return null;
}

const MAX_LOGARITHM_ROUNDS = 12;
const MAX_LOGARITHM_STEPS = 400n;
