/**
 * Lines by a point and a direction: (1 + t, 2 - t) for all real t, (1, 2) + t (1, -1), and x = 1 + t, y = 2 - t. Two are the same
 * where the directions are parallel, and parallel to the way from one point to the other.
 */
import { difference, type Expression, freeSymbols, number, product, sum, symbol } from "./expression.ts";
import type { Context } from "./options.ts";
import { equalScalars } from "./scalar.ts";
import { substituted } from "./substitute.ts";

interface Line {
  readonly point: readonly Expression[];
  readonly direction: readonly Expression[];
}

/** False where one of the two is no line; throws LimitReached when the budget ends. */
export function isSameLine(gold: Expression, pred: Expression, context: Context): boolean {
  const a = lineOf(gold, context);
  const b = a === null ? null : lineOf(pred, context);
  if (a === null || b === null || a.point.length !== b.point.length) return false;
  const between = b.point.map((entry, index) => difference(entry, a.point[index]!));
  return isParallel(a.direction, b.direction, context) && isParallel(a.direction, between, context);
}

function isParallel(a: readonly Expression[], b: readonly Expression[], context: Context): boolean {
  return a.every((first, i) =>
    a.every((second, j) => i >= j || equalScalars(product([first, b[j]!]), product([second, b[i]!]), context).equal),
  );
}

function lineOf(node: Expression, context: Context): Line | null {
  const found = entriesOf(node);
  if (found === null || found.entries.length < 2) return null;
  const { entries, parameter } = found;
  const at = (t: number) => entries.map((entry) => substituted(entry, parameter, number(t)));
  const point = at(0);
  const direction = at(1).map((entry, index) => difference(entry, point[index]!));
  const isLinear = entries.every((entry, index) => {
    const line = sum([point[index]!, product([symbol(parameter), direction[index]!])]);
    return equalScalars(entry, line, context).equal;
  });
  const isMoving = direction.some((entry) => !equalScalars(entry, number(0), context).equal);
  return isLinear && isMoving ? { point, direction } : null;
}

/** The entries and their only symbol, where the form says that it runs through all numbers. */
function entriesOf(node: Expression): { readonly entries: readonly Expression[]; readonly parameter: string } | null {
  const entries = node.kind === "family" && node.domain === "R" ? itemsOf(node.value) : (sumOf(node) ?? namedOf(node));
  const [parameter, ...others] = new Set(entries?.flatMap((entry) => [...freeSymbols(entry)]));
  return entries === null || parameter === undefined || others.length > 0 || /^[xyz]$/.test(parameter)
    ? null
    : { entries, parameter };
}

function itemsOf(node: Expression): readonly Expression[] | null {
  return node.kind === "tuple" ? node.items : namedOf(node);
}

/** (1, 2) + t (1, -1). */
function sumOf(node: Expression): readonly Expression[] | null {
  if (node.kind !== "sum" || node.terms.length !== 2) return null;
  const vectors = node.terms.map((term): readonly Expression[] | null => {
    if (term.kind === "tuple") return term.items;
    if (term.kind !== "product") return null;
    const [vector, ...others] = term.factors.filter((factor) => factor.kind === "tuple");
    const scalars = term.factors.filter((factor) => factor !== vector);
    return vector === undefined || others.length > 0 ? null : vector.items.map((item) => product([...scalars, item]));
  });
  const [first, second] = vectors;
  if (first == null || second == null || first.length !== second.length) return null;
  return first.map((entry, index) => sum([entry, second[index]!]));
}

/** x = 1 + t, y = 2 - t. */
function namedOf(node: Expression): readonly Expression[] | null {
  if (node.kind !== "list") return null;
  const names = node.items.map((item) => {
    const [left] = item.kind === "relation" && item.operators.join() === "=" ? item.sides : [];
    return left?.kind === "symbol" ? left.name : "";
  });
  if (!/^x,y(?:,z)?$/.test(names.join())) return null;
  return node.items.flatMap((item) => (item.kind === "relation" ? [item.sides[1]!] : []));
}
