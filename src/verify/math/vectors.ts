/**
 * Vectors in their notations: (1, 2), <1, 2>, a column, i + 2j with unit vectors, and sums and multiples of them. Before two answers
 * are compared, each is written as the other is; a row and a column stay two matrices.
 */
import { call, type Expression, mapChildren, number, type Of, product, some, sum } from "./expression.ts";

/** The two answers, where one is a vector or a matrix in another notation than the other. */
export function alignVectors(gold: Expression, pred: Expression): readonly [Expression, Expression] {
  const [a, b] = [workedOut(combinationsOrPoint(gold, pred)), workedOut(combinationsOrPoint(pred, gold))];
  if (hasUnits(a) || hasUnits(b)) {
    const both = [ofUnits(a, 3), ofUnits(b, 3)] as const;
    if (both[0] !== null && both[1] !== null) return [both[0], both[1]];
  }
  return [written(a, b), written(b, a)];
}

/** The node in the notation of the other side; itself where that is not a vector's. */
function written(node: Expression, other: Expression): Expression {
  if (other.kind === "tuple" && other.items.length > 1) {
    if (node.kind === "matrix") return ofMatrix(node, other) ?? node;
    return node.kind === "tuple" ? node : (ofUnits(node, other.items.length) ?? node);
  }
  if (other.kind === "matrix" && other.rows.length > 1 && other.rows[0]!.length === 1) {
    const tuple = ofUnits(node, other.rows.length);
    return tuple === null ? node : { kind: "matrix", rows: tuple.items.map((item) => [item]) };
  }
  return node;
}

/** C(5, 2) is the point C against a point, and 10 against a value; so is P(5, 2) a point or 20. */
function combinationsOrPoint(node: Expression, other: Expression): Expression {
  if (node.kind !== "product" || node.factors.length !== 2) return node;
  const [label, pair] = node.factors;
  if (label?.kind !== "symbol" || !/^[cp]$/i.test(label.name) || pair?.kind !== "tuple" || pair.items.length < 2)
    return node;
  if (other.kind === "tuple") return pair;
  const name = /c/i.test(label.name) ? "binom" : "permutations";
  return pair.items.length === 2 ? call(name, ...pair.items) : node;
}

/**
 * A row or column, or rows against a tuple of tuples, with the other's brackets. Two entries in round brackets may be an interval
 * or a point: they are no column, as in Math-Verify.
 */
function ofMatrix({ rows }: Of<"matrix">, other: Of<"tuple">): Expression | null {
  const { open, close } = other;
  if (other.items.length === 2 && open === "(") return null;
  if (rows.length === 1 || rows[0]!.length === 1) return { kind: "tuple", items: rows.flat(), open, close };
  const isNested = other.items.every((item) => item.kind === "tuple");
  return isNested
    ? { kind: "tuple", items: rows.map((items) => ({ kind: "tuple", items, open, close })), open, close }
    : null;
}

const UNITS = ["i", "j", "k"] as const;

/** The name of a unit vector that is marked as one: \mathbf i, \hat i, \vec i. */
export function unitVector(letter: string): Expression {
  return { kind: "symbol", name: `unit ${letter}` };
}

function hasUnits(node: Expression): boolean {
  return some(node, (part) => part.kind === "symbol" && part.name.startsWith("unit "));
}

/** 2i + 3j as (2, 3): every term has one unit vector, and one of them is marked or is no imaginary unit. */
function ofUnits(node: Expression, size: number): Of<"tuple"> | null {
  if (node.kind !== "sum" && node.kind !== "product" && node.kind !== "symbol") return null;
  const entries: Expression[][] = UNITS.map(() => []);
  let isVector = false;
  for (const term of node.kind === "sum" ? node.terms : [node]) {
    const factors = term.kind === "product" ? term.factors : [term];
    const units = factors.filter((factor) => indexOfUnit(factor) !== -1);
    const [unit] = units;
    if (unit === undefined || units.length > 1) return null;
    if (unit.kind === "symbol") isVector = true;
    const rest = factors.filter((factor) => factor !== unit);
    if (rest.some((factor) => some(factor, (part) => indexOfUnit(part) !== -1))) return null;
    entries[indexOfUnit(unit)]!.push(rest.length === 0 ? number(1) : product(rest));
  }
  if (!isVector || entries.slice(size).some((terms) => terms.length > 0) || size > UNITS.length) return null;
  const items = entries.slice(0, size).map((terms) => (terms.length === 0 ? number(0) : sum(terms)));
  return { kind: "tuple", items, open: "(", close: ")" };
}

function indexOfUnit(node: Expression): number {
  if (node.kind === "constant") return node.name === "i" ? 0 : -1;
  return node.kind === "symbol" ? UNITS.findIndex((unit) => node.name === unit || node.name === `unit ${unit}`) : -1;
}

/** Sums and multiples of tuples as one tuple, transposed tuples as columns. Inside, what does not fit stays as it is. */
function workedOut(node: Expression): Expression {
  if (!some(node, (part) => part.kind === "tuple")) return node;
  if (node.kind !== "sum" && node.kind !== "product" && node.kind !== "power") return node;
  const inner = mapChildren(node, workedOut);
  if (inner.kind === "sum") {
    const vectors = inner.terms.filter(isVector);
    const [first] = vectors;
    const fits = first !== undefined && vectors.every(({ items }) => items.length === first.items.length);
    if (!fits || vectors.length < inner.terms.length) return inner;
    return { ...first, items: first.items.map((_, index) => sum(vectors.map(({ items }) => items[index]!))) };
  }
  if (inner.kind === "product") {
    const [vector, ...others] = inner.factors.filter((factor) => factor.kind === "tuple");
    const scalars = inner.factors.filter((factor) => factor !== vector);
    if (vector === undefined || !isVector(vector) || others.length > 0) return inner;
    return { ...vector, items: vector.items.map((item) => product([...scalars, item])) };
  }
  if (inner.kind !== "power" || inner.base.kind !== "tuple" || inner.exponent.kind !== "symbol") return inner;
  const isTransposed = /^(?:t|top|intercal)$/i.test(inner.exponent.name);
  return isTransposed ? { kind: "matrix", rows: inner.base.items.map((item) => [item]) } : inner;
}

/** Round or angle brackets: an interval is not added to another. */
function isVector(node: Expression): node is Of<"tuple"> {
  return node.kind === "tuple" && ((node.open === "(" && node.close === ")") || node.open === "<");
}
