/**
 * Reads a verdict out of what a judge wrote. The last verdict counts, and only one that stands where the protocol wants it: words inside
 * the explanation are none, and "不一样" is never taken for the "一样" that it contains.
 */
import type { JudgeVerdict } from "./protocol.ts";

/** The reply without its thinking; null where the thinking never ends: what follows a cut cannot be known. */
function spoken(reply: string): string | null {
  const end = reply.lastIndexOf("</think>");
  const rest = end === -1 ? reply : reply.slice(end + "</think>".length);
  return rest.includes("<think>") ? null : rest;
}

/** "- **Verdict: EQUIVALENT**." -> "Verdict: EQUIVALENT" */
function plainLine(line: string): string {
  return line
    .replaceAll(/[*_`"'“”‘’「」『』《》]/g, "")
    .replace(/^[\s>#•-]+/, "")
    .replace(/[\s.。!！]+$/, "");
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
    const plain = plainLine(line);
    if (!plain.toLowerCase().startsWith(label.toLowerCase())) continue;
    const rest = plain.slice(label.length).trimStart();
    if (!/^[:：]/.test(rest)) continue;
    return own(values, rest.slice(1).trim().toUpperCase());
  }
  return null;
}

/** The whole of the last line that is not empty. */
export function readLastLine(reply: string, values: Readonly<Record<string, JudgeVerdict>>): JudgeVerdict | null {
  const last =
    (spoken(reply) ?? "")
      .trimEnd()
      .split(/[\n\r]/)
      .at(-1) ?? "";
  return own(values, plainLine(last).toUpperCase());
}

/** The last of the [[marks]]; a mark that is none of `values` is passed over. */
export function readLastMark<Value>(reply: string, values: Readonly<Record<string, Value>>): Value | null {
  let found: Value | null = null;
  for (const [, mark] of (spoken(reply) ?? "").matchAll(/\[\[([^[\]\n]{1,20})\]\]/g)) {
    found = own(values, mark!.trim().toUpperCase()) ?? found;
  }
  return found;
}

/** The last JSON object in the reply, bare, fenced or wrapped in prose; null where none is whole. */
export function readLastObject(reply: string): Readonly<Record<string, unknown>> | null {
  const text = spoken(reply) ?? "";
  let last: Readonly<Record<string, unknown>> | null = null;
  let position = text.indexOf("{");
  // Each open brace costs one scan at most, and a scan that ends is skipped as a whole: braces without an end are bounded.
  for (let tries = 0; position !== -1 && tries < MAX_SCANS; tries++) {
    const end = endOfObject(text, position);
    const value = end === -1 ? null : parseObject(text.slice(position, end));
    if (value !== null) last = value;
    position = text.indexOf("{", value === null ? position + 1 : end);
  }
  return last;
}

const MAX_SCANS = 100;

/** Index after the brace that closes the one at `start`, with braces in JSON strings passed over; -1 where it stays open. */
function endOfObject(text: string, start: number): number {
  let depth = 0;
  let inString = false;
  for (let index = start; index < text.length; index++) {
    const char = text[index];
    if (inString) {
      if (char === "\\") index++;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === "{") depth++;
    else if (char === "}" && --depth === 0) return index + 1;
  }
  return -1;
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
