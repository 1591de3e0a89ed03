/** The atoms of the grammar: numbers, letters, commands and function calls; what stands between brackets is brackets.ts. */
import { derivativeFraction, integral, isDifferential, plainDerivative, series } from "./big-operators.ts";
import { bracketAtom } from "./brackets.ts";
import { accept, at, type Cursor, deeper, enclosed, expect, fail, isOperator, peek, replaceToken } from "./cursor.ts";
import {
  call,
  type Expression,
  number,
  power,
  product,
  quotient,
  some,
  squareRoot,
  sum,
  symbol,
} from "./expression.ts";
import type { Token } from "./lexer.ts";
import { numberSet } from "./number-sets.ts";
import { rational } from "./rational.ts";
import { subscript } from "./subscripts.ts";
import { isSympyCall, sympyCall } from "./sympy.ts";
import { unitVector } from "./vectors.ts";
import { ACCENTS } from "./vocabulary.ts";

/** One atom; what follows it (powers, factorials …) is postfix.ts. */
export function atom(cursor: Cursor): Expression {
  const token = peek(cursor);
  if (token === undefined) return fail();
  switch (token.type) {
    case "number":
      return numberAtom(cursor, token);
    case "name":
      return nameAtom(cursor, token.name);
    case "function":
      cursor.position++;
      return functionCall(cursor, token.name);
    case "command":
      return commandAtom(cursor, token.name);
    case "text":
      return textAtom(cursor);
    case "operator":
      return bracketAtom(cursor, token.text);
  }
  return token satisfies never;
}

type NumberToken = Extract<Token, { type: "number" }>;

/** A number, or a mixed number: 2\frac13 and 1 1/4. */
function numberAtom(cursor: Cursor, token: NumberToken): Expression {
  cursor.position++;
  const whole = number(token.value, token.decimal);
  if (token.decimal || token.value.denominator !== 1n) return whole;
  const next = peek(cursor);
  if (next?.type === "command" && /^[dtc]?frac$/.test(next.name) && hasPlainParts(cursor)) {
    const start = cursor.position;
    const fraction = atom(cursor);
    if (isPlainFraction(fraction)) return sum([whole, fraction]);
    cursor.position = start;
    return whole;
  }
  const denominator = peek(cursor, 2);
  if (next?.type === "number" && next.spaced && isOperator(peek(cursor, 1), "/") && denominator?.type === "number") {
    cursor.position += 3;
    // 11 6/6 is no mixed number, and no product either.
    const isProper = next.value.numerator < denominator.value.numerator;
    if (next.decimal || denominator.decimal || !isProper) fail();
    return sum([whole, number(rational(next.value.numerator, denominator.value.numerator))]);
  }
  return whole;
}

/** Whether the \frac that is next has bare numbers as its parts: nothing that would be read twice to find out. */
function hasPlainParts(cursor: Cursor): boolean {
  const above = plainPart(cursor, 1);
  if (above === 0) return false;
  const first = peek(cursor, 1);
  const isBoth = first?.type === "number" && first.text.length > 1;
  return isBoth || plainPart(cursor, 1 + above) > 0;
}

/** How many tokens a number takes here, with or without braces; 0 where none is. */
function plainPart(cursor: Cursor, ahead: number): number {
  if (peek(cursor, ahead)?.type === "number") return 1;
  const isBraced = isOperator(peek(cursor, ahead), "{") && isOperator(peek(cursor, ahead + 2), "}");
  return isBraced && peek(cursor, ahead + 1)?.type === "number" ? 3 : 0;
}

/** Two whole numbers over each other. */
function isPlainFraction(node: Expression): boolean {
  if (node.kind === "power") return node.base.kind === "number";
  return (
    node.kind === "product" &&
    node.factors.length === 2 &&
    node.factors[0]!.kind === "number" &&
    isPlainFraction(node.factors[1]!)
  );
}

const FUNCTION_LETTERS = /^[fghFGH]$/;
/** Expectation and probability have their argument in square brackets as well: E[X]. */
const OPERATOR_LETTERS = /^[EP]$/;

function nameAtom(cursor: Cursor, letter: string): Expression {
  cursor.position++;
  const slope = letter === "d" ? plainDerivative(cursor) : null;
  if (slope !== null) return slope;
  const name = `${letter}${subscript(cursor)}`;
  if (name === "e" || name === "i") return { kind: "constant", name };
  const inverse = inverseMark(cursor);
  if (inverse > 0 && FUNCTION_LETTERS.test(letter)) {
    cursor.position += inverse;
    const inside = bracketAtom(cursor, "(");
    return { kind: "call", name: `${name}^-1`, known: false, args: inside.kind === "tuple" ? inside.items : [inside] };
  }
  if (OPERATOR_LETTERS.test(letter) && at(cursor, "[")) {
    return { kind: "call", name, known: false, args: [deeper(cursor, atom)] };
  }
  const order = FUNCTION_LETTERS.test(letter) ? derivativeOrder(cursor) : null;
  if (order !== null) {
    const inside = bracketAtom(cursor, "(");
    const mark = /^[123]$/.test(order) ? "'".repeat(Number(order)) : `^(${order})`;
    return {
      kind: "call",
      name: `${name}${mark}`,
      known: false,
      args: inside.kind === "tuple" ? inside.items : [inside],
    };
  }
  let prime = 0;
  while (prime < 3 && isOperator(peek(cursor, prime), "'")) prime++;
  const opens = isOperator(peek(cursor, prime), "(");
  // p(x) = … names a function; p(x + 1) elsewhere is a product.
  const isDefined =
    peek(cursor, 1)?.type === "name" && isOperator(peek(cursor, 2), ")") && isOperator(peek(cursor, 3), "=", "equiv");
  if (opens && (FUNCTION_LETTERS.test(letter) || isDefined)) {
    cursor.position += prime;
    const inside = bracketAtom(cursor, "(");
    const args = inside.kind === "tuple" ? inside.items : [inside];
    return { kind: "call", name: `${name}${"'".repeat(prime)}`, known: false, args };
  }
  return symbol(name);
}

/** n of f^{(n)}(x), moving to the bracket of x; null for anything else, with nothing read. */
function derivativeOrder(cursor: Cursor): string | null {
  const order = peek(cursor, 3);
  const isMarked = [..."^{(", "", ...")}("].every(
    (mark, ahead) => mark === "" || isOperator(peek(cursor, ahead), mark),
  );
  if (!isMarked || (order?.type !== "number" && order?.type !== "name")) return null;
  cursor.position += 6;
  return order.type === "number" ? order.text : order.name;
}

/** The number of tokens of ^{-1} before a bracket, as in f^{-1}(x); else 0. */
function inverseMark(cursor: Cursor): number {
  const texts = [..."^{-1}("].map((_, ahead) => {
    const token = peek(cursor, ahead);
    return token?.type === "operator" || token?.type === "number" ? token.text : "";
  });
  if (texts.join("").startsWith("^{-1}(")) return 5;
  return texts.join("").startsWith("^-1(") ? 3 : 0;
}

const CONSTANTS: Readonly<Record<string, Expression>> = {
  pi: { kind: "constant", name: "pi" },
  infty: { kind: "constant", name: "infinity" },
  emptyset: { kind: "set", items: [] },
  varnothing: { kind: "set", items: [] },
  ldots: symbol("\u2026"),
  imath: { kind: "constant", name: "i" },
  jmath: symbol("j"),
  N: { kind: "symbol", name: "n" },
};

function commandAtom(cursor: Cursor, name: string): Expression {
  cursor.position++;
  if (name.startsWith("unit:")) return unitVector(name.slice("unit:".length));
  if (name.startsWith("mathbb:")) return numberSet(cursor, name.slice("mathbb:".length));
  if (ACCENTS.has(name)) return accented(name, deeper(cursor, atom));
  switch (name) {
    case "frac":
    case "dfrac":
    case "tfrac":
    case "cfrac":
      return derivativeFraction(cursor) ?? quotient(argument(cursor), argument(cursor));
    case "binom":
    case "dbinom":
    case "tbinom":
      return call("binom", argument(cursor), argument(cursor));
    case "sqrt":
      return radical(cursor);
    case "sum":
    case "prod":
      return series(cursor, name === "sum" ? "sum" : "product");
    case "int":
      return integral(cursor);
    case "angle":
    case "measuredangle":
    case "triangle":
      return figure(cursor, name);
    case "mathbb":
    case "lim":
    case "partial":
      return fail();
    default:
      return CONSTANTS[name] && name !== "N" ? CONSTANTS[name] : symbol(`${name}${subscript(cursor)}`);
  }
}

/** \angle ABC is \angle CBA and no product, \triangle ABC has its corners in any order. A single letter is the angle's own. */
function figure(cursor: Cursor, name: string): Expression {
  let letters = "";
  for (let token = peek(cursor); token?.type === "name" && /^[A-Z]$/.test(token.name); token = peek(cursor)) {
    letters += token.name;
    cursor.position++;
  }
  if (letters.length < 2) return symbol(letters === "" ? `${name}${subscript(cursor)}` : `${name} ${letters}`);
  const reversed = [...letters].reverse().join("");
  const canonical = name === "triangle" ? [...letters].sort().join("") : [letters, reversed].sort()[0];
  return symbol(`${name} ${canonical}`);
}

const VECTOR_MARKS = /^(?:hat|widehat|vec|overrightarrow)$/;

function isImaginaryUnit(node: Expression): boolean {
  return node.kind === "constant" && node.name === "i";
}

/** A bar, hat or arrow makes of a letter, or of several, one other symbol; a bar and an overline are the same mark. */
function accented(mark: string, inner: Expression): Expression {
  const isNumber = some(inner, (part) => part.kind === "number");
  if (isNumber && /^(?:bar|overline)$/.test(mark) && some(inner, isImaginaryUnit)) return call("conj", inner);
  const letters = inner.kind === "product" ? inner.factors : [inner];
  const names = letters.map((letter) =>
    letter.kind === "symbol" || letter.kind === "constant" ? letter.name : fail(),
  );
  const letter = names.join("").replace("unit ", "");
  if (VECTOR_MARKS.test(mark) && /^[ijk]$/.test(letter)) return unitVector(letter);
  const name = mark === "bar" ? "overline" : mark === "vec" ? "overrightarrow" : mark;
  return symbol(`${name} ${names.join("")}`);
}

/** An argument of a command: a group, or one token, of which a number gives only its first digit: \frac12. */
function argument(cursor: Cursor): Expression {
  const token = peek(cursor);
  return token?.type === "number" && token.text.length > 1 ? splitNumber(cursor, token) : deeper(cursor, atom);
}

/** \frac12 lexes 12 as one number: the first digit is the first argument, the rest stays for the second. */
function splitNumber(cursor: Cursor, token: NumberToken): Expression {
  if (!/^\d+$/.test(token.text)) return fail();
  const rest: Token = {
    type: "number",
    text: token.text.slice(1),
    value: rational(BigInt(token.text.slice(1))),
    decimal: false,
    spaced: false,
  };
  replaceToken(cursor, [{ ...token, text: token.text[0]! }, rest]);
  cursor.position++;
  return number(BigInt(token.text[0]!));
}

function radical(cursor: Cursor): Expression {
  let degree: Expression | null = null;
  if (at(cursor, "[")) {
    cursor.position++;
    degree = enclosed(cursor, cursor.rules.sum);
    expect(cursor, "]");
  }
  const token = peek(cursor);
  const inside =
    token?.type === "number" && !token.spaced && token.text.length > 1 ? deeper(cursor, atom) : argument(cursor);
  return degree === null ? squareRoot(inside) : call("root", inside, degree);
}

/** sin x, sin^2 x, sin^{-1} x, log_2 8, max(1, 2): without brackets the argument is the product that follows. */
function functionCall(cursor: Cursor, name: string): Expression {
  let base: Expression | null = null;
  let exponent: Expression | null = null;
  for (;;) {
    if (accept(cursor, "_")) base = argument(cursor);
    else if (accept(cursor, "^"))
      exponent = accept(cursor, "-") ? product([number(-1), deeper(cursor, atom)]) : deeper(cursor, atom);
    else break;
  }
  base ??= name === "log" ? gluedBase(cursor) : null;
  const args = functionArguments(cursor);
  // The empty set has no items to be arguments.
  if (args.length === 0) fail();
  const isInverse =
    exponent?.kind === "number" && exponent.value.numerator === -1n && exponent.value.denominator === 1n;
  if (isInverse && /^(?:sin|cos|tan|cot|sec|csc|sinh|cosh|tanh)$/.test(name)) return call(`arc${name}`, ...args);
  const value = applied(name, args, base);
  return exponent === null ? value : power(value, exponent);
}

/** log2(x) and log10(x): a number that is glued to the name, with a bracket behind it. */
function gluedBase(cursor: Cursor): Expression | null {
  const token = peek(cursor);
  if (token?.type !== "number" || token.spaced || !isOperator(peek(cursor, 1), "(")) return null;
  cursor.position++;
  return number(token.value);
}

function applied(name: string, args: readonly Expression[], base: Expression | null): Expression {
  if (base !== null && name !== "log") return fail();
  if (name === "sqrt" && args.length === 1) return squareRoot(args[0]!);
  if (name === "cis" && args.length === 1) {
    return sum([call("cos", args[0]!), product([{ kind: "constant", name: "i" }, call("sin", args[0]!)])]);
  }
  if (name === "cbrt" && args.length === 1) return call("root", args[0]!, number(3));
  if (name === "exp" && args.length === 1) return power({ kind: "constant", name: "e" }, args[0]!);
  if (name === "log") return args.length === 2 ? call("log", ...args) : call("log", args[0]!, base ?? number(10));
  return call(name, ...args);
}

function functionArguments(cursor: Cursor): readonly Expression[] {
  if (at(cursor, "(", "[", "\\{")) {
    const inside = deeper(cursor, atom);
    return inside.kind === "tuple" || inside.kind === "set" ? inside.items : [inside];
  }
  if (at(cursor, "{")) {
    const inside = deeper(cursor, atom);
    return inside.kind === "tuple" || inside.kind === "list" ? inside.items : [inside];
  }
  const factors: Expression[] = [];
  const sign = accept(cursor, "-") ? [number(-1)] : [];
  do {
    factors.push(deeper(cursor, cursor.rules.power));
  } while (continuesArgument(cursor));
  return [product([...sign, ...factors])];
}

/** sin 2x takes the x; sin x cos x, sin x (y), and sin x dx do not take what follows. */
function continuesArgument(cursor: Cursor): boolean {
  const token = peek(cursor);
  if (token?.type === "name") return !isDifferential(cursor);
  return token?.type === "command" && token.name !== "ldots";
}

/** Words that stand as a value: a label before "=", or a text answer in a list. */
function textAtom(cursor: Cursor): Expression {
  if (isSympyCall(cursor)) return sympyCall(cursor);
  let words = "";
  for (let token = peek(cursor); token?.type === "text"; token = peek(cursor)) {
    words += ` ${token.text}`;
    cursor.position++;
  }
  const name = words.trim().toLowerCase();
  return at(cursor, "=") ? symbol(name) : { kind: "text", words: name };
}
