/** Subscripts as parts of names: x_1, v_{max}, a_{n+1}. */
import { accept, type Cursor, fail, isOperator, peek } from "./cursor.ts";

/** "_1", "_{max}" as part of a name; "" where there is none. */
export function subscript(cursor: Cursor): string {
  if (!accept(cursor, "_")) return "";
  const isBraced = accept(cursor, "{");
  let text = "";
  for (let token = peek(cursor); token !== undefined; token = peek(cursor)) {
    if (isBraced && isOperator(token, "}")) break;
    text += token.type === "number" || token.type === "text" || token.type === "operator" ? token.text : token.name;
    cursor.position++;
    if (!isBraced) break;
  }
  if (text === "" || (isBraced && !accept(cursor, "}"))) fail();
  return `_${inOrder(text)}`;
}

/** n+1 and 1+n are one index, and so are i,j and ij. */
function inOrder(text: string): string {
  const index = text.replaceAll(/(?<=[a-z]),(?=[a-z])/gi, "");
  if (!/^\w[\w+-]*$/.test(index) || !/[+-]/.test(index)) return index;
  const terms = index.split(/(?=[+-])/).map((term) => (/^[+-]/.test(term) ? term : `+${term}`));
  return terms
    .sort((a, b) => (a.slice(1) < b.slice(1) ? 1 : -1))
    .join("")
    .replace(/^\+/, "");
}
