/** The value of an answer that is given a name: x = 5, f(x) = x^2, (x, y) = (3, 4), x in [2, 3], and the end of a chain. */
import { type Expression, freeSymbols, keyOf, type Of, product } from "./expression.ts";
import { renamed } from "./substitute.ts";

/** Gold and prediction without the names that only one of them has; two equations keep theirs, so that x = 1 is not y = 1. */
export function unwrapped(
  gold: Expression,
  pred: Expression,
  mode: "lenient" | "strict",
): readonly [Expression, Expression] {
  if (gold.kind === "relation" && pred.kind === "relation") {
    const isMember = (node: Of<"relation">) => node.operators.length === 1 && node.operators[0] === "in";
    if (!isMember(gold) && !isMember(pred)) {
      const [a, b] = [withoutApproximation(gold), withoutApproximation(pred)];
      // a = b = c = 1 says more than a = 1.
      if (mode === "strict" || isJoint(a)) return [a, b];
      return [withoutSteps(a), withoutSteps(b)];
    }
    return [valueOfGold(gold), valueOfPred(pred, mode)];
  }
  return [
    gold.kind === "relation" && !isList(pred) ? valueOfGold(gold) : gold,
    pred.kind === "relation" && !isList(gold) ? valueOfPred(pred, mode) : pred,
  ];
}

/** A list of relations is compared with relations, one by one. */
function isList(node: Expression): boolean {
  return (
    (node.kind === "list" || node.kind === "set") &&
    node.items.length > 1 &&
    node.items.every((item) => item.kind === "relation")
  );
}

/** x = sqrt(2) and its approximation 1.41: the exact side is the answer, unless what stands before is only a name. */
function withoutApproximation(relation: Of<"relation">): Of<"relation"> {
  const at = relation.operators.indexOf("approx");
  if (at < 1) return relation;
  return { ...relation, sides: relation.sides.slice(0, at + 1), operators: relation.operators.slice(0, at) };
}

/** x = 5 + 6 = 11 as x = 11: the steps between are working. */
function withoutSteps(relation: Of<"relation">): Of<"relation"> {
  const isChain = relation.sides.length > 2 && relation.operators.every((operator) => operator === "=");
  if (!isChain || !isName(relation.sides[0]!)) return relation;
  return { ...relation, sides: [relation.sides[0]!, relation.sides.at(-1)!], operators: ["="] };
}

/** a = b = c = 1: several letters with one value. */
function isJoint({ sides, operators }: Of<"relation">): boolean {
  return sides.length > 2 && operators.every((operator) => operator === "=") && sides.slice(0, -1).every(isLetter);
}

function valueOfGold(gold: Of<"relation">): Expression {
  const relation = withoutApproximation(gold);
  if (!isEquation(relation)) return relation;
  if (isMembership(relation)) return asSet(relation.sides[1]!);
  if (isName(relation.sides[0]!)) return relation.sides.at(-1)!;
  if (isReversed(relation)) return relation.sides[0]!;
  return relation.operators[0] === "approx" ? relation.sides[0]! : relation;
}

/** A prediction may show its working, 2 + 3 = 5, when lenient; a chain through several values is a hedge when strict. */
function valueOfPred(pred: Of<"relation">, mode: "lenient" | "strict"): Expression {
  const relation = withoutApproximation(pred);
  if (!isEquation(relation)) return relation;
  const [left] = relation.sides;
  if (isMembership(relation)) return asSet(relation.sides[1]!);
  if (relation.operators[0] === "approx" && !isName(left!)) return left!;
  if (isReversed(relation)) return left!;
  const isWorking = freeSymbols(left!).size === 0 && !isName(left!);
  if (mode === "strict" && (relation.sides.length > 2 || isWorking)) return relation;
  return isName(left!) || isQuantity(left!) || isWorking ? relation.sides.at(-1)! : relation;
}

/** x in S, for one letter x. */
function isMembership({ sides, operators }: Of<"relation">): boolean {
  return operators.join() === "in" && isLetter(sides[0]!);
}

/** In x in (1, 2) the brackets are an interval's, and no pair's. */
function asSet(node: Expression): Expression {
  const isPair = node.kind === "tuple" && node.items.length === 2 && freeSymbols(node).size === 0;
  return isPair ? { kind: "set-operation", name: "union", sides: [node] } : node;
}

/** 5 = x. */
function isReversed({ sides, operators }: Of<"relation">): boolean {
  return operators.join() === "=" && sides[1]!.kind === "symbol" && freeSymbols(sides[0]!).size === 0;
}

/** f(x) = x^2 under the names of the other side: f(t) = t^2 is the same function, and so is y = x^2. */
export function namedAlike(pred: Expression, gold: Expression): Expression {
  if (!isAssignment(gold) || !isAssignment(pred)) return pred;
  const [[left], [other, value]] = [gold.sides, pred.sides];
  if (left?.kind === "symbol" && left.name === "y" && isFunction(other)) return { ...pred, sides: [left, value!] };
  if (!isFunction(left)) return pred;
  if (other?.kind === "symbol" && (other.name === "y" || other.name === left.name))
    return { ...pred, sides: [left, value!] };
  if (!isFunction(other) || other.name !== left.name || other.args.length !== left.args.length) return pred;
  const names = new Map(other.args.map((arg, index) => [nameOf(arg), nameOf(left.args[index]!)]));
  const isFree = [...names].every(([from, to]) => from === to || !freeSymbols(pred).has(to));
  return isFree ? renamed(pred, names) : pred;
}

/** f(x) or f(x, y), of letters alone. */
function isFunction(node: Expression | undefined): node is Of<"call"> {
  return node?.kind === "call" && !node.known && node.args.every((arg) => arg.kind === "symbol");
}

function nameOf(node: Expression): string {
  return node.kind === "symbol" ? node.name : "";
}

function isEquation(relation: Of<"relation">): boolean {
  return relation.operators.every((operator) => operator === "=" || operator === "in" || operator === "approx");
}

/** A symbol, a product or tuple of symbols, or f(x): what an answer is given a name by. */
export function isName(node: Expression): boolean {
  if (node.kind === "symbol" || node.kind === "constant")
    return node.kind === "symbol" || node.name === "e" || node.name === "i";
  if (node.kind === "product") return isNameOfLetters(node) || isEvent(node);
  if (node.kind === "tuple" || node.kind === "list") return node.items.every(isName);
  return node.kind === "call" && (!node.known || isLength(node) || isQuantityOf(node));
}

/** AB and a/b, while xy = 1 is an equation of unknowns. */
function isNameOfLetters({ factors }: Of<"product">): boolean {
  const isName = factors.every((factor) => isLetter(factor) || isUnder(factor));
  return isName && !factors.every((factor) => factor.kind === "symbol" && /^[xyz]$/.test(factor.name));
}

function isLetter(node: Expression): boolean {
  return node.kind === "symbol";
}

/** b of a/b, and CD of AB/CD. */
function isUnder(node: Expression): boolean {
  if (node.kind !== "power" || keyOf(node.exponent) !== "-1/1") return false;
  return isLetter(node.base) || (node.base.kind === "product" && isNameOfLetters(node.base));
}

/** P(X = 1) and P(A \cap B), which the grammar reads as a product with a relation or with a set. */
function isEvent({ factors }: Of<"product">): boolean {
  const [name, event] = factors;
  return factors.length === 2 && name!.kind === "symbol" && /^(?:relation|set-operation)$/.test(event!.kind);
}

/** rank(A), det(A): numbers that belong to a matrix with a name. */
function isQuantityOf({ name, args }: Of<"call">): boolean {
  return /^(?:rank|det|tr)$/.test(name) && args.every(isLetter);
}

/** |AB|, while |x| and |xy| are values of unknowns. */
function isLength(node: Of<"call">): boolean {
  const [inside] = node.args;
  if (node.name !== "abs" || inside === undefined) return false;
  if (inside.kind === "symbol") return /^[^ntkxyz]/.test(inside.name);
  return (
    inside.kind === "product" &&
    inside.factors.every((factor) =>
      factor.kind === "symbol" ? /^[^xyz]$/.test(factor.name) : factor.kind === "constant",
    )
  );
}

/** a + b, m/n or x^2: what a prediction may say its value of, while a gold answer x^2 + y = 0 is the equation. */
function isQuantity(node: Expression): boolean {
  if (node.kind === "sum") return node.terms.every((term) => isName(unsigned(term)) || isQuantity(unsigned(term)));
  if (node.kind === "product") return node.factors.every((factor) => factor.kind === "symbol" || isQuantity(factor));
  return node.kind === "power" && node.base.kind === "symbol" && node.exponent.kind === "number";
}

/** x of -x. */
function unsigned(node: Expression): Expression {
  const isNegative = node.kind === "product" && keyOf(node.factors[0]!) === "-1/1";
  return isNegative ? product(node.factors.slice(1)) : node;
}

/** True for symbol = value. */
export function isAssignment(node: Expression): node is Of<"relation"> {
  return node.kind === "relation" && node.operators.length === 1 && node.operators[0] === "=" && isName(node.sides[0]!);
}

/** x_1 = 1, x_2 = 2 are the roots x = 1, x = 2 where the other side has x. */
export function rootsAlike(gold: Expression, pred: Expression): readonly [Expression, Expression] {
  const [names, others] = [namesOf(gold), namesOf(pred)];
  return [withoutIndices(gold, names, others), withoutIndices(pred, others, names)];
}

/** The names that a list assigns values to; none where an item is no assignment. */
function namesOf(node: Expression): ReadonlySet<string> {
  const items = node.kind === "list" ? node.items : [];
  return items.every(isAssignment) ? new Set(items.map((item) => nameOf(item.sides[0]!))) : new Set();
}

function withoutIndices(node: Expression, names: ReadonlySet<string>, others: ReadonlySet<string>): Expression {
  const [name] = others;
  const isIndexed =
    others.size === 1 && names.size > 1 && [...names].every((each) => each.replace(/_\d+$/, "") === name);
  return isIndexed ? renamed(node, new Map([...names].map((each) => [each, name!]))) : node;
}

/**
 * (x, y) = (3, 4) as x = 3, y = 4, where the other side lists named values; a = b = c = 1 as a = 1, b = 1, c = 1, where it lists as
 * many values.
 */
export function assignmentsOf(node: Expression, other: Expression): Expression {
  if (node.kind !== "relation") return node;
  const listed = other.kind === "relation" ? other.sides.at(-1)! : other;
  if (isJoint(node) && (listed.kind === "tuple" || listed.kind === "list")) {
    const value = node.sides.at(-1)!;
    const items = node.sides
      .slice(0, -1)
      .map((name): Expression => ({ ...node, sides: [name, value], operators: ["="] }));
    return { kind: "list", items, joiner: "and" };
  }
  if (node.operators.length !== 1 || node.operators[0] !== "=") return node;
  const [names, values] = node.sides;
  if (names?.kind !== "tuple" || values?.kind !== "tuple" || names.items.length !== values.items.length) return node;
  if (other.kind !== "list" || !other.items.every(isAssignment)) return node;
  const items = names.items.map(
    (name, index): Expression => ({ kind: "relation", sides: [name, values.items[index]!], operators: ["="] }),
  );
  return { kind: "list", items, joiner: "and" };
}
