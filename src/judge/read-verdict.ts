/**
 * Reads a verdict out of what a judge wrote. The last verdict counts, and only one that stands where the protocol wants it: words inside
 * the explanation, the thinking or a quotation are none, and "不一样" is never taken for the "一样" that it contains. A reply that could be
 * read in two ways is not read.
 */
import type { JudgeVerdict } from "./protocol.ts";

const THINKING =
  /<(\/?)(?:seed:)?(?:think(?:ing)?|thoughts?|reasoning|analysis|reflection|scratchpad)\s*>|\[(\/?)THINK\]|◁(\/?)think▷/gi;

/**
 * The reply without its thinking. null where the thinking never ends, since what follows a cut cannot be known; and where tokens of a
 * chat template show that the judge went on alone with the next turn, or that its server does not part channels.
 */
function spoken(reply: string): string | null {
  if (/<[|｜][\w▁-]+[|｜]>/.test(reply)) return null;
  let start = 0;
  let isOpen = false;
  for (const { 0: tag, 1: angle, 2: square, 3: triangle, index } of reply.matchAll(THINKING)) {
    isOpen = (angle ?? square ?? triangle) === "";
    if (!isOpen) start = index + tag.length;
  }
  return isOpen ? null : reply.slice(start);
}

/** `- **"Verdict` -> `Verdict`; a mark of quotation, >, stays: what is quoted is somebody else's. */
function bare(text: string): string {
  const trimmed = text.trim();
  // No verdict is so long; and the second pattern takes quadratic time.
  if (trimmed.length > 100) return trimmed;
  return trimmed.replace(/^[\s#•*_`"'“”‘’「」『』《》-]+/, "").replace(/[\s.。!！*_`"'“”‘’「」『』《》]+$/, "");
}

/**
 * The value after the label on the last line that begins with it. That line decides alone: if its value is none of `values`, there is
 * no verdict, whatever stood on the lines before.
 */
export function readVerdictLine(
  reply: string,
  label: string,
  values: Readonly<Record<string, JudgeVerdict>>,
): JudgeVerdict | null {
  const lines = (spoken(reply) ?? "").split(/\r\n|[\n\r]/);
  for (const line of lines.reverse()) {
    const colon = line.search(/[:：]/);
    if (colon === -1 || bare(line.slice(0, colon)).toLowerCase() !== label.toLowerCase()) continue;
    return own(values, bare(line.slice(colon + 1)).toUpperCase());
  }
  return null;
}

/** The whole of the last line that is not empty. */
export function readLastLine(reply: string, values: Readonly<Record<string, JudgeVerdict>>): JudgeVerdict | null {
  const lines = (spoken(reply) ?? "").trimEnd().split(/[\n\r]/);
  return own(values, bare(lines.at(-1) ?? "").toUpperCase());
}

/** The whole reply. */
export function readWhole(reply: string, values: Readonly<Record<string, JudgeVerdict>>): JudgeVerdict | null {
  return own(values, bare(spoken(reply) ?? "").toUpperCase());
}

/** The last of the [[marks]] decides alone; one without a letter, such as the matrix [[1]], is none. */
export function readLastMark<Value>(reply: string, values: Readonly<Record<string, Value>>): Value | null {
  let last = "";
  for (const [, mark] of (spoken(reply) ?? "").matchAll(/\[\[([^[\]\n]{1,40})\]\]/g)) {
    if (/\p{L}/u.test(mark!)) last = mark!;
  }
  return own(values, last.trim().toUpperCase());
}

/** The value under `key` of the JSON object in the reply, bare, fenced or wrapped in prose; undefined without one, or with two that differ. */
export function readKey(reply: string, key: string): unknown {
  const values = new Set(
    objectsIn(spoken(reply) ?? "").flatMap((object) => (Object.hasOwn(object, key) ? [object[key]] : [])),
  );
  return values.size === 1 ? [...values][0] : undefined;
}

/**
 * JSON objects that stand inside no other braces. None at all where a brace stays open or a key comes twice: what follows could be a part of
 * what was cut, or a quotation whose marks were forgotten. Linear.
 */
function objectsIn(text: string): Readonly<Record<string, unknown>>[] {
  const objects: Readonly<Record<string, unknown>>[] = [];
  for (let start = text.indexOf("{"); start !== -1; ) {
    const scanned = scanObject(text, start);
    if (scanned === null) return [];
    const value = parseObject(text.slice(start, scanned.end));
    if (value !== null && Object.keys(value).length !== scanned.numKeys) return [];
    if (value !== null) objects.push(value);
    start = text.indexOf("{", scanned.end);
  }
  return objects;
}

/** The index after the brace that closes the one at `start`, and how many keys stand between the two; null where it stays open. */
function scanObject(text: string, start: number): { readonly end: number; readonly numKeys: number } | null {
  let depth = 0;
  let numKeys = 0;
  let inString = false;
  for (let index = start; index < text.length; index++) {
    const char = text[index];
    if (inString) {
      if (char === "\\") index++;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === "{") depth++;
    else if (char === ":" && depth === 1) numKeys++;
    else if (char === "}" && --depth === 0) return { end: index + 1, numKeys };
  }
  return null;
}

function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : null;
  } catch {
    return null;
  }
}

function own<Value>(values: Readonly<Record<string, Value>>, key: string): Value | null {
  return Object.hasOwn(values, key) ? (values[key] ?? null) : null;
}
