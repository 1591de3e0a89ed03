/**
 * The set of real numbers that an answer describes: an interval, a union, {1, 2}, the reals, or the solutions of an inequality.
 *
 * An inequality in one symbol is solved by its critical points, the roots of numerators and denominators with every sign of each
 * |u|: between two of them it holds everywhere or nowhere, so that one test in each gap and one at each point settle it.
 */
import { complex, isReal } from "./complex.ts";
import { evaluate, infinitySign } from "./evaluate.ts";
import {
  childrenOf,
  difference,
  type Expression,
  freeSymbols,
  isConditions,
  keyOf,
  mapChildren,
  negative,
  number,
  type Of,
  type Relation,
} from "./expression.ts";
import type { Context } from "./options.ts";
import { fractionIn, realRoots } from "./polynomial.ts";
import { complement, type End, intersection, order, type Piece, type RealSet, union } from "./real-set.ts";
import { equalScalars } from "./scalar.ts";

export type Ends = End<Expression>;

/** Equality of ends under this comparison's budget. */
export function sameEnd(context: Context): (a: Ends, b: Ends) => boolean {
  return (a, b) => a.exact !== null && b.exact !== null && equalScalars(a.exact, b.exact, context).equal;
}

const INFINITY: Ends = { at: Number.POSITIVE_INFINITY, exact: null };
const MINUS_INFINITY: Ends = { at: Number.NEGATIVE_INFINITY, exact: null };
const REALS: RealSet<Expression> = [{ low: MINUS_INFINITY, high: INFINITY, lowClosed: false, highClosed: false }];

/** null where the answer is no set of reals that can be written as intervals. */
export function realSetOf(node: Expression, context: Context): RealSet<Expression> | null {
  switch (node.kind) {
    case "tuple":
      return intervalOf(node, context);
    case "set":
      return pointsOf(node.items, context);
    case "list":
      return listOf(node, context);
    case "number-set":
      return node.name === "R" ? REALS : null;
    case "set-operation":
      return operationOf(node, context);
    case "set-builder": {
      const { subject } = node;
      if (subject.kind === "symbol") return realSetOf(node.condition, context);
      return subject.kind === "relation" ? restricted(subject, realSetOf(node.condition, context), context) : null;
    }
    case "relation":
      return solutionsOf(node, context);
    default: {
      const end = endOf(node, context);
      return end === null || end.exact === null ? null : [{ low: end, high: end, lowClosed: true, highClosed: true }];
    }
  }
}

/** What of the set lies in S, for the subject "x in S"; of whole numbers where they are few. */
function restricted(
  subject: Of<"relation">,
  set: RealSet<Expression> | null,
  context: Context,
): RealSet<Expression> | null {
  const [, whole] = subject.sides;
  if (set === null || whole === undefined || subject.operators.join() !== "in") return null;
  if (whole.kind !== "number-set" || whole.name === "R") {
    const other = realSetOf(whole, context);
    return other === null ? null : intersection(set, other, sameEnd(context));
  }
  return amongWhole(set, whole, context);
}

/** The whole numbers of the set, where they are few. */
function amongWhole(set: RealSet<Expression> | null, whole: Expression, context: Context): RealSet<Expression> | null {
  if (set === null || whole.kind !== "number-set" || (whole.name !== "Z" && whole.name !== "N")) return null;
  const points: Expression[] = [];
  for (const { low, high, lowClosed, highClosed } of set) {
    if (!(high.at - low.at <= MAX_POINTS)) return null;
    for (let at = Math.round(low.at); at <= Math.round(high.at); at++) {
      const value = number(at);
      const isOn = (end: Ends) => Math.abs(end.at - at) < 1e-9 && sameEnd(context)(end, { at, exact: value });
      const isInside = at > low.at && at < high.at && !isOn(low) && !isOn(high);
      if (isInside || (lowClosed && isOn(low)) || (highClosed && isOn(high))) points.push(value);
    }
  }
  return whole.name === "N" && points.some((point) => keyOf(point).startsWith("-")) ? null : pointsOf(points, context);
}

function endOf(node: Expression, { budget }: Context): Ends | null {
  const sign = infinitySign(node);
  if (sign !== 0) return sign > 0 ? INFINITY : MINUS_INFINITY;
  if (freeSymbols(node).size > 0) return null;
  const value = evaluate(node, { symbols: new Map(), budget });
  return value !== null && isReal(value) ? { at: value.re, exact: node } : null;
}

function intervalOf(node: Of<"tuple">, context: Context): RealSet<Expression> | null {
  if (node.items.length !== 2 || node.open === "<") return null;
  const low = endOf(node.items[0]!, context);
  const high = endOf(node.items[1]!, context);
  if (low === null || high === null) return null;
  const lowClosed = node.open === "[" && low.exact !== null;
  const highClosed = node.close === "]" && high.exact !== null;
  const direction = order(low, high, sameEnd(context));
  if (direction > 0) return null;
  if (direction === 0) return lowClosed && highClosed ? [{ low, high, lowClosed, highClosed }] : null;
  return [{ low, high, lowClosed, highClosed }];
}

const MAX_POINTS = 60;

function pointsOf(items: readonly Expression[], context: Context): RealSet<Expression> | null {
  if (items.length > MAX_POINTS) return null;
  const pieces: Piece<Expression>[] = [];
  for (const item of items) {
    const end = endOf(item, context);
    if (end === null || end.exact === null) return null;
    pieces.push({ low: end, high: end, lowClosed: true, highClosed: true });
  }
  return union(pieces, sameEnd(context));
}

/** Conditions joined by "and" all hold, by "or" one of them; by a comma all, unless nothing is left: x < 0, x > 1. */
function listOf(node: Of<"list">, context: Context): RealSet<Expression> | null {
  const sets: RealSet<Expression>[] = [];
  for (const item of node.items) {
    const set = realSetOf(item, context);
    if (set === null) return null;
    sets.push(set);
  }
  const either = () => union(sets.flat(), sameEnd(context));
  if (!isConditions(node) || node.joiner === "or") return either();
  const all = sets.reduce((a, b) => intersection(a, b, sameEnd(context)));
  return all.length === 0 && node.joiner === "," ? either() : all;
}

function operationOf(node: Of<"set-operation">, context: Context): RealSet<Expression> | null {
  const whole = node.sides.find((side) => side.kind === "number-set" && side.name !== "R");
  const [other, ...others] = node.sides.filter((side) => side !== whole);
  if (node.name === "intersection" && whole !== undefined && other !== undefined && others.length === 0) {
    return amongWhole(realSetOf(other, context), whole, context);
  }
  const sets: RealSet<Expression>[] = [];
  for (const side of node.sides) {
    const set = realSetOf(side, context);
    if (set === null) return null;
    sets.push(set);
  }
  const [first, ...rest] = sets;
  if (first === undefined) return null;
  if (node.name === "union") return union(sets.flat(), sameEnd(context));
  return rest.reduce(
    (a, b) => intersection(a, node.name === "difference" ? complement(b) : b, sameEnd(context)),
    first,
  );
}

/** The numbers for which every link of the chain holds; the chain has one symbol. */
function solutionsOf(node: Of<"relation">, context: Context): RealSet<Expression> | null {
  const names = freeSymbols(node);
  const [name] = names;
  if (name === undefined || names.size !== 1) return null;
  let result = REALS;
  for (const [index, operator] of node.operators.entries()) {
    const link = linkSolutions(node.sides[index]!, operator, node.sides[index + 1]!, name, context);
    if (link === null) return null;
    result = intersection(result, link, sameEnd(context));
  }
  return result;
}

function linkSolutions(
  left: Expression,
  operator: Relation,
  right: Expression,
  name: string,
  context: Context,
): RealSet<Expression> | null {
  if (operator === "in" || operator === "notin") {
    const set = left.kind === "symbol" ? realSetOf(right, context) : null;
    return set === null || operator === "in" ? set : complement(set);
  }
  // -infinity < x and x < infinity say nothing.
  const [infiniteLeft, infiniteRight] = [infinitySign(left), infinitySign(right)];
  if (infiniteLeft !== 0 || infiniteRight !== 0) {
    const isTrivial = (operator === "<" || operator === "<=") && (infiniteLeft < 0 || infiniteRight > 0);
    const isTrivialFlipped = (operator === ">" || operator === ">=") && (infiniteLeft > 0 || infiniteRight < 0);
    return isTrivial || isTrivialFlipped ? REALS : null;
  }
  const points = criticalPoints(difference(left, right), name, context);
  return points === null ? null : testAll(left, operator, right, name, points, context);
}

const MAX_ABSOLUTES = 3;

/** Where the difference may change its sign, in order. */
function criticalPoints(node: Expression, name: string, context: Context): readonly Ends[] | null {
  const absolutes = absolutesOf(node).filter((inside) => freeSymbols(inside).has(name));
  if (absolutes.length > MAX_ABSOLUTES) return null;
  const ends: Ends[] = [];
  const collect = (expression: Expression): boolean => {
    const fraction = fractionIn(expression, name, context.budget);
    if (fraction === null) return false;
    for (const polynomial of [fraction.numerator, fraction.denominator]) {
      const roots = realRoots(polynomial, context.budget);
      if (roots === null) return false;
      for (const root of roots) {
        const end = endOf(root, context);
        if (end === null) return false;
        ends.push(end);
      }
    }
    return true;
  };
  if (!absolutes.every(collect)) return null;
  for (let signs = 0; signs < 2 ** absolutes.length; signs++) {
    let seen = 0;
    const open = (part: Expression): Expression => {
      if (part.kind === "call" && part.name === "abs" && freeSymbols(part).has(name)) {
        const inside = part.args[0]!;
        return (signs >> seen++) & 1 ? negative(inside) : inside;
      }
      return mapChildren(part, open);
    };
    if (!collect(open(node))) return null;
  }
  const same = sameEnd(context);
  const sorted = ends.sort((a, b) => order(a, b, same));
  return sorted.filter((end, index) => index === 0 || order(sorted[index - 1]!, end, same) !== 0);
}

function absolutesOf(node: Expression): readonly Expression[] {
  if (node.kind === "call" && node.name === "abs") return [node.args[0]!];
  return childrenOf(node).flatMap(absolutesOf);
}

function testAll(
  left: Expression,
  operator: Relation,
  right: Expression,
  name: string,
  points: readonly Ends[],
  context: Context,
): RealSet<Expression> | null {
  const holds = (x: number): boolean => {
    const at = { symbols: new Map([[name, complex(x, 0, Math.abs(x) * 2 ** -50)]]), budget: context.budget };
    const a = evaluate(left, at);
    const b = evaluate(right, at);
    if (a === null || b === null || !isReal(a) || !isReal(b)) return false;
    const isEqual = Math.abs(a.re - b.re) <= 4 * (a.error + b.error) + 1e-12 * Math.abs(a.re);
    switch (operator) {
      case "=":
      case "approx":
      case "equiv":
        return isEqual;
      case "!=":
        return !isEqual;
      case "<=":
        return isEqual || a.re < b.re;
      case ">=":
        return isEqual || a.re > b.re;
      case "<":
        return !isEqual && a.re < b.re;
      case ">":
        return !isEqual && a.re > b.re;
      default:
        return false;
    }
  };
  const pieces: Piece<Expression>[] = [];
  const ends = [MINUS_INFINITY, ...points, INFINITY];
  for (let i = 0; i + 1 < ends.length; i++) {
    const [low, high] = [ends[i]!, ends[i + 1]!];
    if (holds(between(low.at, high.at))) pieces.push({ low, high, lowClosed: false, highClosed: false });
    if (high.exact !== null && holds(high.at)) pieces.push({ low: high, high, lowClosed: true, highClosed: true });
  }
  return union(pieces, sameEnd(context));
}

/** A number between two ends, either of which may be infinite. */
function between(low: number, high: number): number {
  if (!Number.isFinite(low)) return Number.isFinite(high) ? high - Math.max(1, Math.abs(high)) : 0.5;
  return Number.isFinite(high) ? (low + high) / 2 : low + Math.max(1, Math.abs(low));
}

/** x > a as (a, infinity) and a <= x < b as [a, b): what an inequality with letters for its ends may describe. */
export function intervalsOf({ sides, operators }: Of<"relation">): readonly Of<"tuple">[] {
  const isRising = operators.every((operator) => operator === "<" || operator === "<=");
  const isFalling = operators.every((operator) => operator === ">" || operator === ">=");
  if (sides.length > 3 || (!isRising && !isFalling)) return [];
  const [ends, signs] = isRising ? [sides, operators] : [[...sides].reverse(), [...operators].reverse()];
  const infinity: Expression = { kind: "constant", name: "infinity" };
  const interval = (low: Expression, high: Expression, from = "<", to = "<"): Of<"tuple"> => {
    return { kind: "tuple", items: [low, high], open: from === "<=" ? "[" : "(", close: to === "<=" ? "]" : ")" };
  };
  const [low, middle, high] = ends;
  // 0 < f(x) < 1 describes the values of f.
  const isName = (node: Expression) => node.kind === "symbol" || (node.kind === "call" && !node.known);
  if (high !== undefined) return isName(middle!) ? [interval(low!, high, signs[0], signs[1])] : [];
  const above = middle!.kind === "symbol" ? [interval(low!, infinity, signs[0])] : [];
  return low!.kind === "symbol" ? [...above, interval(negative(infinity), middle!, "<", signs[0])] : above;
}
