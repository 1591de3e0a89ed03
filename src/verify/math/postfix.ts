/** What stands behind an atom: powers, factorials, percent and degree signs, primes, and the base of a number. */
import { atom } from "./atoms.ts";
import { accept, at, type Cursor, deeper, fail, isOperator, peek } from "./cursor.ts";
import { call, type Expression, negative, number, power as powerOf, product, sum, symbol } from "./expression.ts";
import { rational } from "./rational.ts";
import { subscript } from "./subscripts.ts";

/** Marks behind one atom; each nests the value deeper. */
const MAX_MARKS = 8;

/** An atom with everything behind it. */
export function power(cursor: Cursor): Expression {
  let base = deeper(cursor, atom);
  for (let marks = 0; marks < MAX_MARKS; marks++) {
    if (at(cursor, "^")) {
      if (isDegrees(cursor)) base = degreesOf(cursor, base);
      else {
        cursor.position++;
        base = raised(base, deeper(cursor, exponent));
      }
    } else if (at(cursor, "_")) base = indexed(cursor, base) ?? inBase(cursor, base);
    else if (accept(cursor, "!")) base = accept(cursor, "!") ? call("doublefactorial", base) : call("factorial", base);
    else if (accept(cursor, "%")) base = { kind: "percent", value: base };
    else if (accept(cursor, "degrees")) base = degreesOf(cursor, base);
    else if (at(cursor, "'") && (base.kind === "symbol" || base.kind === "call")) {
      cursor.position++;
      base = { ...base, name: `${base.name}'` };
    } else return base;
  }
  return fail("depth");
}

/** Degrees of an angle, or of a temperature, whose scale says nothing about the number. */
function degreesOf(cursor: Cursor, value: Expression): Expression {
  const scale = peek(cursor);
  if ((scale?.type === "name" || scale?.type === "command") && /^[CF]$/.test(scale.name)) cursor.position++;
  return { kind: "degrees", value: sum([value, ...minutesAndSeconds(cursor)]) };
}

/** 15' and 15'20'' behind degrees, as parts of a degree. */
function minutesAndSeconds(cursor: Cursor): Expression[] {
  const parts: Expression[] = [];
  for (const [marks, share] of [
    [1, 60n],
    [2, 3600n],
  ] as const) {
    const token = peek(cursor);
    const isMarked = Array.from({ length: marks }, (_, index) => index + 1).every((ahead) =>
      isOperator(peek(cursor, ahead), "'"),
    );
    if (token?.type !== "number" || !isMarked || isOperator(peek(cursor, marks + 1), "'")) continue;
    cursor.position += 1 + marks;
    parts.push(product([number(token.value), number(rational(1n, share))]));
  }
  return parts;
}

function raised(base: Expression, exponent: Expression): Expression {
  return base.kind === "degrees" || base.kind === "text" ? fail() : powerOf(base, exponent);
}

/** A signed power: x^-2, 2^3^4 from the right, x^{…}. */
function exponent(cursor: Cursor): Expression {
  if (accept(cursor, "-")) return negative(deeper(cursor, exponent));
  if (accept(cursor, "+")) return deeper(cursor, exponent);
  const base = deeper(cursor, atom);
  return accept(cursor, "^") ? powerOf(base, deeper(cursor, exponent)) : base;
}

/** ^\circ and ^{\circ}: moves past them. */
function isDegrees(cursor: Cursor): boolean {
  const isCircle = (ahead: number) => {
    const token = peek(cursor, ahead);
    return token?.type === "command" && token.name === "circ";
  };
  if (isCircle(1)) {
    cursor.position += 2;
    return true;
  }
  if (isOperator(peek(cursor, 1), "{") && isCircle(2) && isOperator(peek(cursor, 3), "}")) {
    cursor.position += 4;
    return true;
  }
  return false;
}

/** v^2_0, x'_1 and \bar{x}_n: an index behind other marks is the letter's own; null where no letter carries the marks. */
function indexed(cursor: Cursor, base: Expression): Expression | null {
  if (base.kind === "power" && base.base.kind === "symbol") {
    return powerOf(symbol(withIndex(base.base.name, subscript(cursor))), base.exponent);
  }
  return base.kind === "symbol" ? symbol(withIndex(base.name, subscript(cursor))) : null;
}

/** Primes stand last: x'_1 is x_1'. */
function withIndex(name: string, index: string): string {
  const [, letter = name, primes = ""] = /^(.*?)('*)$/.exec(name) ?? [];
  return `${letter}${index}${primes}`;
}

/** 101_2, 2A_{16} (the letters follow as a product): the value of the digits in that base. */
function inBase(cursor: Cursor, value: Expression): Expression {
  if (value.kind !== "number" || value.value.denominator !== 1n || value.decimal) return fail();
  cursor.position++;
  const isBraced = accept(cursor, "{");
  const token = peek(cursor);
  if (token?.type !== "number" && token?.type !== "text") return fail();
  cursor.position++;
  if (isBraced && !accept(cursor, "}")) fail();
  const base = token.type === "number" ? Number(token.text) : Number.NaN;
  const digits = value.value.numerator.toString();
  if (!Number.isInteger(base) || base < 2 || base > 36) return fail();
  return valueInBase(digits, base);
}

/** Throws LimitReached where a digit does not belong to the base. */
export function valueInBase(digits: string, base: number): Expression {
  let value = 0n;
  for (const digit of digits) {
    const weight = Number.parseInt(digit, 36);
    if (!(weight < base)) fail();
    value = value * BigInt(base) + BigInt(weight);
  }
  return { ...number(rational(value)), digits };
}
