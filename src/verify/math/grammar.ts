/**
 * From tokens to an expression tree, by recursive descent. From loose to tight:
 *
 *   list        relation ("," ";" "and" "or" relation)*
 *   relation    union (("=" "<" "in" ...) union)* ["(mod n)"]
 *   union       sum (("cup" "cap" "setminus") sum)*
 *   sum         ["+" "-" "+-"] product (("+" "-" "+-") product)*
 *   product     power (["*" "/" ":" "mod" "cross"] power)* [unit]
 *   power       atom ("^" exponent | "_" base | "!" | "%" | degrees)*       (postfix.ts, atoms.ts)
 *
 * Throws LimitReached for what is no expression ("syntax") and for what nests deeper than MAX_DEPTH.
 */
import { atom } from "./atoms.ts";
import { isConnective } from "./conditions.ts";
import { accept, at, type Cursor, deeper, fail, isOperator, peek } from "./cursor.ts";
import { closedProduct, closedSum } from "./ellipsis.ts";
import {
  call,
  type Expression,
  isConditions,
  MINUS_ONE,
  negative,
  number,
  power as powerOf,
  product,
  quotient,
  type Relation,
  sum,
} from "./expression.ts";
import type { Token } from "./lexer.ts";
import { scaleOf } from "./number-words.ts";
import { power } from "./postfix.ts";

/** All tokens as one expression; throws LimitReached where they are none. */
export function parseTokens(tokens: readonly Token[]): Expression {
  const rules = { list, relation, sum: sumRule, product: productRule, power, atom };
  const cursor: Cursor = {
    tokens,
    rules,
    position: 0,
    depth: 0,
    steps: 0,
    bars: 0,
    inBraces: false,
    inRows: false,
    integrals: 0,
  };
  const first = list(cursor);
  // 5 \over 4: without braces the whole is above and below.
  const result = accept(cursor, "over") ? quotient(first, list(cursor)) : first;
  return cursor.position === cursor.tokens.length ? result : fail();
}

const MAX_ITEMS = 200;
const SEPARATORS = [",", ";", "and", "or", "newline"] as const;

function list(cursor: Cursor): Expression {
  /** Groups between semicolons of items between commas. */
  const groups: Expression[][] = [[]];
  let joiner: "," | "and" | "or" = ",";
  /** What stands before each item but the first. */
  const joiners: string[] = [];
  let lastSeparator = "";
  let count = 0;
  for (;;) {
    const item = relation(cursor);
    groups.at(-1)!.push(item);
    if (++count > MAX_ITEMS) fail("items");
    let separated = false;
    while (at(cursor, ...SEPARATORS) && !(cursor.inRows && at(cursor, "newline"))) {
      const token = peek(cursor);
      const text = token?.type === "operator" ? token.text : ",";
      if (text === "or" || (text === "and" && joiner !== "or")) joiner = text;
      if (!separated) lastSeparator = text;
      separated = true;
      cursor.position++;
    }
    // 2 hours 30 minutes.
    const isCompound = item.kind === "with-unit" && peek(cursor)?.type === "number";
    const isLast = peek(cursor) === undefined || at(cursor, "}", ")", "]", "&", "newline") || isEnd(peek(cursor));
    if ((!separated && !isCompound) || isLast) break;
    if (isConnective(cursor)) break;
    joiners.push(lastSeparator);
    if (lastSeparator === ";" || lastSeparator === "newline") groups.push([]);
  }
  const full = groups.filter((group) => group.length > 0);
  // a,b;c,d is a list of pairs, a;b and a,b are lists.
  const isNested = full.length > 1 && full.every((group) => group.length > 1);
  const items: Expression[] = isNested
    ? full.map((group) => ({ kind: "tuple", items: group, open: "(", close: ")" }))
    : full.flat();
  if (items.length === 1) return items[0]!;
  const solutions = solutionsOf(items);
  const isMixed = solutions === items && joiners.includes("and") && joiners.includes("or") && items.every(isConditions);
  return { kind: "list", items: isMixed ? alternativesOf(items, joiners) : solutions, joiner };
}

/** "and" binds closer than "or": x < 0 or x >= 1 and x <= 3. */
function alternativesOf(items: readonly Expression[], joiners: readonly string[]): readonly Expression[] {
  const groups: Expression[][] = [[]];
  for (const [index, item] of items.entries()) {
    if (joiners[index - 1] === "or") groups.push([]);
    groups.at(-1)!.push(item);
  }
  return groups.map((group) => (group.length === 1 ? group[0]! : { kind: "list", items: group, joiner: "and" }));
}

/** x = 1, y = 2, x = 3, y = 4: names that come round again begin another solution. */
function solutionsOf(items: readonly Expression[]): readonly Expression[] {
  const names = items.map((item) => {
    const [left] = item.kind === "relation" && item.operators.join() === "=" ? item.sides : [];
    return left?.kind === "symbol" ? left.name : null;
  });
  const size = new Set(names).size;
  if (names.includes(null) || size < 2 || size === items.length || items.length % size !== 0) return items;
  const solutions: Expression[] = [];
  for (let start = 0; start < items.length; start += size) {
    if (new Set(names.slice(start, start + size)).size < size) return items;
    solutions.push({ kind: "list", items: items.slice(start, start + size), joiner: "and" });
  }
  return solutions;
}

function isEnd(token: Token | undefined): boolean {
  return token?.type === "operator" && token.text.startsWith("end:");
}

const RELATIONS: ReadonlyMap<string, Relation> = new Map(
  ["=", "<", ">", "<=", ">=", "!=", "in", "notin", "subset", "approx", "equiv"].map((text) => [text, text as Relation]),
);

function relationAt(cursor: Cursor): Relation | undefined {
  // An alignment mark before the sign, and the end of a line whose next one goes on with it: x &= 1 + 1 \\ &= 2.
  let ahead = 0;
  while (isOperator(peek(cursor, ahead), "&", "newline")) ahead++;
  const token = peek(cursor, ahead);
  const operator = token?.type === "operator" ? RELATIONS.get(token.text) : undefined;
  if (operator !== undefined) cursor.position += ahead;
  return operator;
}

function relation(cursor: Cursor): Expression {
  const sides = [deeper(cursor, unionRule)];
  const operators: Relation[] = [];
  for (let operator = relationAt(cursor); operator !== undefined; operator = relationAt(cursor)) {
    cursor.position++;
    operators.push(operator);
    sides.push(deeper(cursor, unionRule));
  }
  // 5 | x - 2; inside of braces the bar begins a condition.
  if (operators.length === 0 && !cursor.inBraces && sides[0]!.kind === "number" && accept(cursor, "mid")) {
    return { kind: "congruence", left: deeper(cursor, sumRule), right: number(0), modulus: sides[0]! };
  }
  const modulus = congruenceModulus(cursor);
  if (modulus !== null) {
    if (sides.length === 1) return call("mod", sides[0]!, modulus);
    return { kind: "congruence", left: sides[0]!, right: sides.at(-1)!, modulus };
  }
  const last = sides.at(-1)!;
  if (operators.join() === "equiv" && last.kind === "call" && last.name === "mod" && last.known) {
    return { kind: "congruence", left: sides[0]!, right: last.args[0]!, modulus: last.args[1]! };
  }
  if (operators.length === 0) return last;
  // f(x) \equiv 0 without a modulus says that the two are equal everywhere.
  return { kind: "relation", sides, operators: operators.map((operator) => (operator === "equiv" ? "=" : operator)) };
}

/** `\pmod{7}`, `(mod 7)`. */
function congruenceModulus(cursor: Cursor): Expression | null {
  if (accept(cursor, "pmod")) return deeper(cursor, power);
  if (!(at(cursor, "(") && isOperator(peek(cursor, 1), "mod"))) return null;
  cursor.position += 2;
  const modulus = deeper(cursor, sumRule);
  if (!accept(cursor, ")")) fail();
  return modulus;
}

function unionRule(cursor: Cursor): Expression {
  let left = sumRule(cursor);
  let count = 0;
  while (at(cursor, "union", "intersection", "difference")) {
    const token = peek(cursor);
    const name = token?.type === "operator" ? token.text : "";
    cursor.position++;
    if (++count > MAX_ITEMS) fail("items");
    const right = deeper(cursor, sumRule);
    if (name !== "union" && name !== "intersection" && name !== "difference") fail();
    const sides: Expression[] =
      left.kind === "set-operation" && left.name === name && name !== "difference"
        ? [...left.sides, right]
        : [left, right];
    left = { kind: "set-operation", name, sides };
  }
  return left;
}

function sumRule(cursor: Cursor): Expression {
  const terms: Expression[] = [];
  for (;;) {
    if (accept(cursor, "-")) terms.push(negative(productRule(cursor)));
    else if (accept(cursor, "+-")) terms.push({ kind: "plus-minus", value: productRule(cursor), opposite: false });
    else if (accept(cursor, "-+")) terms.push({ kind: "plus-minus", value: productRule(cursor), opposite: true });
    else if (accept(cursor, "+") || terms.length === 0) terms.push(productRule(cursor));
    else break;
    if (!at(cursor, "+", "-", "+-", "-+")) break;
  }
  return terms.length === 1 ? terms[0]! : (closedSum(terms) ?? withCommonUnit(terms));
}

/** 3 m + 4 m and 5 + 3 m are sums with the unit of the last term. */
function withCommonUnit(terms: readonly Expression[]): Expression {
  const last = terms.at(-1)!;
  if (last.kind !== "with-unit") return sum(terms);
  const values = terms.map((term) => (term.kind === "with-unit" && term.unit === last.unit ? term.value : term));
  return { kind: "with-unit", value: sum(values), unit: last.unit };
}

const MAX_FACTORS = 300;

function productRule(cursor: Cursor): Expression {
  let count = 0;
  const signed = (): Expression => {
    if (accept(cursor, "-")) return negative(deeper(cursor, signed));
    if (accept(cursor, "+")) return deeper(cursor, signed);
    return power(cursor);
  };
  let factors = [signed()];
  for (;;) {
    if (accept(cursor, "*")) factors.push(signed());
    else if (accept(cursor, "/")) factors.push(powerOf(signed(), MINUS_ONE));
    else if (accept(cursor, "cross")) factors.push(crossProduct(factors.pop()!, signed()));
    else if (accept(cursor, "mod")) factors = [call("mod", product(factors), signed())];
    else if (!cursor.inBraces && at(cursor, ":") && peek(cursor, 1) !== undefined) {
      factors = [ratio(cursor, product(factors), signed)];
    } else if (startsFactor(cursor)) factors.push(power(cursor));
    else break;
    // Remainders of remainders nest.
    if (++count > MAX_FACTORS) fail("factors");
  }
  return withUnit(cursor, closedProduct(factors) ?? product(factors));
}

/** Unknown, but of the other sign with the factors exchanged. */
function crossProduct(left: Expression, right: Expression): Expression {
  const cross = (a: Expression, b: Expression): Expression => ({
    kind: "call",
    name: "cross",
    known: false,
    args: [a, b],
  });
  return sum([cross(left, right), negative(cross(right, left))]);
}

function ratio(cursor: Cursor, first: Expression, signed: () => Expression): Expression {
  const parts = [first];
  while (accept(cursor, ":")) parts.push(signed());
  return parts.length === 2 ? quotient(parts[0]!, parts[1]!) : { kind: "ratio", parts };
}

/** True where a factor follows without an operator. Two numbers side by side are no product, and words are no factor. */
function startsFactor(cursor: Cursor): boolean {
  const token = peek(cursor);
  const previous = cursor.tokens[cursor.position - 1];
  if (token === undefined || previous?.type === "text") return false;
  // 2^6 3^5: what stands before is an exponent.
  const isExponent = isOperator(cursor.tokens[cursor.position - 2], "^");
  if (token.type === "number") return previous?.type !== "number" || (isExponent && token.spaced);
  if (token.type === "name") {
    return !(cursor.integrals > 0 && token.name === "d" && peek(cursor, 1)?.type === "name");
  }
  if (token.type === "function" || token.type === "command") return true;
  if (isOperator(token, "(")) return !isOperator(peek(cursor, 1), "mod");
  if (isOperator(token, "|")) return cursor.bars === 0 && !cursor.inBraces;
  if (isOperator(token, "{", "lfloor", "lceil", "langle")) return true;
  if (isOperator(token, "[")) return isFactorInSquareBrackets(cursor);
  return token.type === "operator" && /^begin:[pbv]?matrix$/.test(token.text);
}

/** 2[x + 1], while 0, 1[ closes an interval and [1, 2] begins one. */
function isFactorInSquareBrackets(cursor: Cursor): boolean {
  const first = peek(cursor, 1);
  if (first === undefined || (first.type === "operator" && !/^[([|{+-]$/.test(first.text))) return false;
  let depth = 0;
  for (let position = cursor.position; position < cursor.tokens.length; position++) {
    const token = cursor.tokens[position];
    if (isOperator(token, "[", "(")) depth++;
    else if (isOperator(token, ")", "]") && --depth === 0) return isOperator(token, "]");
    else if (depth === 1 && isOperator(token, ",", ";")) return false;
  }
  return false;
}

/**
 * Words after a value are its unit, with powers, products and quotients of units: 5 km/h, 9.8 m/s^2, 3 cubic feet, 6 kg*m/s. A
 * scale before them multiplies the value: 2.5 million dollars.
 */
function withUnit(cursor: Cursor, value: Expression): Expression {
  const first = peek(cursor);
  if (first?.type !== "text" || value.kind === "text" || isConnective(cursor)) return value;
  const [word = "", ...words] = first.text.trim().split(" ");
  const scale = scaleOf(word);
  const scaled = scale === null ? value : product([value, number(scale)]);
  if (scale !== null) cursor.position++;
  let unit = scale === null ? "" : words.join(" ");
  for (;;) {
    const token = peek(cursor);
    const next = peek(cursor, 1);
    if (token?.type === "text") unit += ` ${token.text}`;
    else if (isOperator(token, "/", "*") && (next?.type === "text" || next?.type === "name"))
      unit += isOperator(token, "/") ? "/" : " *";
    else if (token?.type === "name" && (/[/*]$/.test(unit) || next?.type === "text")) unit += ` ${token.name}`;
    else if (isOperator(token, "^")) {
      const exponent = unitExponent(cursor);
      if (exponent === "") break;
      unit += `^${exponent}`;
    } else break;
    cursor.position++;
  }
  return unit.trim() === "" ? scaled : { kind: "with-unit", value: scaled, unit: unit.trim() };
}

/** Moves to the last token of ^2 or ^{-1} and gives its digits; stays and gives "" for any other exponent. */
function unitExponent(cursor: Cursor): string {
  const isBraced = isOperator(peek(cursor, 1), "{");
  const start = isBraced ? 2 : 1;
  const isNegative = isOperator(peek(cursor, start), "-");
  const token = peek(cursor, start + (isNegative ? 1 : 0));
  if (token?.type !== "number" || token.text.length > 1) return "";
  cursor.position += start + (isNegative ? 1 : 0) + (isBraced ? 1 : 0);
  return `${isNegative ? "-" : ""}${token.text}`;
}
