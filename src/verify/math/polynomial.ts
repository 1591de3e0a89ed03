/** Polynomials and quotients of polynomials in one symbol: their coefficients and real roots, as expressions. */

import { type Budget, spend } from "./budget.ts";
import { isReal } from "./complex.ts";
import { evaluate } from "./evaluate.ts";
import { exactValue } from "./exact.ts";
import {
  difference,
  type Expression,
  freeSymbols,
  negative,
  number,
  product,
  quotient,
  squareRoot,
  sum,
} from "./expression.ts";
import { add, bitLength, isInteger, multiply, type Rational, rational, ZERO } from "./rational.ts";

/** Coefficients from the constant up. */
export type Polynomial = readonly Expression[];

/** numerator / denominator. */
export interface Fraction {
  readonly numerator: Polynomial;
  readonly denominator: Polynomial;
}

const MAX_DEGREE = 8;
const UNIT: Polynomial = [number(1)];

/** null where the expression is no quotient of polynomials in `name` of degree up to 8. */
export function fractionIn(node: Expression, name: string, budget: Budget): Fraction | null {
  spend(budget, 4);
  if (!freeSymbols(node).has(name)) return { numerator: [node], denominator: UNIT };
  switch (node.kind) {
    case "symbol":
      return { numerator: [number(0), number(1)], denominator: UNIT };
    case "sum":
      return combine(node.terms, name, budget, (a, b) => ({
        numerator: plus(times(a.numerator, b.denominator), times(b.numerator, a.denominator)),
        denominator: times(a.denominator, b.denominator),
      }));
    case "product":
      return combine(node.factors, name, budget, (a, b) => ({
        numerator: times(a.numerator, b.numerator),
        denominator: times(a.denominator, b.denominator),
      }));
    case "power": {
      const exponent = node.exponent.kind === "number" ? node.exponent.value : null;
      const base = fractionIn(node.base, name, budget);
      if (base === null || exponent === null || !isInteger(exponent)) return null;
      const count = Number(exponent.numerator);
      if (Math.abs(count) > MAX_DEGREE) return null;
      let result: Fraction = { numerator: UNIT, denominator: UNIT };
      for (let i = 0; i < Math.abs(count); i++) {
        result = {
          numerator: times(result.numerator, base.numerator),
          denominator: times(result.denominator, base.denominator),
        };
        if (isTooLarge(result)) return null;
      }
      return count < 0 ? { numerator: result.denominator, denominator: result.numerator } : result;
    }
    default:
      return null;
  }
}

function combine(
  parts: readonly Expression[],
  name: string,
  budget: Budget,
  join: (a: Fraction, b: Fraction) => Fraction,
): Fraction | null {
  let total: Fraction | null = null;
  for (const part of parts) {
    const next = fractionIn(part, name, budget);
    if (next === null) return null;
    total = total === null ? next : join(total, next);
    if (isTooLarge(total)) return null;
  }
  return total;
}

function isTooLarge({ numerator, denominator }: Fraction): boolean {
  return numerator.length > MAX_DEGREE + 1 || denominator.length > MAX_DEGREE + 1;
}

function plus(a: Polynomial, b: Polynomial): Polynomial {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, k) => {
    const [x, y] = [a[k], b[k]];
    return x === undefined ? y! : y === undefined ? x : folded(sum([x, y]));
  });
}

function times(a: Polynomial, b: Polynomial): Polynomial {
  const terms: Expression[][] = Array.from({ length: a.length + b.length - 1 }, () => []);
  a.forEach((x, i) => {
    b.forEach((y, j) => {
      terms[i + j]!.push(folded(product([x, y])));
    });
  });
  return terms.map((parts) => folded(sum(parts)));
}

/** Fractions are added and multiplied at once, so that coefficients stay small. */
function folded(node: Expression): Expression {
  const parts = node.kind === "sum" ? node.terms : node.kind === "product" ? node.factors : null;
  if (parts === null) return node;
  const isSum = node.kind === "sum";
  let total = isSum ? ZERO : rational(1n);
  for (const part of parts) {
    if (part.kind !== "number") return node;
    total = isSum ? add(total, part.value) : multiply(total, part.value);
  }
  return number(total);
}

/** The distinct real roots; null where they cannot be written down, [] also for a constant. */
export function realRoots(polynomial: Polynomial, budget: Budget): readonly Expression[] | null {
  spend(budget, 20);
  const trimmed = [...polynomial];
  while (trimmed.length > 0 && isZero(trimmed.at(-1)!, budget)) trimmed.pop();
  if (trimmed.length <= 1) return [];
  const [c, b, a] = trimmed;
  if (trimmed.length === 2) return [quotient(negative(c!), b!)];
  if (trimmed.length === 3) return quadraticRoots(a!, b!, c!, budget);
  if (isZero(c!, budget)) {
    const rest = realRoots(trimmed.slice(1), budget);
    return rest === null ? null : [number(0), ...rest];
  }
  return rationalRootFirst(trimmed, budget);
}

function quadraticRoots(a: Expression, b: Expression, c: Expression, budget: Budget): readonly Expression[] | null {
  const discriminant = difference(product([b, b]), product([number(4), a, c]));
  const sign = signOf(discriminant, budget);
  if (sign === null) return null;
  if (sign < 0) return [];
  const twice = product([number(2), a]);
  if (sign === 0) return [quotient(negative(b), twice)];
  const root = squareRoot(exactOr(discriminant, budget));
  return [quotient(difference(root, b), twice), quotient(negative(sum([root, b])), twice)];
}

function exactOr(node: Expression, budget: Budget): Expression {
  const exact = exactValue(node, budget);
  return exact === null ? node : number(exact);
}

/** Candidates for rational roots divide the ends of the integer polynomial; one found, the rest has a degree less. */
function rationalRootFirst(polynomial: Polynomial, budget: Budget): readonly Expression[] | null {
  const exact: Rational[] = [];
  for (const coefficient of polynomial) {
    const value = exactValue(coefficient, budget);
    if (value === null) return null;
    exact.push(value);
  }
  const scale = exact.reduce((least, { denominator }) => least * denominator, 1n);
  const whole = exact.map(({ numerator, denominator }) => (numerator * scale) / denominator);
  if (whole.some((value) => bitLength(value) > 40)) return null;
  for (const p of smallDivisors(whole[0]!, budget)) {
    for (const q of smallDivisors(whole.at(-1)!, budget)) {
      for (const numerator of [p, -p]) {
        spend(budget);
        const candidate = rational(numerator, q);
        const [remainder, rest] = divideByRoot(exact, candidate);
        if (remainder.numerator !== 0n) continue;
        const others = realRoots(
          rest.map((value) => number(value)),
          budget,
        );
        return others === null ? null : [number(candidate), ...others];
      }
    }
  }
  return null;
}

const MAX_DIVISOR = 1_000n;

function smallDivisors(value: bigint, budget: Budget): bigint[] {
  const size = value < 0n ? -value : value;
  const found: bigint[] = [];
  for (let d = 1n; d <= size && d <= MAX_DIVISOR; d++) if (size % d === 0n) found.push(d);
  spend(budget, found.length + 20);
  return found;
}

/** Horner: the value at the root, and the coefficients of the quotient. */
function divideByRoot(polynomial: readonly Rational[], root: Rational): readonly [Rational, Rational[]] {
  const rest: Rational[] = [];
  let carry = ZERO;
  for (let k = polynomial.length - 1; k >= 0; k--) {
    if (k < polynomial.length - 1) rest.unshift(carry);
    carry = add(multiply(carry, root), polynomial[k]!);
  }
  return [carry, rest];
}

function isZero(node: Expression, budget: Budget): boolean {
  return signOf(node, budget) === 0;
}

/** -1, 0 or 1; null where the constant is not real or has symbols. Within the error bound of doubles a value counts as 0. */
export function signOf(node: Expression, budget: Budget): number | null {
  const exact = exactValue(node, budget);
  if (exact !== null) return exact.numerator < 0n ? -1 : exact.numerator > 0n ? 1 : 0;
  const value = evaluate(node, { symbols: new Map(), budget });
  if (value === null || !isReal(value)) return null;
  return Math.abs(value.re) <= 4 * value.error ? 0 : Math.sign(value.re);
}
