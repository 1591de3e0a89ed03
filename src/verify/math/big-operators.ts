/** Sums, products and integrals with their bounds, and derivatives: what stands behind \sum, \prod, \int and \frac{d}{dx}. */
import { createBudget } from "./budget.ts";
import { accept, at, type Cursor, deeper, enclosed, expect, fail, isOperator, peek } from "./cursor.ts";
import { derivative } from "./derivative.ts";
import { type Expression, mapChildren, number, product, sum, symbol } from "./expression.ts";

/** `_{i=1}^{n} term`. */
export function series(cursor: Cursor, name: "sum" | "product"): Expression {
  if (!accept(cursor, "_")) return fail();
  expect(cursor, "{");
  const letter = peek(cursor);
  if (letter?.type !== "name") return fail();
  cursor.position++;
  expect(cursor, "=");
  const from = enclosed(cursor, cursor.rules.sum);
  expect(cursor, "}");
  expect(cursor, "^");
  const to = deeper(cursor, cursor.rules.atom);
  const body = withIndex(deeper(cursor, cursor.rules.product), letter.name);
  return { kind: "series", name, variable: letter.name, from, to, body };
}

/** Inside a sum over i the letter is no imaginary unit, and a_i is a function of i. */
export function withIndex(body: Expression, letter: string): Expression {
  const change = (node: Expression): Expression => {
    if (node.kind === "constant") return node.name === letter ? symbol(letter) : node;
    const [, name, subscript] = node.kind === "symbol" ? (/^([^_]+_)(.+)$/.exec(node.name) ?? []) : [];
    const index = subscript?.includes(letter) ? linearIndex(subscript) : null;
    if (name !== undefined && index !== null) return { kind: "call", name, known: false, args: [index] };
    return mapChildren(node, change);
  };
  return change(body);
}

/** n-k-1, 2k+1: sums of letters and numbers; null for other subscripts. */
function linearIndex(subscript: string): Expression | null {
  const terms: Expression[] = [];
  for (const term of subscript.split(/(?=[+-])/)) {
    const [, sign, digits, letter] = /^([+-]?)(\d{0,9})([A-Za-z]?)$/.exec(term) ?? [];
    if (sign === undefined || digits === undefined || (digits === "" && !letter)) return null;
    const factor = number(BigInt(`${sign === "-" ? "-" : ""}${digits === "" ? "1" : digits}`));
    terms.push(letter ? product([factor, symbol(letter)]) : factor);
  }
  return sum(terms);
}

/** `_a^b integrand dx`. */
export function integral(cursor: Cursor): Expression {
  if (!accept(cursor, "_")) return fail();
  const from = signedAtom(cursor);
  expect(cursor, "^");
  const to = signedAtom(cursor);
  cursor.integrals++;
  const body = isDifferential(cursor) ? number(1) : deeper(cursor, cursor.rules.sum);
  cursor.integrals--;
  const found = isDifferential(cursor) ? { body, variable: peek(cursor, 1) } : null;
  if (found === null) {
    const inside = withoutDifferential(body);
    return { kind: "series", name: "integral", from, to, ...(inside ?? fail()) };
  }
  cursor.position += 2;
  return found.variable?.type === "name"
    ? { kind: "series", name: "integral", variable: found.variable.name, from, to, body }
    : fail();
}

function signedAtom(cursor: Cursor): Expression {
  const { atom } = cursor.rules;
  return accept(cursor, "-") ? product([number(-1), deeper(cursor, atom)]) : deeper(cursor, atom);
}

/** True at dx. */
export function isDifferential(cursor: Cursor): boolean {
  const token = peek(cursor);
  return token?.type === "name" && token.name === "d" && peek(cursor, 1)?.type === "name";
}

/** \frac{x dx}{1 + x^2}: the differential stands in the numerator, as two letters side by side. */
function withoutDifferential(body: Expression): { readonly body: Expression; readonly variable: string } | null {
  if (body.kind !== "product") return null;
  const isLetter = (factor: Expression | undefined, name?: string) =>
    factor?.kind === "symbol" && (name === undefined || factor.name === name);
  const index = body.factors.findIndex((factor, at) => isLetter(factor, "d") && isLetter(body.factors[at + 1]));
  const variable = body.factors[index + 1];
  if (index === -1 || variable?.kind !== "symbol") return null;
  const rest = body.factors.filter((_, position) => position !== index && position !== index + 1);
  return { body: rest.length === 0 ? number(1) : product(rest), variable: variable.name };
}

/** What \frac begins: dy/dx as a name, or d/dx with what it derives. null for any other fraction, with nothing read. */
export function derivativeFraction(cursor: Cursor): Expression | null {
  const start = cursor.position;
  const above = differential(cursor);
  const below = above === null ? null : differential(cursor);
  if (above === null || below === null || below.name === "" || above.order * above.order > MAX_ORDER ** 2) {
    cursor.position = start;
    return null;
  }
  if (above.name !== "") {
    return above.isPartial && above.order === 1
      ? symbol(`${above.name}_${below.name}`)
      : namedDerivative(above.name, below.name, above.order);
  }
  let value: Expression | null = deeper(cursor, cursor.rules.product);
  const budget = createBudget(MAX_DERIVATIVE_STEPS);
  for (let order = 0; order < above.order && value !== null; order++) value = derivative(value, below.name, budget);
  return value ?? fail();
}

const MAX_ORDER = 3;
/** Of derivatives of derivatives each has twice the terms of the one inside. */
const MAX_DERIVATIVE_STEPS = 4_000;

/** dy/dx is y', as it is mostly written; a derivative by another variable keeps its name. */
function namedDerivative(name: string, variable: string, order: number): Expression {
  return symbol(variable === "x" ? `${name}${"'".repeat(order)}` : `d${order}${name}/d${variable}`);
}

/** dy/dx in plain text, behind its first d; null where it is none. */
export function plainDerivative(cursor: Cursor): Expression | null {
  const [above, slash, d, below] = [0, 1, 2, 3].map((ahead) => peek(cursor, ahead));
  if (above?.type !== "name" || !isOperator(slash, "/") || d?.type !== "name" || d.name !== "d") return null;
  if (below?.type !== "name") return null;
  cursor.position += 4;
  return namedDerivative(above.name, below.name, 1);
}

interface Differential {
  readonly name: string;
  readonly order: number;
  /** With a round d. */
  readonly isPartial: boolean;
}

/** {d}, {dy}, {d^2 y}, {dx^2}, with a round or a straight d; a single d needs no braces. */
function differential(cursor: Cursor): Differential | null {
  if (!accept(cursor, "{")) {
    const bare = peek(cursor);
    const isRound = bare?.type === "command" && bare.name === "partial";
    if (!isRound && !(bare?.type === "name" && bare.name === "d" && isOperator(peek(cursor, 1), "{"))) return null;
    cursor.position++;
    return { name: "", order: 1, isPartial: isRound };
  }
  const first = peek(cursor);
  const isD = (first?.type === "name" && first.name === "d") || (first?.type === "command" && first.name === "partial");
  if (!isD) return null;
  cursor.position++;
  let order = exponent(cursor);
  let name = "";
  const letter = peek(cursor);
  if (letter?.type === "name") {
    name = letter.name;
    cursor.position++;
    order = Math.max(order, exponent(cursor));
  }
  return accept(cursor, "}") ? { name, order, isPartial: first?.type === "command" } : null;
}

/** ^2 or ^{2}; 1 where there is none. */
function exponent(cursor: Cursor): number {
  if (!at(cursor, "^")) return 1;
  const isBraced = isOperator(peek(cursor, 1), "{");
  const token = peek(cursor, isBraced ? 2 : 1);
  if (token?.type !== "number") return 1;
  cursor.position += isBraced ? 4 : 2;
  return Number(token.text);
}
