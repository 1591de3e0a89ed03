/**
 * The formulas of a response: `$$…$$`, `\[…\]`, `$…$`, `\(…\)`, found from left to right in one pass, and which of them are one
 * answer together (`$3$, $4$, or $5$`).
 *
 * `$` needs care, since it is money as well: it opens a formula when it closes on the same line, unless both signs stand before
 * digits ("from $5 to $6") or a number and a word stand between them ("$5 and $x$").
 */
import { isSeparator } from "./boxes.ts";

/** One formula: what stands between its delimiters, and where these start and end. */
export interface Environment {
  readonly content: string;
  readonly start: number;
  readonly end: number;
}

/** Parts of one list; Math-Verify joins up to as many. */
const MAX_JOINED = 6;

export function findEnvironments(text: string): Environment[] {
  const found: Environment[] = [];
  /** From here on there is no closing delimiter of the kind: it need not be looked for again. */
  const exhausted = new Set<string>();
  const opener = /\\\\|\\\[|\\\(|\\\$|\$\$?/g;
  for (let match = opener.exec(text); match !== null; match = opener.exec(text)) {
    const open = match[0];
    const close = CLOSERS.get(open);
    if (close === undefined || exhausted.has(open)) continue;
    const inside = match.index + open.length;
    const end = closingAt(text, inside, close);
    if (end === -1) {
      exhausted.add(open);
      continue;
    }
    const content = text.slice(inside, end);
    if (open === "$" && !isInline(text, inside, end)) continue;
    if (content.trim() === "") continue;
    found.push({ content: content.trim(), start: match.index, end: end + close.length });
    opener.lastIndex = end + close.length;
  }
  return found;
}

const CLOSERS: ReadonlyMap<string, string> = new Map([
  ["\\[", "\\]"],
  ["\\(", "\\)"],
  ["$$", "$$"],
  ["$", "$"],
]);

function closingAt(text: string, from: number, close: string): number {
  let end = text.indexOf(close, from);
  // An escaped dollar inside a formula is text.
  while (end !== -1 && close.startsWith("$") && text[end - 1] === "\\") end = text.indexOf(close, end + 1);
  return end;
}

function isInline(text: string, inside: number, end: number): boolean {
  const content = text.slice(inside, end);
  if (content.includes("\n")) return false;
  const startsWithDigit = /^\d/.test(content);
  return (
    !startsWithDigit ||
    !(/\d/.test(text[end + 1] ?? "") || /^[\d,.]+\s+[a-z]{2,}[^\\^_=+*]*$/i.test(content.slice(0, 200)))
  );
}

/** Neighbouring formulas as one each, in reading order: their contents, joined by commas. */
export function joinEnvironments(text: string, environments: readonly Environment[]): Environment[] {
  const joined: { contents: string[]; start: number; end: number }[] = [];
  for (const { content, start, end } of environments) {
    const last = joined.at(-1);
    const gap = last === undefined ? "" : text.slice(last.end, start);
    // Formulas with nothing between them are two lines of a derivation, not two answers.
    const isListed = last !== undefined && gap.trim() !== "" && isSeparator(gap);
    if (isListed && last.contents.length < MAX_JOINED) {
      last.contents.push(content);
      last.end = end;
    } else joined.push({ contents: [content], start, end });
  }
  return joined.map(({ contents, start, end }) => ({ content: contents.join(", "), start, end }));
}
