/**
 * The boxes of a response, `\boxed{…}` and `\fbox{…}`, and which of them are one answer together.
 *
 * Boxes side by side, or with nothing but a separator between them, are the parts of a list: `\boxed{1}, \boxed{2}` and
 * `$x=\boxed{1}$ and $y=\boxed{2}$`. Math-Verify also joins boxes up to 70 characters apart when a comma stands between; we do
 * not: prose between two boxes makes the second a new answer. One pass over the text, however many braces it has.
 */

/** One box: what it holds, and where its command starts and ends. */
export interface Box {
  readonly content: string;
  readonly start: number;
  readonly end: number;
}

const COMMAND = /\\(?:boxed|fbox|framebox)(?![a-zA-Z])\s{0,8}/y;

/** `\boxed 7`, `\boxed x`, `\boxed\pi`: without braces the box holds one number, letter or command. */
const BARE = /-?\d{1,40}(?:\.\d{1,40})?|[A-Za-z]|\\[A-Za-z]{1,20}/y;

/** The outermost closed boxes in reading order. A box that never closes is a cut answer, hence none. */
export function findBoxes(text: string): Box[] {
  const boxes: Box[] = [];
  /** Open braces, each with the start of its box and of its content, or null for a brace of no box. */
  const open: ({ readonly start: number; readonly inside: number } | null)[] = [];
  let position = nextBox(text, 0);
  while (position !== -1 && position < text.length) {
    const char = text[position];
    if (char === "\\") {
      COMMAND.lastIndex = position;
      const command = COMMAND.exec(text);
      if (command === null) {
        position += 2;
        continue;
      }
      const start = position;
      position += command[0].length;
      if (text[position] === "{") {
        position++;
        open.push({ start, inside: position });
        continue;
      }
      BARE.lastIndex = position;
      const bare = BARE.exec(text);
      if (bare === null) continue;
      position += bare[0].length;
      addBox(boxes, { content: bare[0], start, end: position });
    } else {
      if (char === "{") open.push(null);
      if (char === "}") {
        const box = open.pop();
        if (box != null) {
          addBox(boxes, { content: text.slice(box.inside, position).trim(), start: box.start, end: position + 1 });
        }
      }
      position++;
    }
    // Outside every brace the next box is all that matters.
    if (open.length === 0) position = nextBox(text, position);
  }
  return boxes;
}

/** A box at the end of a text that was cut before its brace closed, where no box closes after it: what it holds up to the line's end. */
export function openBox(text: string): Box | null {
  const start = Math.max(text.lastIndexOf("\\boxed{"), text.lastIndexOf("\\fbox{"));
  if (start === -1) return null;
  const inside = text.indexOf("{", start) + 1;
  const content = /^[^\n$]{1,200}/.exec(text.slice(inside, inside + 201))?.[0].trim() ?? "";
  const closing = (content.match(/(?<!\\)\}/g)?.length ?? 0) - (content.match(/(?<!\\)\{/g)?.length ?? 0);
  return content === "" || closing !== 0 ? null : { content, start, end: text.length };
}

/** Adds a box that has just closed, unless it is an empty frame; those inside it are part of it. */
function addBox(boxes: Box[], box: Box): void {
  if (/^(?:\s|\\[,;:! ]|\\q?quad|\\[hv]?phantom\s?\{[^{}]*\})*$/.test(box.content.slice(0, 80))) return;
  while (boxes.length > 0 && boxes.at(-1)!.start > box.start) boxes.pop();
  boxes.push(box);
}

/** One pattern, since two searches for one word each would read the rest of the text anew at every box. */
function nextBox(text: string, from: number): number {
  NEXT.lastIndex = from;
  return NEXT.exec(text)?.index ?? -1;
}

const NEXT = /\\(?:boxed|fbox|framebox)/g;

/**
 * Neighbouring boxes as one answer each, in reading order: their contents, joined by commas, without repeats. Boxes with a sign of
 * approximation between them are an exact value and its decimals.
 */
export function joinBoxes(text: string, boxes: readonly Box[]): Box[] {
  const groups: { contents: string[]; start: number; end: number }[] = [];
  for (const { content, start, end } of boxes) {
    const last = groups.at(-1);
    const gap = last === undefined ? "" : text.slice(last.end, start);
    if (last !== undefined && APPROXIMATION.test(gap)) {
      last.contents.push(`${last.contents.pop() ?? ""} \\approx ${content}`);
      last.end = end;
    } else if (last !== undefined && isSeparator(gap)) {
      if (!last.contents.includes(content)) last.contents.push(content);
      last.end = end;
    } else groups.push({ contents: [content], start, end });
  }
  return groups.map(({ contents, start, end }) => ({ content: contents.join(", "), start, end }));
}

/** "\approx" between two boxes, in a formula or between two. */
const APPROXIMATION = /^[\s$]{0,4}(?:\\approx|\u2248)[\s$]{0,4}$/;

/** True for what stands between the parts of one answer: nothing, or "," ";" "and" "or", then perhaps the next part's name. */
export function isSeparator(gap: string): boolean {
  // Most gaps are prose, and most prose has a longer word.
  if (gap.length > 60 || (/[A-Za-z]{4}/.test(gap) && !gap.includes("\\"))) return false;
  const bare = gap
    .replaceAll(/\\(?:text|mbox|textrm|mathrm)\s?\{([^{}]{0,20})\}/g, " $1 ")
    .replaceAll(/\$|\\[()[\]]|\\q?quad(?![a-zA-Z])|\\[,;:! ]|~/g, " ")
    .replaceAll(/\s+/g, " ")
    .trim();
  return bare === "" || /^(?:,|;|&|(?:[,;] ?)?(?:and|or))(?: ?[A-Za-z](?:_\{?\w\}?)? ?=)?$/.test(bare);
}
