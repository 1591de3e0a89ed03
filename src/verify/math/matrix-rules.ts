/** Environments: matrices, determinants, and systems of equations. */

import { type Row, row } from "./conditions.ts";
import { accept, type Cursor, enclosed, expect, fail, isOperator, peek } from "./cursor.ts";
import { call, type Expression } from "./expression.ts";

const MATRICES = /^(?:[pbBv]?matrix|smallmatrix|array)\*?$/;
const SYSTEMS = /^(?:aligned|align\*?|gathered\*?|gather\*?|split|equation\*?|eqnarray\*?)$/;
const CASES = /^[dr]?cases\*?$/;

/** From \begin to \end; a system is a list of its relations. */
export function matrix(cursor: Cursor, name: string): Expression {
  cursor.position++;
  if (CASES.test(name)) return cases(cursor, name);
  if (!MATRICES.test(name) && !SYSTEMS.test(name)) return fail();
  if (name === "array" && accept(cursor, "{")) {
    // The column format: {cc|c}.
    while (peek(cursor) !== undefined && !accept(cursor, "}")) cursor.position++;
  }
  const rows: Expression[][] = [[]];
  while (!isOperator(peek(cursor), `end:${name}`)) {
    if (accept(cursor, "newline")) rows.push([]);
    else if (accept(cursor, "&")) continue;
    else rows.at(-1)!.push(enclosed(cursor, MATRICES.test(name) ? cursor.rules.relation : cursor.rules.list));
    if (peek(cursor) === undefined) fail();
  }
  expect(cursor, `end:${name}`);
  const full = rows.filter((row) => row.length > 0);
  if (full.length === 0) return fail();
  if (SYSTEMS.test(name)) return { kind: "list", items: systemOf(full.flat()), joiner: "and" };
  if (full.some((row) => row.length !== full[0]!.length)) return fail();
  const entries: Expression = { kind: "matrix", rows: full };
  return name.startsWith("v") ? call("det", entries) : entries;
}

/** Every case is compared with every other: no answer has more. */
const MAX_CASES = 24;

/** A piecewise function, or a system of relations where no row has a condition. */
function cases(cursor: Cursor, name: string): Expression {
  const rows: Row[] = [];
  while (!isOperator(peek(cursor), `end:${name}`)) {
    if (!accept(cursor, "newline")) rows.push(row(cursor));
    if (peek(cursor) === undefined) fail();
  }
  expect(cursor, `end:${name}`);
  if (rows.length === 0) return fail();
  if (rows.every(({ condition }) => condition === null)) {
    return { kind: "list", items: systemOf(rows.map(({ value }) => value)), joiner: "and" };
  }
  if (rows.length > MAX_CASES) return fail("items");
  return {
    kind: "piecewise",
    branches: rows.map(({ value, condition }, index) => {
      // What the last row gives without a condition holds everywhere else.
      const isRest = condition === null && index === rows.length - 1;
      return { value, condition: condition ?? (isRest ? { kind: "text", words: "otherwise" } : fail()) };
    }),
  };
}

function systemOf(items: readonly Expression[]): Expression[] {
  return items.flatMap((item) => (item.kind === "list" ? item.items : [item]));
}
