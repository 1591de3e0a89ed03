/**
 * Is what a program said what was expected? Decided here, outside the sandbox, on plain data.
 *
 *   lines     the same lines, white space at the ends of a line and empty lines at both ends of the text apart (Open-R1 compares only as
 *             many lines as both texts have, so that a prefix passes: mission trap 6)
 *   tokens    the same words between white space, as the checkers of most contests
 *   numbers   the same words, and numbers of which one has a fraction within the tolerance: |a - b| <= tolerance max(1, |expected|)
 *
 * Values are equal by kind and content: true is not 1, "1" is not 1, a tuple is a list, a set is none (it would answer for every order), and
 * numbers of which one has a fraction may differ by 1e-9 of their size; where an integer is expected, by less than a half: the next one is another.
 */
import { isList, type Json } from "./json.ts";

export const COMPARISONS = ["lines", "tokens", "numbers"] as const;

/** How two texts are compared. */
export interface Comparison {
  readonly by: (typeof COMPARISONS)[number];
  /** Of `numbers`. */
  readonly tolerance: number;
}

export const exactLines: Comparison = { by: "lines", tolerance: 0 };

export function sameText(expected: string, actual: string, { by, tolerance }: Comparison = exactLines): boolean {
  const [wanted, got] = by === "lines" ? [linesOf(expected), linesOf(actual)] : [wordsOf(expected), wordsOf(actual)];
  const isSame = by === "numbers" ? (a: string, b: string) => isSameWord(a, b, tolerance) : Object.is;
  return wanted.length === got.length && wanted.every((piece, index) => isSame(piece, got[index]!));
}

function linesOf(text: string): string[] {
  return text
    .trim()
    .split(/\r\n|\n|\r/)
    .map((line) => line.trim());
}

function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

/** Two integers are compared exactly: they count, and do not approximate. */
function isSameWord(expected: string, actual: string, tolerance: number): boolean {
  if (expected === actual) return true;
  const integer = /^[+-]?\d{1,5000}$/;
  if (integer.test(expected) && integer.test(actual)) return integerOf(expected) === integerOf(actual);
  const number = /^[+-]?(?:\d{1,400}\.?\d{0,400}|\.\d{1,400})(?:e[+-]?\d{1,4})?$/i;
  if (!number.test(expected) || !number.test(actual)) return false;
  const [a, b] = [Number(expected), Number(actual)];
  // Too large for a number, and so near to none.
  return Number.isFinite(a) && Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(a));
}

function integerOf(text: string): bigint {
  return BigInt(text.startsWith("+") ? text.slice(1) : text);
}

/** What the interpreter spells a value as; numbers are texts, so that none is rounded on the way. */
export type Spelled = readonly [kind: string, content: unknown];

const TOLERANCE = 1e-9;
/** What is left of sums that cancel. */
const ROUNDING = 1e-12;

/** `actual` is what the sandbox sent, so it may be anything. */
export function sameValue(expected: Json, actual: unknown): boolean {
  if (!Array.isArray(actual) || actual.length !== 2) return false;
  const [kind, content] = actual as [unknown, unknown];
  if (expected === null) return kind === "null";
  if (typeof expected === "boolean") return kind === "boolean" && content === expected;
  if (typeof expected === "string") return kind === "string" && content === expected;
  if (typeof expected === "number" || typeof expected === "bigint") return sameNumber(expected, kind, content);
  if (!Array.isArray(content)) return false;
  if (isList(expected)) {
    const isAsLong = kind === "list" && content.length === expected.length;
    return isAsLong && expected.every((item, index) => sameValue(item, content[index]));
  }
  if (kind !== "map") return false;
  const entries = Object.entries(expected);
  if (entries.length !== content.length) return false;
  // 1 and "1" are two keys of a program, and one of ours: neither may stand for another.
  const seen = new Set<string>();
  return content.every((pair) => {
    if (!Array.isArray(pair) || pair.length !== 2) return false;
    const key = keyText(pair[0]);
    if (key === null || seen.has(key) || !Object.hasOwn(expected, key)) return false;
    seen.add(key);
    return sameValue(expected[key]!, pair[1]);
  });
}

function sameNumber(expected: number | bigint, kind: unknown, content: unknown): boolean {
  if (typeof content !== "string") return false;
  if (kind === "integer") {
    if (!/^-?\d{1,5000}$/.test(content)) return false;
    return typeof expected === "bigint" || Number.isInteger(expected)
      ? BigInt(content) === BigInt(expected)
      : isNear(expected, Number(content));
  }
  if (kind !== "number" || !isNear(Number(expected), Number(content))) return false;
  const isInteger = typeof expected === "bigint" || Number.isSafeInteger(expected);
  return !isInteger || Math.abs(Number(expected) - Number(content)) < 0.5;
}

/** An expected number that is too large for one is near to none. */
function isNear(expected: number, actual: number): boolean {
  return Number.isFinite(expected) && Math.abs(expected - actual) <= Math.max(TOLERANCE * Math.abs(expected), ROUNDING);
}

/** JSON has only texts as keys: {1: 2} of Python is {"1": 2}. */
function keyText(spelled: unknown): string | null {
  if (!Array.isArray(spelled) || typeof spelled[1] !== "string") return null;
  return spelled[0] === "string" || spelled[0] === "integer" ? spelled[1] : null;
}
