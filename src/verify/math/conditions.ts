/** The rows of \begin{cases}: values with conditions, which make a piecewise function, or a system without them. */
import { accept, at, type Cursor, enclosed, isOperator, peek } from "./cursor.ts";
import type { Expression } from "./expression.ts";

/** One row; `condition` is null where nothing but a value stands in it. */
export interface Row {
  readonly value: Expression;
  readonly condition: Expression | null;
}

/** Words between a value and its condition. */
const CONNECTIVE = /^(?:if|when|for|where|provided|as long as)$/i;
/** Words that stand for the condition that no other holds. */
const OTHERWISE = /^(?:otherwise|else|elsewhere|in all other cases|for (?:all )?other .*)$/i;
/** Words without meaning inside a condition. */
const FILLERS = /\b(?:if|when|for|where|is|are|an?|the|all)\b/g;

/** A row up to the line's or the environment's end. */
export function row(cursor: Cursor): Row {
  const { inRows } = cursor;
  cursor.inRows = true;
  const value = enclosed(cursor, cursor.rules.list);
  const hasCondition = accept(cursor, "&") || peek(cursor)?.type === "text";
  const found = hasCondition && !atEnd(cursor) ? condition(cursor) : null;
  cursor.inRows = inRows;
  return { value, condition: found };
}

function atEnd(cursor: Cursor): boolean {
  const token = peek(cursor);
  return token === undefined || (token.type === "operator" && (token.text === "newline" || /^end:/.test(token.text)));
}

function condition(cursor: Cursor): Expression {
  while (at(cursor, "&", ",", ":") || CONNECTIVE.test(textAt(cursor))) cursor.position++;
  let end = cursor.position;
  let words = "";
  let hasWords = false;
  for (let token = cursor.tokens[end]; token !== undefined; token = cursor.tokens[++end]) {
    if (isOperator(token, "newline") || (token.type === "operator" && /^end:/.test(token.text))) break;
    if (token.type === "text") hasWords = true;
    words += ` ${token.type === "name" || token.type === "command" || token.type === "function" ? token.name : token.text}`;
  }
  if (!hasWords) return enclosed(cursor, cursor.rules.list);
  cursor.position = end;
  const plain = words.replaceAll(/[,.;:]/g, " ").trim();
  if (OTHERWISE.test(plain)) return { kind: "text", words: "otherwise" };
  return { kind: "text", words: plain.toLowerCase().replaceAll(FILLERS, " ").replaceAll(/\s+/g, " ").trim() };
}

/** True at "if" and its like: what stands before is complete. */
export function isConnective(cursor: Cursor): boolean {
  const words = textAt(cursor);
  return CONNECTIVE.test(words) || OTHERWISE.test(words);
}

function textAt(cursor: Cursor): string {
  const token = peek(cursor);
  return token?.type === "text" ? token.text.trim() : "";
}
