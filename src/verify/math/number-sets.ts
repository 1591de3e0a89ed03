/** The letters of number sets, and the halves of R by their marks. */
import { at, type Cursor, isOperator, peek } from "./cursor.ts";
import { type Expression, number, type Of, product, symbol } from "./expression.ts";

/** Number sets by their names: "all real numbers", "the set of integers", "all positive integers n". */
const NAMED: readonly (readonly [pattern: RegExp, name: "N" | "Z" | "Q" | "R" | "C"])[] = [
  [/^reals$|^real (?:numbers|[a-z]|values(?: of [a-z])?)$/, "R"],
  [/^rational numbers$|^rationals$/, "Q"],
  [/^complex numbers$/, "C"],
  [/^integers$|^integer values(?: of [a-z])?$/, "Z"],
  [/^(?:natural numbers|positive (?:integers|whole numbers|integer values(?: of [a-z])?))$/, "N"],
];

/** The set that these words (lower case, without articles) name, or null. */
export function numberSetOf(words: string): Expression | null {
  const bare = words
    .replace(/^s\.(?=reals$)/, "")
    .replace(/^set of /, "")
    .replace(/^(?:every|any) (real number|rational number|integer|natural number)$/, "$1s")
    .replace(/^all (?:of )?/, "")
    .replace(/(?<=s) [a-z]$/, "");
  const named = NAMED.find(([pattern]) => pattern.test(bare));
  // "real x" alone is no set.
  if (named === undefined || (/ [a-z]$/.test(bare) && !words.includes("all "))) return null;
  return { kind: "number-set", name: named[1] };
}

/** \mathbb{R} and what stands behind it; any other letter in this type is a symbol. */
export function numberSet(cursor: Cursor, letter: string): Expression {
  if (letter === "R" || letter === "Z" || letter === "N") return halfOf({ kind: "number-set", name: letter }, cursor);
  if (letter === "Q" || letter === "C") return { kind: "number-set", name: letter };
  return symbol(`mathbb ${letter}`);
}

/** R^+, R_{>0}, R_{>=0} and their like, as the interval; R^* is R without 0. Z^+ is N. */
function halfOf(set: Of<"number-set">, cursor: Cursor): Expression {
  if (!at(cursor, "^", "_")) return set;
  const isBraced = isOperator(peek(cursor, 1), "{");
  const texts = [1, 2, 3, 4].map((ahead) => {
    const token = peek(cursor, ahead);
    return token?.type === "operator" || token?.type === "number" ? token.text : "";
  });
  const mark = `${at(cursor, "^") ? "^" : "_"}${isBraced ? texts.slice(1, texts.indexOf("}")).join("") : texts[0]}`;
  const half = set.name === "R" ? HALVES.get(mark) : POSITIVE.test(mark) ? NATURAL : undefined;
  if (half === undefined) return set;
  cursor.position += isBraced ? texts.indexOf("}") + 2 : 2;
  return half;
}

/** Z^+, Z_{>0}, N^* and their like are the positive integers, for which most answers write N. */
const POSITIVE = /^(?:\^[+*]|_\+|_>0|_>=1)$/;
const NATURAL: Expression = { kind: "number-set", name: "N" };

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
