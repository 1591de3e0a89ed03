/** What stands between brackets: groups, tuples and intervals, sets, matrices, absolute values, floors and ceilings. */
import { accept, at, type Cursor, deeper, enclosed, expect, fail, isOperator, peek, replaceToken } from "./cursor.ts";
import { call, type Expression, isConditions, type Of, quotient } from "./expression.ts";
import type { Token } from "./lexer.ts";
import { matrix } from "./matrix-rules.ts";

/** The atom that this bracket opens. */
export function bracketAtom(cursor: Cursor, opening: string): Expression {
  if (opening.startsWith("begin:")) return matrix(cursor, opening.slice("begin:".length));
  cursor.position++;
  switch (opening) {
    case "{":
      return peek(cursor)?.type === "name" && isOperator(peek(cursor, 1), "|", "mid")
        ? set(cursor, "}")
        : group(cursor);
    case "(":
    case "[":
    case "]":
      return bracketed(cursor, opening);
    case "\\{":
      return set(cursor);
    case "langle": {
      const inside = enclosed(cursor, cursor.rules.list);
      expect(cursor, "rangle");
      return { kind: "tuple", items: inside.kind === "list" ? inside.items : [inside], open: "<", close: ">" };
    }
    case "|":
    case "||": {
      if (opening === "||" && !cursor.tokens.slice(cursor.position).some((token) => isOperator(token, "||"))) {
        // ||y| + x|: two bars that open one after the other.
        cursor.position--;
        splitBars(cursor);
        return bracketAtom(cursor, "|");
      }
      cursor.bars++;
      const inside = deeper(cursor, cursor.rules.sum);
      cursor.bars--;
      // |x||y|: the first of two bars closes, and the second opens.
      if (opening === "|" && at(cursor, "||")) splitBars(cursor);
      expect(cursor, opening);
      return call("abs", inside);
    }
    case "lfloor":
    case "lceil": {
      const inside = enclosed(cursor, cursor.rules.sum);
      expect(cursor, opening === "lfloor" ? "rfloor" : "rceil");
      return call(opening === "lfloor" ? "floor" : "ceil", inside);
    }
    default:
      return fail();
  }
}

/** A LaTeX group: {…}, with {a \over b} and {n \choose k}. */
function group(cursor: Cursor): Expression {
  if (accept(cursor, "}")) return fail();
  const first = enclosed(cursor, cursor.rules.list);
  if (accept(cursor, "}")) return first;
  const infix = expect(cursor, "over", "choose");
  const second = enclosed(cursor, cursor.rules.list);
  expect(cursor, "}");
  return infix === "over" ? quotient(first, second) : call("binom", first, second);
}

/** Round or square brackets: one expression in brackets is itself; several are a tuple, or with bounds an interval. */
function bracketed(cursor: Cursor, open: "(" | "[" | "]"): Expression {
  const inside = enclosed(cursor, cursor.rules.list);
  const close = expect(cursor, ")", "]", ...(open === "(" || inside.kind === "list" ? ["["] : []));
  if (inside.kind !== "list") {
    const matches = (open === "(" && close === ")") || (open === "[" && close === "]");
    return matches ? inside : fail();
  }
  if (close !== ")" && close !== "]" && close !== "[") return fail();
  // (x > 1 and x < 3): conditions, and no pair.
  if (open === "(" && close === ")" && inside.joiner !== "," && isConditions(inside)) return inside;
  const tuple: Of<"tuple"> = { kind: "tuple", items: inside.items, open, close };
  return tuple;
}

/** \{1, 2\}, \{\}, \{x : x > 0\}. */
function set(cursor: Cursor, end = "\\}"): Expression {
  if (accept(cursor, end)) return { kind: "set", items: [] };
  const first = enclosed(cursor, cursor.rules.list, true);
  if (at(cursor, "|", ":", "mid")) {
    cursor.position++;
    const condition = enclosed(cursor, cursor.rules.list);
    expect(cursor, end);
    return { kind: "set-builder", subject: first, condition };
  }
  expect(cursor, end);
  return { kind: "set", items: first.kind === "list" ? first.items : [first] };
}

/** || as two bars. */
function splitBars(cursor: Cursor): void {
  const bar: Token = { type: "operator", text: "|", spaced: false };
  replaceToken(cursor, [bar, bar]);
}
