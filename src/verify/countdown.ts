/**
 * Countdown: reach a target from given numbers with + - * / and brackets, each number used exactly once.
 *
 * A real parser over exact fractions, not `eval` on a filtered string: `**`, `//`, leading zeros that make octals, and floats
 * that almost hit the target cannot pass. (The task: Gandhi et al. 2024, arXiv 2404.03683; scores: TinyZero, 1 / 0.1 / 0.)
 *
 *   expression := term (("+" | "-") term)*
 *   term       := factor (("*" | "/") factor)*
 *   factor     := "-" factor | integer | "(" expression ")" | "[" expression "]"
 *
 * The text may end in "= N"; it must then be true.
 */
import { add, divide, equal, multiply, negate, type Rational, rational, subtract } from "./numeric.ts";

const MAX_LENGTH = 500;
const MAX_DEPTH = 50;
const MAX_DIGITS = 15;

export interface CountdownExpression {
  readonly value: Rational;
  /** Every integer of the expression, in order. */
  readonly numbers: readonly number[];
}

/** right: reaches the target by the rules; wrong: an expression that does not; unparseable: no expression at all. */
export function judgeCountdown(
  text: string,
  numbers: readonly number[],
  target: number,
): "right" | "wrong" | "unparseable" {
  const sides = normalise(text).split("=");
  const expression = parseExpression(sides[0]!);
  if (expression === null || sides.length > 2) return "unparseable";
  const claimed = sides.length === 2 ? parseExpression(sides[1]!) : null;
  if (sides.length === 2 && (claimed === null || !equal(claimed.value, expression.value))) return "wrong";
  const used = [...expression.numbers].sort((a, b) => a - b);
  const given = [...numbers].sort((a, b) => a - b);
  const usesEachOnce = used.length === given.length && used.every((number, index) => number === given[index]);
  return usesEachOnce && Number.isSafeInteger(target) && equal(expression.value, rational(BigInt(target)))
    ? "right"
    : "wrong";
}

/** LaTeX and typographic signs become the four plain ones. */
function normalise(text: string): string {
  return text
    .slice(0, MAX_LENGTH + 1)
    .replaceAll(/\\times|\\cdot|[×·⋅∗]/g, "*")
    .replaceAll(/\\div|[÷∕]/g, "/")
    .replaceAll(/[\u2212\u2013]/g, "-")
    .replaceAll(/\\left|\\right|\$/g, "")
    .trim();
}

/** null for anything but a whole expression, and for a division by zero. */
export function parseExpression(text: string): CountdownExpression | null {
  if (text.length > MAX_LENGTH) return null;
  const tokens = text.match(/\d+|[-+*/()[\]]|\S/g) ?? [];
  const numbers: number[] = [];
  let position = 0;

  function expression(depth: number): Rational | null {
    let left = term(depth);
    while (left !== null && (tokens[position] === "+" || tokens[position] === "-")) {
      const operator = tokens[position++];
      const right = term(depth);
      if (right === null) return null;
      left = operator === "+" ? add(left, right) : subtract(left, right);
    }
    return left;
  }

  function term(depth: number): Rational | null {
    let left = factor(depth);
    while (left !== null && (tokens[position] === "*" || tokens[position] === "/")) {
      const operator = tokens[position++];
      const right = factor(depth);
      if (right === null) return null;
      left = operator === "*" ? multiply(left, right) : divide(left, right);
    }
    return left;
  }

  function factor(depth: number): Rational | null {
    const token = tokens[position++];
    if (token === undefined || depth > MAX_DEPTH) return null;
    if (token === "-") {
      const value = factor(depth + 1);
      return value === null ? null : negate(value);
    }
    if (token === "(" || token === "[") {
      const value = expression(depth + 1);
      return tokens[position++] === (token === "(" ? ")" : "]") ? value : null;
    }
    if (!/^\d+$/.test(token) || token.length > MAX_DIGITS) return null;
    numbers.push(Number(token));
    return rational(BigInt(token));
  }

  const value = expression(0);
  return value !== null && position === tokens.length ? { value, numbers } : null;
}
