/**
 * The expression tree that parse.ts builds and equal.ts compares: plain records, no behaviour but small constructors.
 *
 * Division is a power of -1 and a minus sign a factor of -1, so that everything downstream knows four operations fewer.
 */
import { ONE, type Rational, rational } from "./rational.ts";

export type Relation = "=" | "<" | ">" | "<=" | ">=" | "!=" | "in" | "notin" | "subset" | "approx" | "equiv";

/** `decimal`: written with a decimal point, hence perhaps rounded. `digits`: the digits of a number with a base subscript. */
export type Expression =
  | { readonly kind: "number"; readonly value: Rational; readonly decimal: boolean; readonly digits?: string }
  | { readonly kind: "symbol"; readonly name: string }
  | { readonly kind: "constant"; readonly name: "pi" | "e" | "i" | "infinity" }
  | { readonly kind: "sum"; readonly terms: readonly Expression[] }
  | { readonly kind: "product"; readonly factors: readonly Expression[] }
  | { readonly kind: "power"; readonly base: Expression; readonly exponent: Expression }
  /** A named function of FUNCTIONS (functions.ts), or with `known: false` an unknown one, as in f(x). */
  | { readonly kind: "call"; readonly name: string; readonly known: boolean; readonly args: readonly Expression[] }
  /** `name` over `variable` from `from` to `to`, of `body`. */
  | {
      readonly kind: "series";
      readonly name: "sum" | "product" | "integral";
      readonly variable: string;
      readonly from: Expression;
      readonly to: Expression;
      readonly body: Expression;
    }
  | { readonly kind: "percent"; readonly value: Expression }
  | { readonly kind: "degrees"; readonly value: Expression }
  /** One of two signs; `opposite` for the minus-plus that follows a plus-minus. */
  | { readonly kind: "plus-minus"; readonly value: Expression; readonly opposite: boolean }
  | { readonly kind: "with-unit"; readonly value: Expression; readonly unit: string }
  /** Ordered entries in brackets; two entries may also be an interval. */
  | {
      readonly kind: "tuple";
      readonly items: readonly Expression[];
      readonly open: "(" | "[" | "]" | "<";
      readonly close: ")" | "]" | "[" | ">";
    }
  /** In braces (`set`), or without any bracket (`list`); the joiner says how relations of a list hang together. */
  | { readonly kind: "set"; readonly items: readonly Expression[] }
  | { readonly kind: "list"; readonly items: readonly Expression[]; readonly joiner: "," | "and" | "or" }
  | {
      readonly kind: "set-operation";
      readonly name: "union" | "intersection" | "difference";
      readonly sides: readonly Expression[];
    }
  | { readonly kind: "number-set"; readonly name: "N" | "Z" | "Q" | "R" | "C" }
  /** `{ subject : condition }`. */
  | { readonly kind: "set-builder"; readonly subject: Expression; readonly condition: Expression }
  /** A chain: sides[0] operators[0] sides[1] operators[1] sides[2] … */
  | { readonly kind: "relation"; readonly sides: readonly Expression[]; readonly operators: readonly Relation[] }
  | { readonly kind: "congruence"; readonly left: Expression; readonly right: Expression; readonly modulus: Expression }
  | { readonly kind: "ratio"; readonly parts: readonly Expression[] }
  | { readonly kind: "matrix"; readonly rows: readonly (readonly Expression[])[] }
  /** Values under conditions; the condition is a relation, several of them, or words ("otherwise", "n even"). */
  | { readonly kind: "piecewise"; readonly branches: readonly Branch[] }
  /** The value for every whole (Z), natural (N) or real number (R) that `parameters` may be: "2 k pi, k in Z". */
  | {
      readonly kind: "family";
      readonly value: Expression;
      readonly parameters: readonly string[];
      readonly domain: "Z" | "N" | "R";
    }
  /** Words, lower case, single blanks, without marks. */
  | { readonly kind: "text"; readonly words: string };

export interface Branch {
  readonly value: Expression;
  readonly condition: Expression;
}

export type Kind = Expression["kind"];
export type Of<K extends Kind> = Extract<Expression, { kind: K }>;

export function number(value: Rational | bigint | number, decimal = false): Of<"number"> {
  const exact = typeof value === "object" ? value : rational(BigInt(value));
  return { kind: "number", value: exact, decimal };
}

export const MINUS_ONE: Expression = number(-1);

export function symbol(name: string): Expression {
  return { kind: "symbol", name };
}

export function sum(terms: readonly Expression[]): Expression {
  const flat = terms.flatMap((term) => (term.kind === "sum" ? term.terms : [term]));
  return flat.length === 1 ? flat[0]! : { kind: "sum", terms: flat };
}

export function product(factors: readonly Expression[]): Expression {
  const flat = factors.flatMap((factor) => (factor.kind === "product" ? factor.factors : [factor]));
  const kept = flat.filter((factor) => !isOne(factor));
  if (kept.length === 0) return flat[0] ?? number(ONE);
  return kept.length === 1 ? kept[0]! : { kind: "product", factors: kept };
}

export function negative(value: Expression): Expression {
  if (value.kind === "number" && value.digits === undefined) {
    return { ...value, value: { numerator: -value.value.numerator, denominator: value.value.denominator } };
  }
  if (value.kind === "with-unit") return { ...value, value: negative(value.value) };
  return product([MINUS_ONE, value]);
}

export function difference(a: Expression, b: Expression): Expression {
  return sum([a, negative(b)]);
}

export function power(base: Expression, exponent: Expression): Expression {
  return { kind: "power", base, exponent };
}

export function quotient(numerator: Expression, denominator: Expression): Expression {
  return product([numerator, power(denominator, MINUS_ONE)]);
}

export function call(name: string, ...args: readonly Expression[]): Expression {
  return { kind: "call", name, known: true, args };
}

export function squareRoot(value: Expression): Expression {
  return power(value, number(rational(1n, 2n)));
}

function isOne(node: Expression): boolean {
  return node.kind === "number" && !node.decimal && node.value.numerator === 1n && node.value.denominator === 1n;
}

/** The direct parts of an expression, in reading order. */
export function childrenOf(node: Expression): readonly Expression[] {
  switch (node.kind) {
    case "number":
    case "symbol":
    case "constant":
    case "number-set":
    case "text":
      return [];
    case "sum":
      return node.terms;
    case "product":
      return node.factors;
    case "power":
      return [node.base, node.exponent];
    case "call":
      return node.args;
    case "series":
      return [node.from, node.to, node.body];
    case "percent":
    case "degrees":
    case "plus-minus":
    case "with-unit":
    case "family":
      return [node.value];
    case "piecewise":
      return node.branches.flatMap(({ value, condition }) => [value, condition]);
    case "tuple":
    case "set":
    case "list":
      return node.items;
    case "set-operation":
    case "relation":
      return node.sides;
    case "set-builder":
      return [node.subject, node.condition];
    case "congruence":
      return [node.left, node.right, node.modulus];
    case "ratio":
      return node.parts;
    case "matrix":
      return node.rows.flat();
  }
  return node satisfies never;
}

/** The same node over changed parts, in the order of childrenOf. */
export function mapChildren(node: Expression, change: (part: Expression) => Expression): Expression {
  switch (node.kind) {
    case "number":
    case "symbol":
    case "constant":
    case "number-set":
    case "text":
      return node;
    case "sum":
      return sum(node.terms.map(change));
    case "product":
      return product(node.factors.map(change));
    case "power":
      return power(change(node.base), change(node.exponent));
    case "call":
      return { ...node, args: node.args.map(change) };
    case "series":
      return { ...node, from: change(node.from), to: change(node.to), body: change(node.body) };
    case "percent":
    case "degrees":
    case "plus-minus":
    case "with-unit":
    case "family":
      return { ...node, value: change(node.value) };
    case "piecewise": {
      const branches = node.branches.map(({ value, condition }) => ({
        value: change(value),
        condition: change(condition),
      }));
      return { ...node, branches };
    }
    case "tuple":
    case "set":
    case "list":
      return { ...node, items: node.items.map(change) };
    case "set-operation":
    case "relation":
      return { ...node, sides: node.sides.map(change) };
    case "set-builder":
      return { ...node, subject: change(node.subject), condition: change(node.condition) };
    case "congruence":
      return { ...node, left: change(node.left), right: change(node.right), modulus: change(node.modulus) };
    case "ratio":
      return { ...node, parts: node.parts.map(change) };
    case "matrix":
      return { ...node, rows: node.rows.map((row) => row.map(change)) };
  }
  return node satisfies never;
}

/** True where `test` holds for the node or anything inside it. */
export function some(node: Expression, test: (part: Expression) => boolean): boolean {
  return test(node) || childrenOf(node).some((part) => some(part, test));
}

/** True for a relation, or a list of nothing else. */
export function isConditions(node: Expression): boolean {
  return node.kind === "list" ? node.items.every(isConditions) : node.kind === "relation";
}

/** The free symbols; the variable of a sum, product or integral is bound inside its body. */
export function freeSymbols(node: Expression, found: Set<string> = new Set()): Set<string> {
  if (node.kind === "symbol") found.add(node.name);
  else if (node.kind === "series") {
    freeSymbols(node.from, found);
    freeSymbols(node.to, found);
    for (const name of freeSymbols(node.body)) if (name !== node.variable) found.add(name);
  } else for (const part of childrenOf(node)) freeSymbols(part, found);
  return found;
}

/** A text that two expressions share when they differ only in the order of terms, factors and set members. */
export function keyOf(node: Expression): string {
  const keys = () => childrenOf(node).map(keyOf);
  switch (node.kind) {
    case "number":
      return `${node.value.numerator}/${node.value.denominator}`;
    case "symbol":
      return `'${node.name}'`;
    case "constant":
    case "number-set":
      return `#${node.name}`;
    case "text":
      return `"${node.words}"`;
    case "sum":
    case "product":
    case "set":
      return `${node.kind}(${keys().sort().join(",")})`;
    case "call":
      return `${node.name}(${keys().join(",")})`;
    case "series":
      return `${node.name}[${node.variable}](${keys().join(",")})`;
    case "with-unit":
      return `unit[${node.unit}](${keys()[0]})`;
    case "plus-minus":
      return `${node.opposite ? "-+" : "+-"}(${keys()[0]})`;
    case "tuple":
      return `${node.open}${keys().join(",")}${node.close}`;
    case "set-operation":
      return `${node.name}(${keys().join(",")})`;
    case "list":
      return `list[${node.joiner}](${keys().join(",")})`;
    case "relation":
      return `relation[${node.operators.join(" ")}](${keys().join(",")})`;
    case "matrix":
      return `matrix(${node.rows.map((row) => row.map(keyOf).join(",")).join(";")})`;
    default:
      return `${node.kind}(${keys().join(",")})`;
  }
}
