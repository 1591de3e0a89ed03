/** The hunks of a unified diff between two texts, line for line what Python's difflib.unified_diff writes below its two header lines. */
import { type MatchOptions, matchingBlocks } from "./sequence-matcher.ts";

interface Change {
  readonly tag: "equal" | "replace" | "delete" | "insert";
  readonly aLow: number;
  readonly aHigh: number;
  readonly bLow: number;
  readonly bHigh: number;
}

/** "" for equal texts; null past maxSteps. Lines end as in Python's splitlines, with numContext lines around a change. */
export function unifiedDiff(
  before: string,
  after: string,
  { numContext = 3, ...options }: MatchOptions & { readonly numContext?: number } = {},
): string | null {
  const [a, b] = [splitLines(before), splitLines(after)];
  const changes = changesBetween(a, b, options);
  if (changes === null) return null;
  const lines: string[] = [];
  for (const hunk of hunksOf(changes, numContext)) {
    const [first, last] = [hunk[0]!, hunk.at(-1)!];
    lines.push(`@@ -${rangeOf(first.aLow, last.aHigh)} +${rangeOf(first.bLow, last.bHigh)} @@`);
    for (const { tag, aLow, aHigh, bLow, bHigh } of hunk) {
      if (tag === "equal") lines.push(...a.slice(aLow, aHigh).map((line) => ` ${line}`));
      if (tag === "replace" || tag === "delete") lines.push(...a.slice(aLow, aHigh).map((line) => `-${line}`));
      if (tag === "replace" || tag === "insert") lines.push(...b.slice(bLow, bHigh).map((line) => `+${line}`));
    }
  }
  return lines.join("\n");
}

/** As str.splitlines: also at vertical tabs, form feeds, file separators and the line ends of Unicode; no last empty line. */
export function splitLines(text: string): string[] {
  const lines = text.split(/\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function changesBetween(a: readonly string[], b: readonly string[], options: MatchOptions): Change[] | null {
  const blocks = matchingBlocks(a, b, options);
  if (blocks === null) return null;
  const changes: Change[] = [];
  let [i, j] = [0, 0];
  for (const { aStart, bStart, size } of [...blocks, { aStart: a.length, bStart: b.length, size: 0 }]) {
    const tag = i < aStart && j < bStart ? "replace" : i < aStart ? "delete" : j < bStart ? "insert" : null;
    if (tag !== null) changes.push({ tag, aLow: i, aHigh: aStart, bLow: j, bHigh: bStart });
    [i, j] = [aStart + size, bStart + size];
    if (size > 0) changes.push({ tag: "equal", aLow: aStart, aHigh: i, bLow: bStart, bHigh: j });
  }
  return changes;
}

/** Changes with at most `numContext` equal lines around them; further apart than twice that, they are different hunks. */
function hunksOf(changes: readonly Change[], numContext: number): Change[][] {
  if (changes.every(({ tag }) => tag === "equal")) return [];
  const hunks: Change[][] = [];
  let hunk: Change[] = [];
  for (const [index, change] of changes.entries()) {
    if (change.tag !== "equal") {
      hunk.push(change);
      continue;
    }
    const { aLow, aHigh, bLow, bHigh } = change;
    const head = index === 0 ? 0 : numContext;
    const tail = index === changes.length - 1 ? 0 : numContext;
    const length = aHigh - aLow;
    if (index > 0 && index < changes.length - 1 && length <= 2 * numContext) {
      hunk.push(change);
      continue;
    }
    if (index > 0) {
      const kept = Math.min(head, length);
      hunk.push({ ...change, aHigh: aLow + kept, bHigh: bLow + kept });
      hunks.push(hunk);
      hunk = [];
    }
    if (index < changes.length - 1) {
      const kept = Math.min(tail, length);
      hunk.push({ ...change, aLow: aHigh - kept, bLow: bHigh - kept });
    }
  }
  if (hunk.some(({ tag }) => tag !== "equal")) hunks.push(hunk);
  return hunks;
}

/** "7,3": the first line and the number of lines; one line is "7", none is the line before and ",0". */
function rangeOf(low: number, high: number): string {
  const length = high - low;
  if (length === 1) return String(low + 1);
  return `${length === 0 ? low : low + 1},${length}`;
}
