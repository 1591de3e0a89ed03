/** The letters of number sets, and the halves of R by their marks. */
import { at, type Cursor, isOperator, peek } from "./cursor.ts";
import { type Expression, number, product, symbol } from "./expression.ts";

/** \mathbb{R} and what stands behind it; any other letter in this type is a symbol. */
export function numberSet(cursor: Cursor, letter: string): Expression {
  if (letter === "R") return halfOf({ kind: "number-set", name: letter }, cursor);
  if (letter === "N" || letter === "Z" || letter === "Q" || letter === "C") return { kind: "number-set", name: letter };
  return symbol(`mathbb ${letter}`);
}

/** R^+, R_{>0}, R_{>=0} and their like, as the interval; R^* is R without 0. */
function halfOf(set: Expression, cursor: Cursor): Expression {
  if (!at(cursor, "^", "_")) return set;
  const isBraced = isOperator(peek(cursor, 1), "{");
  const texts = [1, 2, 3, 4].map((ahead) => {
    const token = peek(cursor, ahead);
    return token?.type === "operator" || token?.type === "number" ? token.text : "";
  });
  const mark = `${at(cursor, "^") ? "^" : "_"}${isBraced ? texts.slice(1, texts.indexOf("}")).join("") : texts[0]}`;
  const half = HALVES.get(mark);
  if (half === undefined) return set;
  cursor.position += isBraced ? texts.indexOf("}") + 2 : 2;
  return half;
}

const ZERO_TO_INFINITY: readonly Expression[] = [number(0), { kind: "constant", name: "infinity" }];
const MINUS_INFINITY_TO_ZERO: readonly Expression[] = [
  product([number(-1), { kind: "constant", name: "infinity" }]),
  number(0),
];

const HALVES: ReadonlyMap<string, Expression> = new Map<string, Expression>([
  ["^+", { kind: "tuple", items: ZERO_TO_INFINITY, open: "(", close: ")" }],
  ["_>0", { kind: "tuple", items: ZERO_TO_INFINITY, open: "(", close: ")" }],
  ["_>=0", { kind: "tuple", items: ZERO_TO_INFINITY, open: "[", close: ")" }],
  ["^-", { kind: "tuple", items: MINUS_INFINITY_TO_ZERO, open: "(", close: ")" }],
  ["_<0", { kind: "tuple", items: MINUS_INFINITY_TO_ZERO, open: "(", close: ")" }],
  ["_<=0", { kind: "tuple", items: MINUS_INFINITY_TO_ZERO, open: "(", close: "]" }],
  [
    "^*",
    {
      kind: "set-operation",
      name: "difference",
      sides: [
        { kind: "number-set", name: "R" },
        { kind: "set", items: [number(0)] },
      ],
    },
  ],
]);
