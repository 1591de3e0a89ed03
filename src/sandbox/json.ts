/** JSON without rounding: integers that a double cannot hold are read as bigint. */

export type Json = null | boolean | number | bigint | string | readonly Json[] | { readonly [key: string]: Json };

const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g;
const MARK = "\u0000integer:";

/** Throws SyntaxError as JSON.parse does. */
export function parseJson(text: string): Json {
  // Strings are matched only to be passed over.
  const marked = text.replace(TOKENS, (token) => (token.startsWith('"') ? token : JSON.stringify(MARK + token)));
  return JSON.parse(marked, (_key, value: unknown) =>
    typeof value === "string" && value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value,
  ) as Json;
}

/** Array.isArray, for lists that may not be changed. */
export function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
