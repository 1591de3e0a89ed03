/**
 * Is what a program said what was expected? Decided here, outside the sandbox, on plain data.
 *
 * Texts are equal when they have the same lines, white space at the ends of a line and empty lines at the end of the text apart. (Open-R1
 * compares only as many lines as both texts have, so that a prefix passes: mission trap 6.) Values are equal by kind and content: true is not 1,
 * "1" is not 1, a tuple is a list, and numbers with a fraction may differ by 1e-9 of their size.
 */
import { isList, type Json } from "./json.ts";

export function sameText(expected: string, actual: string): boolean {
  const [wanted, got] = [linesOf(expected), linesOf(actual)];
  return wanted.length === got.length && wanted.every((line, index) => line === got[index]);
}

function linesOf(text: string): string[] {
  const lines = text.split(/\r\n|\n|\r/).map((line) => line.trim());
  let numLines = lines.length;
  while (numLines > 0 && lines[numLines - 1] === "") numLines--;
  return lines.slice(0, numLines);
}

/** What the interpreter spells a value as; numbers are texts, so that none is rounded on the way. */
export type Spelled = readonly [kind: string, content: unknown];

const TOLERANCE = 1e-9;

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
    if (kind === "list") {
      return content.length === expected.length && expected.every((item, index) => sameValue(item, content[index]));
    }
    return kind === "set" && sameMembers(expected, content);
  }
  if (kind !== "map") return false;
  const entries = Object.entries(expected);
  if (entries.length !== content.length) return false;
  return content.every((pair) => {
    if (!Array.isArray(pair) || pair.length !== 2) return false;
    const key = keyText(pair[0]);
    return key !== null && Object.hasOwn(expected, key) && sameValue(expected[key]!, pair[1]);
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
  return kind === "number" && isNear(Number(expected), Number(content));
}

function isNear(expected: number, actual: number): boolean {
  return Math.abs(expected - actual) <= TOLERANCE * Math.max(1, Math.abs(expected));
}

/** Each expected member is some actual one; a set has no twins, so equal sizes make it both ways. */
function sameMembers(expected: readonly Json[], content: readonly unknown[]): boolean {
  if (expected.length !== content.length || expected.length > 2000) return false;
  const rest = [...content];
  return expected.every((item) => {
    const at = rest.findIndex((other) => sameValue(item, other));
    if (at >= 0) rest.splice(at, 1);
    return at >= 0;
  });
}

/** JSON has only texts as keys: {1: 2} of Python is {"1": 2}. */
function keyText(spelled: unknown): string | null {
  if (!Array.isArray(spelled) || typeof spelled[1] !== "string") return null;
  return spelled[0] === "string" || spelled[0] === "integer" ? spelled[1] : null;
}
