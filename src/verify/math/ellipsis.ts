/**
 * Ellipses between terms: the list 1, 2, ..., 10 is every number from 1 to 10, the sum 1 + 2 + ... + n is n (n + 1) / 2, and the
 * product n (n - 1) ... 1 is n!. Arithmetic progressions are read, from at least two terms that show the step; and other sums where the
 * last term, as a function of its letter, gives the first ones at whole numbers that follow each other: 1 + 4 + ... + n^2.
 */
import { type Budget, spend } from "./budget.ts";
import { exactValue } from "./exact.ts";
import {
  call,
  type Expression,
  freeSymbols,
  keyOf,
  negative,
  number,
  product,
  quotient,
  some,
  sum,
  symbol,
} from "./expression.ts";
import { add, compare, divide, isInteger, multiply, negate, ONE, type Rational, rational } from "./rational.ts";
import { substituted } from "./substitute.ts";

const MAX_FILLED = 100;

/**
 * The items with the numbers in the place of the ellipsis; where they are many, or the last is no number, as 1, 2, ..., n with two
 * items before it. The items themselves where they are no progression.
 */
export function withoutEllipsis(items: readonly Expression[]): readonly Expression[] {
  const at = items.findIndex(isEllipsis);
  if (at < 1 || at !== items.length - 2) return items;
  const before = items.slice(0, at).map(valueOfNumber);
  const last = valueOfNumber(items.at(-1)!);
  const [first] = before;
  if (first == null) return items;
  const second = before[1] ?? (before.length === 1 ? add(first, ONE) : null);
  if (second === null) return items;
  const step = add(second, negate(first));
  const isProgression = before.every((value, index) => value !== null && isTerm(value, first, step, index));
  if (step.numerator === 0n || !isProgression) return items;
  const short = [number(first), number(second), ...items.slice(-2)];
  if (last === null) return short;
  const count = divide(add(last, negate(first)), step);
  if (!isInteger(count) || count.numerator < BigInt(at)) return items;
  if (count.numerator > BigInt(MAX_FILLED)) return short;
  return Array.from({ length: Number(count.numerator) + 1 }, (_, index) =>
    number(add(first, multiply(step, rational(BigInt(index))))),
  );
}

/** 1 + 2 + ... + n in closed form; null where the terms are no such sum. */
export function closedSum(terms: readonly Expression[]): Expression | null {
  const found = progressionOf(terms);
  if (found === null) return null;
  const { first, last, step } = found;
  const count = sum([quotient(sum([last, negative(first)]), number(step)), number(1)]);
  return product([sum([first, last]), count, number(rational(1n, 2n))]);
}

/** 1 * 2 * ... * n, 1 * 3 * ... * (2n - 1) and n (n - 1) ... (n - k + 1) by factorials; null for other factors. */
export function closedProduct(factors: readonly Expression[]): Expression | null {
  const found = progressionOf(factors);
  if (found === null || found.step.denominator !== 1n) return null;
  const isFalling = found.step.numerator < 0n;
  const [low, high] = isFalling ? [found.last, found.first] : [found.first, found.last];
  const step = isFalling ? -found.step.numerator : found.step.numerator;
  const name = step === 1n ? "factorial" : step === 2n ? "doublefactorial" : null;
  if (name === null) return null;
  const below = sum([low, number(-step)]);
  const value = low.kind === "number" ? add(low.value, rational(-step)) : null;
  const isFirst = value !== null && value.numerator <= 0n;
  return isFirst ? call(name, high) : quotient(call(name, high), call(name, below));
}

interface Progression {
  readonly first: Expression;
  readonly last: Expression;
  readonly step: Rational;
}

/** Terms before one ellipsis and one behind it, neither of them a power or a function. */
function progressionOf(terms: readonly Expression[]): Progression | null {
  const at = terms.findIndex(isEllipsis);
  const [first, second] = terms;
  if (at < 2 || at !== terms.length - 2 || first === undefined || second === undefined) return null;
  const last = terms.at(-1)!;
  if (some(last, (part) => part.kind === "power" || part.kind === "call")) return null;
  const [start, next] = [valueOfNumber(first), valueOfNumber(second)];
  if (start !== null && next !== null) {
    const step = add(next, negate(start));
    const isProgression = terms.slice(0, at).every((term, index) => {
      const value = valueOfNumber(term);
      return value !== null && isTerm(value, start, step, index);
    });
    return isProgression && step.numerator !== 0n ? { first, last, step } : null;
  }
  // n (n - 1) ... 1
  const isFalling = terms.slice(1, at).every((term, index) => keyOf(term) === keyOf(sum([first, number(-1 - index)])));
  return isFalling ? { first, last, step: rational(-1n) } : null;
}

function isTerm(value: Rational, first: Rational, step: Rational, index: number): boolean {
  return compare(value, add(first, multiply(step, rational(BigInt(index))))) === 0;
}

function isEllipsis(node: Expression): boolean {
  return node.kind === "symbol" && node.name === "\u2026";
}

function valueOfNumber(node: Expression): Rational | null {
  return node.kind === "number" ? node.value : null;
}

/** From where the letter may start to count. */
const STARTS = [1, 0, 2, 3];

/** A sum or product with an ellipsis before its last term as a series; else the node. */
export function asSeries(node: Expression, budget: Budget): Expression {
  if (node.kind !== "sum" && node.kind !== "product") return node;
  const parts = node.kind === "sum" ? node.terms : node.factors;
  const at = parts.findIndex(isEllipsis);
  if (at < 2 || at === parts.length - 1) return node;
  const rest = parts.slice(at + 1);
  const last = node.kind === "sum" ? sum(rest) : product(rest);
  for (const name of freeSymbols(last)) {
    const start = STARTS.find((from) =>
      parts.slice(0, at).every((part, index) => {
        spend(budget, 10);
        const value = exactValue(substituted(last, name, number(from + index)), budget);
        const own = exactValue(part, budget);
        return value !== null && own !== null && compare(value, own) === 0;
      }),
    );
    if (start === undefined) continue;
    const variable = `${name}*`;
    const body = substituted(last, name, symbol(variable));
    return { kind: "series", name: node.kind, variable, from: number(start), to: symbol(name), body };
  }
  return node;
}
