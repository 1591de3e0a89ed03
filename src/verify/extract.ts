/**
 * Where the answer stands in a response: `<answer>` tags, `\boxed{}`, after `####`, the last number of the text.
 *
 * Every function is total and takes time linear in the text, whatever the text: 150,000 unclosed boxes are one pass.
 */

/** The places that a recipe may name. `auto` tries tags, then a box, then ####, then the last number. */
export const ANSWER_PLACES = ["auto", "answer-tag", "boxed", "hash", "last-number", "whole"] as const;
export type AnswerPlace = (typeof ANSWER_PLACES)[number];

/** Where a reward looks for the answer: a prefill is the template's, and belongs to a response but to no `whole` answer. */
export function searchedText(
  { response, completion }: { readonly response: string; readonly completion: string },
  place: string,
): string {
  return place === "whole" ? completion : response;
}

/** The text of the answer, or null where the response has none at that place. */
export function extractAnswer(text: string, place: AnswerPlace): string | null {
  switch (place) {
    case "answer-tag":
      return lastAnswerBlock(text);
    case "boxed":
      return lastBoxed(text);
    case "hash":
      return afterHash(text);
    case "last-number":
      return lastNumber(text);
    case "whole":
      return text.trim();
    case "auto":
      return extractAnywhere(text);
  }
  return place satisfies never;
}

/** A block of tags is an answer as it stands, or holds a box; without a block, what follows the thinking is searched. */
function extractAnywhere(text: string): string | null {
  const block = lastAnswerBlock(text);
  if (block !== null) return lastBoxed(block) ?? block;
  const spoken = afterThinking(text);
  return lastBoxed(spoken) ?? afterHash(spoken) ?? lastNumber(spoken);
}

/** The trimmed inside of the last `<answer>…</answer>`. A tag that was never closed is no answer. */
export function lastAnswerBlock(text: string): string | null {
  const end = text.lastIndexOf("</answer>");
  if (end === -1) return null;
  const start = text.lastIndexOf("<answer>", end - 1);
  return start === -1 || start + "<answer>".length > end ? null : text.slice(start + "<answer>".length, end).trim();
}

/** What follows the last `</think>`; the whole text where there is none. */
export function afterThinking(text: string): string {
  const end = text.lastIndexOf("</think>");
  return end === -1 ? text : text.slice(end + "</think>".length);
}

/** The inside of `<think>…</think>`, to the end of the text where the tag was never closed; the text without tags. */
export function thinkingOf(text: string): string {
  const open = text.indexOf("<think>");
  const start = open === -1 ? 0 : open + "<think>".length;
  const end = text.indexOf("</think>", start);
  return text.slice(start, end === -1 ? undefined : end);
}

/** The rest of the line after the last `####`. */
export function afterHash(text: string): string | null {
  const start = text.lastIndexOf("####");
  if (start === -1) return null;
  const rest = text.slice(start + 4).trimStart();
  const end = rest.indexOf("\n");
  return (end === -1 ? rest : rest.slice(0, end)).trim();
}

/** The trimmed inside of the `\boxed{…}` or `\fbox{…}` that closes last; braces are balanced, `\{` and `\}` are text. */
export function lastBoxed(text: string): string | null {
  // Each open brace with the start of its box, or -1: one pass, so that unclosed boxes cost no second look.
  const open: number[] = [];
  let last: { start: number; end: number } | null = null;
  let position = firstBox(text, 0);
  while (position !== -1 && position < text.length) {
    const char = text[position];
    if (char === "\\") {
      const box = /\\(?:boxed|fbox)\s{0,8}\{/y;
      box.lastIndex = position;
      const match = box.exec(text);
      position += match?.[0].length ?? 2;
      if (match !== null) open.push(position);
      continue;
    }
    if (char === "{") open.push(-1);
    if (char === "}") {
      const start = open.pop();
      if (start !== undefined && start !== -1) last = { start, end: position };
      // Outside every brace the next box is all that matters.
      if (open.length === 0) {
        position = firstBox(text, position + 1);
        continue;
      }
    }
    position++;
  }
  if (last === null) return null;
  const inside = text.slice(last.start, last.end).trim();
  // A box in a box is the inner one; each round is shorter by a command, and only a hostile text nests deeper than this.
  return inside.startsWith("\\boxed") && inside.endsWith("}") ? innermost(inside) : inside;
}

/** One pattern, since two searches for one word each would read the rest of the text anew at every box. */
function firstBox(text: string, from: number): number {
  BOX.lastIndex = from;
  return BOX.exec(text)?.index ?? -1;
}

const BOX = /\\(?:boxed|fbox)/g;

function innermost(boxed: string): string {
  let inside = boxed;
  for (let depth = 0; depth < 8; depth++) {
    const match = /^\\boxed\s{0,8}\{([\s\S]*)\}$/.exec(inside);
    if (match === null) break;
    inside = match[1]!.trim();
  }
  return inside;
}

const NUMBER = /(?:\d{1,3}(?:,\d{3}){1,60}(?!\d)|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,4}(?!\w))?|\.\d+/;
const NUMBERS = new RegExp(`(${NUMBER.source})(?:\\s?/\\s?(${NUMBER.source}))?(\\s?\\\\?%)?`, "g");

/** The last number of a text with its sign, fraction and percent sign ("-3/4", "12.5%"); digits inside words do not count. */
export function lastNumber(text: string): string | null {
  // Numbers stand near the end, so look there first. One at the window's edge may be cut: the next, wider window finds it.
  for (let width = 1024; ; width *= 8) {
    const from = Math.max(0, text.length - width);
    const last = [...numbersIn(text.slice(from))].at(-1);
    const isLast = from === 0 || width >= WIDEST_WINDOW;
    if (last !== undefined && (isLast || last.start > 256)) return last.text;
    if (isLast) return null;
  }
}

/** Characters at the end of a text in which its last number is looked for: some 20,000 tokens. */
const WIDEST_WINDOW = 65_536;

/** The number of a short answer that holds exactly one ("42 apples" -> "42"), or of the right-hand side of its last "=". */
export function soleNumber(text: string): string | null {
  const [first, second] = numbersIn(text.slice(text.lastIndexOf("=") + 1));
  return first !== undefined && second === undefined ? first.text : null;
}

/** In reading order, each found when it is asked for. */
function* numbersIn(text: string): Generator<{ text: string; start: number }> {
  for (const match of text.matchAll(NUMBERS)) {
    const before = text.slice(Math.max(0, match.index - 6), match.index);
    const after = text.slice(match.index + match[0].length, match.index + match[0].length + 14);
    if (/[\p{L}\p{N}_]$/u.test(before) || (/^[\p{L}_]/u.test(after) && !UNIT.test(after))) continue;
    yield { text: isNegative(before) ? `-${match[0]}` : match[0], start: match.index };
  }
}

/** "18km" and "5th" hold numbers, "2x" and "3D" do not: a unit has at least two letters and no digit. */
const UNIT = /^\p{L}{2,12}(?![\p{L}\p{N}_])/u;

/** A minus just before the number is its sign ("is -4", "= -4", "-$4"), unless it subtracts or joins ("3-4", "3 -4", "B-52"). */
function isNegative(before: string): boolean {
  const match = /^(.*)[-\u2212][$€£¥]?$/su.exec(before);
  if (match === null) return false;
  const left = match[1]!;
  return !/[\p{L}\p{N})\]}]$/u.test(left) && !/[\p{N})\]}]\s*$/u.test(left);
}
