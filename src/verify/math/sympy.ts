/** Values as SymPy prints them: Matrix([[1, 2], [3, 4]]), Interval.open(0, 1), Union(…), FiniteSet(1, 2), Eq(x, 2), Rational(1, 2). */
import { accept, type Cursor, enclosed, expect, fail, isOperator, peek } from "./cursor.ts";
import { type Expression, quotient } from "./expression.ts";
import { SYMPY_CLASSES } from "./vocabulary.ts";

/** True at the name of a class with its bracket or its method. */
export function isSympyCall(cursor: Cursor): boolean {
  const token = peek(cursor);
  return token?.type === "text" && SYMPY_CLASSES.has(token.text) && isOperator(peek(cursor, 1), "(", ".");
}

/** The value of the call at the cursor. */
export function sympyCall(cursor: Cursor): Expression {
  const token = peek(cursor);
  const name = token?.type === "text" ? token.text : fail();
  cursor.position++;
  let method = "";
  if (accept(cursor, ".")) {
    const word = peek(cursor);
    method = word?.type === "text" ? word.text : fail();
    cursor.position++;
  }
  expect(cursor, "(");
  const inside = accept(cursor, ")") ? null : enclosed(cursor, cursor.rules.list);
  if (inside !== null) expect(cursor, ")");
  const args = inside === null ? [] : inside.kind === "list" ? inside.items : [inside];
  return BUILDERS[name]?.(args, method) ?? fail();
}

type Builder = (args: readonly Expression[], method: string) => Expression | null;

const BUILDERS: Readonly<Record<string, Builder>> = {
  Matrix: ([entries]) => {
    if (entries?.kind !== "tuple") return null;
    const rows = entries.items.map((item) => (item.kind === "tuple" ? item.items : [item]));
    return rows.every((row) => row.length === rows[0]!.length) ? { kind: "matrix", rows } : null;
  },
  Interval: ([low, high, isLeftOpen, isRightOpen], method) => {
    if (low === undefined || high === undefined) return null;
    const isOpen = (flag: Expression | undefined, methods: RegExp) =>
      methods.test(method) || (flag?.kind === "text" && flag.words === "true");
    const open = isOpen(isLeftOpen, /^(?:open|Lopen)$/) ? "(" : "[";
    const close = isOpen(isRightOpen, /^(?:open|Ropen)$/) ? ")" : "]";
    return { kind: "tuple", items: [low, high], open, close };
  },
  Union: (sides) => (sides.length < 2 ? null : { kind: "set-operation", name: "union", sides }),
  Intersection: (sides) => (sides.length < 2 ? null : { kind: "set-operation", name: "intersection", sides }),
  FiniteSet: (items) => ({ kind: "set", items }),
  Tuple: (items) => ({ kind: "tuple", items, open: "(", close: ")" }),
  Point: (items) => ({ kind: "tuple", items, open: "(", close: ")" }),
  Point2D: (items) => ({ kind: "tuple", items, open: "(", close: ")" }),
  Point3D: (items) => ({ kind: "tuple", items, open: "(", close: ")" }),
  Eq: (sides) => (sides.length === 2 ? { kind: "relation", sides, operators: ["="] } : null),
  Rational: ([above, below]) => (above === undefined ? null : below === undefined ? above : quotient(above, below)),
  Integer: ([value]) => value ?? null,
  And: (items) => (items.length < 2 ? null : { kind: "list", items, joiner: "and" }),
  Or: (items) => (items.length < 2 ? null : { kind: "list", items, joiner: "or" }),
  Piecewise: (items) => {
    const branches = items.map((item) => {
      const [value, condition] = item.kind === "tuple" && item.items.length === 2 ? item.items : [];
      if (value === undefined || condition === undefined) return null;
      const isRest = condition.kind === "text" && condition.words === "true";
      return { value, condition: isRest ? ({ kind: "text", words: "otherwise" } as const) : condition };
    });
    return branches.some((branch) => branch === null) || branches.length === 0
      ? null
      : { kind: "piecewise", branches: branches.filter((branch) => branch !== null) };
  },
};
