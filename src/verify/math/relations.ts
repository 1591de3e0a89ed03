/**
 * Do two relations say the same? Inequalities in one symbol by their solutions; all others link by link: the same sign, and
 * differences of the two sides that are multiples of each other (2x + 4y = 6 and x + 2y = 3), positive ones for inequalities.
 * Equations may also be solved for a symbol that both have to the first power (xy = 1 and y = 1/x), or have the same zeros (curves.ts);
 * and what holds for all n may be said of n + 1.
 */
import { withIndex } from "./big-operators.ts";
import { complex, isReal } from "./complex.ts";
import { haveSameZeros } from "./curves.ts";
import { evaluate } from "./evaluate.ts";
import {
  difference,
  type Expression,
  freeSymbols,
  negative,
  number,
  type Of,
  product,
  quotient,
  type Relation,
  some,
  sum,
  symbol,
} from "./expression.ts";
import { type Context, different, same, type Verdict } from "./options.ts";
import { fractionIn } from "./polynomial.ts";
import { isSameSet } from "./real-set.ts";
import { equalScalars } from "./scalar.ts";
import { realSetOf, sameEnd } from "./solve.ts";
import { renamed, substituted } from "./substitute.ts";

interface Link {
  readonly left: Expression;
  readonly operator: Relation;
  readonly right: Expression;
}

/** Gold first, though here the order does not matter; throws LimitReached when the budget ends. */
export function equalRelations(gold: Of<"relation">, pred: Of<"relation">, context: Context): Verdict {
  const names = freeSymbols(gold);
  const isInequality = [...gold.operators, ...pred.operators].some((operator) => operator !== "=");
  if (names.size === 1 && freeSymbols(pred).size === 1) {
    const [name] = names;
    if (!freeSymbols(pred).has(name!)) return different("the relations are about different symbols");
    const [a, b] = [realSetOf(gold, context), realSetOf(pred, context)];
    const isTelling = a !== null && b !== null && (isInequality || a.length > 0);
    if (isTelling && isSameSet(a, b, sameEnd(context))) return same("the same solutions");
    if (isTelling && isInequality) return different("different solutions");
  }
  if (gold.sides.length > 2 && !isInequality) return equalChains(gold.sides, pred.sides, context);
  for (const shifted of shiftsOf(gold, pred)) {
    if (haveEqualLinks(...shifted, context)) return same("the same relation");
  }
  return different("different relations");
}

const MAX_SHIFT = 2;

/** The two as they are; then, where they hold for all values of an index, a_n = 2 a_(n-1) as a_(n+1) = 2 a_n. */
function* shiftsOf(gold: Of<"relation">, pred: Of<"relation">): Generator<readonly [Of<"relation">, Of<"relation">]> {
  yield [gold, pred];
  const letters = indicesOf(gold).filter((letter) => indicesOf(pred).includes(letter));
  for (const letter of letters) {
    const [first, second] = [withIndex(gold, letter), withIndex(pred, letter)];
    for (let shift = -MAX_SHIFT; shift <= MAX_SHIFT; shift++) {
      const moved = substituted(second, letter, sum([symbol(letter), number(shift)]));
      if (shift !== 0 && first.kind === "relation" && moved.kind === "relation") yield [first, moved];
    }
  }
}

/** The letters of subscripts that are sums, as in a_{n+1}, and of f(n + 1). */
function indicesOf(node: Expression): readonly string[] {
  const found = new Set<string>();
  some(node, (part) => {
    const subscript =
      part.kind === "symbol" ? /_(?:.*[^A-Za-z])?([i-n])(?:[^A-Za-z].*)?$/.exec(part.name)?.[1] : undefined;
    if (subscript !== undefined) found.add(subscript);
    if (part.kind === "call" && !part.known) for (const arg of part.args) freeSymbols(arg, found);
    return false;
  });
  return [...found];
}

function haveEqualLinks(gold: Of<"relation">, pred: Of<"relation">, context: Context): boolean {
  const [links, others] = [linksOf(gold), linksOf(pred)];
  if (links.length !== others.length) return false;
  const left = [...others];
  for (const link of links) {
    const found = left.findIndex((candidate) => equalLinks(link, candidate, context));
    if (found === -1) return false;
    left.splice(found, 1);
  }
  return true;
}

/** a = b = c and c = a = b: the sides of a chain of equations have no order. */
function equalChains(gold: readonly Expression[], pred: readonly Expression[], context: Context): Verdict {
  const left = [...pred];
  for (const side of gold) {
    const found = left.findIndex((candidate) => equalScalars(side, candidate, context).equal);
    if (found === -1) return different("different chains");
    left.splice(found, 1);
  }
  return left.length === 0 ? same("the same chain") : different("chains of different length");
}

const FLIPPED: Readonly<Partial<Record<Relation, Relation>>> = { ">": "<", ">=": "<=" };

/** The links of the chain, each turned so that the smaller side stands left. */
function linksOf({ sides, operators }: Of<"relation">): Link[] {
  return operators.map((operator, index) => {
    const flipped = FLIPPED[operator];
    const [left, right] = [sides[index]!, sides[index + 1]!];
    return flipped === undefined ? { left, operator, right } : { left: right, operator: flipped, right: left };
  });
}

function equalLinks(a: Link, b: Link, context: Context): boolean {
  if (a.operator !== b.operator) return false;
  const equal = (x: Expression, y: Expression) => equalScalars(x, y, context).equal;
  switch (a.operator) {
    case "=":
    case "!=":
    case "approx":
    case "equiv": {
      const isSymmetric = equal(a.left, b.left) && equal(a.right, b.right);
      if (isSymmetric || (equal(a.left, b.right) && equal(a.right, b.left))) return true;
      const [x, y] = [difference(a.left, a.right), difference(b.left, b.right)];
      if (ratioSign(x, y, context) !== 0 || isSolvedAlike(x, y, context)) return true;
      // Two values of one symbol have been compared.
      const isOneSymbol = a.left.kind === "symbol" && b.left.kind === "symbol" && a.left.name === b.left.name;
      return a.operator === "=" && !isOneSymbol && haveSameZeros(x, y, context);
    }
    case "<":
    case "<=":
      if (equal(a.left, b.left) && equal(a.right, b.right)) return true;
      return ratioSign(difference(a.left, a.right), difference(b.left, b.right), context) > 0;
    default:
      return equal(a.left, b.left) && equal(a.right, b.right);
  }
}

/**
 * The sign of x / y where that is one constant number other than 0, else 0: x(s) y(t) = x(t) y(s) for independent s and t. An
 * equation that always holds (or never, as 1 = 2) has no ratio.
 */
function ratioSign(x: Expression, y: Expression, context: Context): number {
  const names = freeSymbols(x);
  if (names.size === 0 || [...names].some((name) => !freeSymbols(y).has(name))) return 0;
  const moved = (node: Expression) => renamed(node, new Map([...names].map((name) => [name, `${name}*`])));
  if (!equalScalars(product([x, moved(y)]), product([moved(x), y]), context).equal) return 0;
  const { random, budget } = context;
  for (let attempt = 0; attempt < 8; attempt++) {
    const symbols = new Map([...names].map((name) => [name, complex(0.2 + 3 * random.next())]));
    const above = evaluate(x, { symbols, budget });
    const below = evaluate(y, { symbols, budget });
    if (above === null || below === null || !isReal(above) || !isReal(below)) continue;
    if (Math.abs(above.re) <= 4 * above.error || Math.abs(below.re) <= 4 * below.error) continue;
    return Math.sign(above.re) * Math.sign(below.re);
  }
  return 0;
}

/** Both of the form A v + B in some symbol v, with the same -B / A. */
function isSolvedAlike(x: Expression, y: Expression, context: Context): boolean {
  for (const name of freeSymbols(x)) {
    if (!freeSymbols(y).has(name)) continue;
    const [first, second] = [linearIn(x, name, context), linearIn(y, name, context)];
    if (first === null || second === null) continue;
    const [left, right] = [product([first.constant, second.slope]), product([second.constant, first.slope])];
    if (!equalScalars(left, right, context).equal) continue;
    // x y = y is no x = 1: for y = 0 it always holds.
    if (!hasCommonZero(first, second, context) && !hasCommonZero(second, first, context)) return true;
  }
  return false;
}

/** A value of another symbol at which slope and constant of the first are 0, and those of the second are not. */
function hasCommonZero(first: Linear, second: Linear, context: Context): boolean {
  const isZeroAt = ({ slope, constant }: Linear, name: string, value: Expression) =>
    [slope, constant].every((part) => equalScalars(substituted(part, name, value), number(0), context).equal);
  for (const name of freeSymbols(first.slope)) {
    const line = linearIn(first.slope, name, context);
    const zeros = [number(0), ...(line === null ? [] : [quotient(negative(line.constant), line.slope)])];
    if (zeros.some((zero) => isZeroAt(first, name, zero) && !isZeroAt(second, name, zero))) return true;
  }
  return false;
}

interface Linear {
  readonly slope: Expression;
  readonly constant: Expression;
}

function linearIn(node: Expression, name: string, context: Context): Linear | null {
  const over = fractionIn(node, name, context.budget);
  if (over !== null && over.denominator.length > 1) {
    // 1/a + 1/b = 1/c is linear in c above the line.
    const [constant, slope, ...higher] = over.numerator;
    const isZero = (part: Expression) => equalScalars(part, number(0), context).equal;
    return slope !== undefined && higher.every(isZero) && !isZero(slope) ? { slope, constant: constant! } : null;
  }
  const constant = substituted(node, name, number(0));
  const slope = difference(substituted(node, name, number(1)), constant);
  const isLinear = equalScalars(node, sum([constant, product([slope, symbol(name)])]), context).equal;
  return isLinear && !equalScalars(slope, number(0), context).equal ? { slope, constant } : null;
}
