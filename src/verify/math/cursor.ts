/** Where the parser stands among the tokens, and the few ways to look and move. */
import { LimitReached } from "./budget.ts";
import type { Expression } from "./expression.ts";
import type { Token } from "./lexer.ts";

/** A rule of the grammar. */
export type Rule = (cursor: Cursor) => Expression;

export interface Cursor {
  readonly tokens: readonly Token[];
  /** The rules that atoms come back to. */
  readonly rules: {
    readonly list: Rule;
    readonly relation: Rule;
    readonly sum: Rule;
    readonly product: Rule;
    readonly power: Rule;
    readonly atom: Rule;
  };
  position: number;
  depth: number;
  /** Nested rules that were run: the bound on all reading, whatever is read again. */
  steps: number;
  /** Open bars of |x|: a bar closes where one is open, and opens where none is. */
  bars: number;
  /** Inside a set's braces a bar and a colon separate the subject from its condition. */
  inBraces: boolean;
  /** Inside the rows of cases a line end does not separate the items of a list. */
  inRows: boolean;
  /** Open integrals: inside one, a d before a letter ends the integrand. */
  integrals: number;
}

/** Deeper nesting is no answer: it is a degenerate or hostile text. */
export const MAX_DEPTH = 160;
/** So many nested rules take some milliseconds; a text of as many tokens as there may be needs a quarter. */
const MAX_PARSE_STEPS = 40_000;

export function fail(what = "syntax"): never {
  throw new LimitReached(what);
}

export function peek(cursor: Cursor, ahead = 0): Token | undefined {
  return cursor.tokens[cursor.position + ahead];
}

export function isOperator(token: Token | undefined, ...texts: readonly string[]): boolean {
  return token?.type === "operator" && texts.includes(token.text);
}

/** True when the next token is one of these operators. */
export function at(cursor: Cursor, ...texts: readonly string[]): boolean {
  return isOperator(peek(cursor), ...texts);
}

/** Moves past the operator when it is next. */
export function accept(cursor: Cursor, text: string): boolean {
  if (!at(cursor, text)) return false;
  cursor.position++;
  return true;
}

export function expect(cursor: Cursor, ...texts: readonly string[]): string {
  const token = peek(cursor);
  if (token?.type !== "operator" || !texts.includes(token.text)) fail();
  cursor.position++;
  return token.text;
}

/** Runs a nested rule; throws LimitReached past MAX_DEPTH or MAX_PARSE_STEPS. */
export function deeper(cursor: Cursor, rule: Rule): Expression {
  if (++cursor.depth > MAX_DEPTH) fail("depth");
  if (++cursor.steps > MAX_PARSE_STEPS) fail("steps");
  const result = rule(cursor);
  cursor.depth--;
  return result;
}

/** Runs a rule between brackets: the bars, braces and integrals outside do not reach inside. */
export function enclosed(cursor: Cursor, rule: Rule, inBraces = false): Expression {
  const { bars, inBraces: outer, integrals } = cursor;
  Object.assign(cursor, { bars: 0, inBraces, integrals: 0 });
  const result = deeper(cursor, rule);
  Object.assign(cursor, { bars, inBraces: outer, integrals });
  return result;
}

/** The cursor's tokens are its own copy from here on, with others in the place of the next one. */
export function replaceToken(cursor: Cursor, parts: readonly Token[]): void {
  const { tokens, position } = cursor;
  Object.assign(cursor, { tokens: [...tokens.slice(0, position), ...parts, ...tokens.slice(position + 1)] });
}
