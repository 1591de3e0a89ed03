/**
 * Identity of rational functions by exact arithmetic at a random point of a finite field.
 *
 * An expression made of fractions, symbols, + - * /, whole powers, i, pi, e and square roots of whole numbers with prime factors
 * up to 47 maps to a field of p elements, p of 91 bits, by sending each symbol to a random element and i and each root to a root
 * modulo p. The map keeps + - * /, so equal expressions agree at every point. Different ones of degree d agree at a random point
 * with probability at most d/p (Schwartz 1980, Zippel 1979) plus the chance that p divides what would tell them apart; two
 * points over two primes leave less than 1e-40 at the degrees that fit into the length limit, and 1e-24 at powers of 1e6.
 *
 * The primes are 1 modulo 8 and modulo every odd prime up to 47, so that -1 and all these primes are squares.
 */
import type { Random } from "../../random.ts";
import { type Budget, LimitReached, spend } from "./budget.ts";
import { exactValue } from "./exact.ts";
import { type Expression, keyOf } from "./expression.ts";
import { isInteger, type Rational } from "./rational.ts";

const PRIMES = [2266253231199041693954184841n, 1448435675431789452997789201n] as const;
const SMALL_PRIMES = [2n, 3n, 5n, 7n, 11n, 13n, 17n, 19n, 23n, 29n, 31n, 37n, 41n, 43n, 47n] as const;
const MAX_EXPONENT_BITS = 512;

/**
 * true for the same function of the parts that the field knows and of those that it does not: both sides hold e^x, sin(x), cbrt(5)
 * as unknowns of their own, one for each function and value of its arguments. false where no unknown entered, or where the
 * difference is a constant other than 0: certain. null where the unknowns would have to be known.
 */
export function isSameRationalFunction(a: Expression, b: Expression, random: Random, budget: Budget): boolean | null {
  for (const prime of PRIMES) {
    const first = differenceAt(a, b, prime, random, budget);
    if (first === null) return null;
    if (first.value === 0n) continue;
    if (!first.hasUnknowns) return false;
    const second = differenceAt(a, b, prime, random, budget);
    return second !== null && second.value === first.value ? false : null;
  }
  return true;
}

/** a - b at a random point that is a pole of neither; null where three points were poles, or a part has no place in a field. */
function differenceAt(
  a: Expression,
  b: Expression,
  prime: bigint,
  random: Random,
  budget: Budget,
): { value: bigint; hasUnknowns: boolean } | null {
  for (let attempt = 0; attempt < 3; attempt++) {
    const point: Point = { prime, symbols: new Map(), random, budget, hasUnknowns: false };
    const left = valueAt(a, point);
    const right = left === null ? null : valueAt(b, point);
    if (left === null || right === null) return null;
    // A pole at this point says nothing about others.
    if (left === "pole" || right === "pole") continue;
    return { value: (left - right + prime) % prime, hasUnknowns: point.hasUnknowns };
  }
  return null;
}

interface Point {
  readonly prime: bigint;
  readonly symbols: Map<string, bigint>;
  readonly random: Random;
  readonly budget: Budget;
  /** Set once a part was taken for an unknown. */
  hasUnknowns: boolean;
}

function valueAt(node: Expression, point: Point): bigint | "pole" | null {
  spend(point.budget);
  const { prime } = point;
  switch (node.kind) {
    case "number":
      return ofRational(node.value, prime);
    case "symbol":
      return elementOf(node.name, point);
    case "constant":
      if (node.name === "infinity") return null;
      return node.name === "i" ? squareRootOf(prime - 1n, prime) : elementOf(`#${node.name}`, point);
    case "percent":
    case "degrees": {
      const value = valueAt(node.value, point);
      if (typeof value !== "bigint") return value;
      const share = node.kind === "percent" ? inverse(100n, prime) : elementOf("#pi", point) * inverse(180n, prime);
      return (value * share) % prime;
    }
    case "sum":
      return foldAt(node.terms, 0n, (x, y) => (x + y) % prime, point);
    case "product":
      return foldAt(node.factors, 1n, (x, y) => (x * y) % prime, point);
    case "power":
      return powerAt(node.base, node.exponent, point);
    case "call": {
      const value = node.known ? exactValue(node, point.budget) : null;
      return value === null ? unknown(node.name, node.args, point) : ofRational(value, prime);
    }
    case "series": {
      const value = node.name === "integral" ? null : exactValue(node, point.budget);
      return value === null ? unknown(keyOf(node), [], point) : ofRational(value, prime);
    }
    default:
      return null;
  }
}

/** The element that stands for a function at these arguments: equal arguments give the same one, however they are written. */
function unknown(name: string, args: readonly Expression[], point: Point): bigint | "pole" | null {
  const values: bigint[] = [];
  for (const arg of args) {
    const value = valueAt(arg, point);
    if (typeof value !== "bigint") return value;
    values.push(value);
  }
  point.hasUnknowns = true;
  return elementOf(`${name}(${values.join()})`, point);
}

function foldAt(
  parts: readonly Expression[],
  start: bigint,
  combine: (x: bigint, y: bigint) => bigint,
  point: Point,
): bigint | "pole" | null {
  let total: bigint | "pole" = start;
  for (const part of parts) {
    const value = valueAt(part, point);
    if (value === null) return null;
    if (total === "pole" || value === "pole") total = "pole";
    else total = combine(total, value);
  }
  return total;
}

function powerAt(base: Expression, exponent: Expression, point: Point): bigint | "pole" | null {
  const { prime, budget } = point;
  const times = exactValue(exponent, budget);
  if (times === null) return unknown("power", [base, exponent], point);
  if (!isInteger(times)) {
    const radicand = times.denominator === 2n ? exactValue(base, budget) : null;
    const root = radicand === null ? null : rootOfRational(radicand, prime);
    // The n-th root is the unknown, so that its powers are related.
    const found = root ?? unknown(`root ${times.denominator}`, [base], point);
    return typeof found === "bigint" ? raise(found, times.numerator, prime) : found;
  }
  const value = valueAt(base, point);
  if (typeof value !== "bigint") return value;
  spend(budget, 40);
  return raise(value, times.numerator, prime);
}

function raise(base: bigint, exponent: bigint, prime: bigint): bigint | "pole" {
  if (exponent < 0n) return base === 0n ? "pole" : modularPower(inverse(base, prime), -exponent, prime);
  return modularPower(base, exponent, prime);
}

/** The square root of a fraction whose numerator and denominator have small primes only; null for any other. */
function rootOfRational({ numerator, denominator }: Rational, prime: bigint): bigint | null {
  const above = rootOfInteger(numerator, prime);
  const below = above === null ? null : rootOfInteger(denominator, prime);
  return above === null || below === null || below === 0n ? null : (above * inverse(below, prime)) % prime;
}

function rootOfInteger(value: bigint, prime: bigint): bigint | null {
  if (value === 0n) return 0n;
  let rest = value < 0n ? -value : value;
  if (rest > 1n << 256n) return null;
  let root = value < 0n ? squareRootOf(prime - 1n, prime) : 1n;
  for (const q of SMALL_PRIMES) {
    let count = 0n;
    for (; rest % q === 0n; count++) rest /= q;
    if (count === 0n) continue;
    root = (root * modularPower(q, count / 2n, prime)) % prime;
    if (count % 2n === 1n) root = (root * squareRootOf(q, prime)) % prime;
  }
  return rest === 1n ? root : null;
}

const ROOTS = new Map<string, bigint>();

/** A square root modulo p (Tonelli and Shanks), always the same one, so that products of roots are roots of products. */
function squareRootOf(value: bigint, prime: bigint): bigint {
  const key = `${value}/${prime}`;
  const known = ROOTS.get(key);
  if (known !== undefined) return known;
  let odd = prime - 1n;
  let twos = 0;
  for (; odd % 2n === 0n; twos++) odd /= 2n;
  let nonResidue = 2n;
  while (modularPower(nonResidue, (prime - 1n) / 2n, prime) === 1n) nonResidue++;
  let generator = modularPower(nonResidue, odd, prime);
  let root = modularPower(value, (odd + 1n) / 2n, prime);
  let rest = modularPower(value, odd, prime);
  for (let level = twos; rest !== 1n; ) {
    let order = 0;
    for (let square = rest; square !== 1n; order++) square = (square * square) % prime;
    for (let i = 0; i < level - order - 1; i++) generator = (generator * generator) % prime;
    root = (root * generator) % prime;
    generator = (generator * generator) % prime;
    rest = (rest * generator) % prime;
    level = order;
  }
  ROOTS.set(key, root);
  return root;
}

function ofRational({ numerator, denominator }: Rational, prime: bigint): bigint | "pole" {
  const above = ((numerator % prime) + prime) % prime;
  if (denominator === 1n) return above;
  const below = denominator % prime;
  return below === 0n ? "pole" : (above * inverse(below, prime)) % prime;
}

function elementOf(name: string, point: Point): bigint {
  const known = point.symbols.get(name);
  if (known !== undefined) return known;
  let value = 0n;
  for (let word = 0; word < 3; word++) value = (value << 32n) | BigInt(point.random.below(2 ** 32));
  value %= point.prime;
  point.symbols.set(name, value);
  return value;
}

/** By Euclid; value not 0 modulo p. */
function inverse(value: bigint, prime: bigint): bigint {
  let [r0, r1] = [prime, value % prime];
  let [t0, t1] = [0n, 1n];
  while (r1 !== 0n) {
    const quotient = r0 / r1;
    [r0, r1] = [r1, r0 - quotient * r1];
    [t0, t1] = [t1, t0 - quotient * t1];
  }
  return ((t0 % prime) + prime) % prime;
}

function modularPower(base: bigint, exponent: bigint, prime: bigint): bigint {
  if (exponent >> BigInt(MAX_EXPONENT_BITS) > 0n) throw new LimitReached("digits");
  let result = 1n;
  let square = base % prime;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % prime;
    square = (square * square) % prime;
  }
  return result;
}
