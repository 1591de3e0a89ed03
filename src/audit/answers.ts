/** Which answers a response gives, for detectors: in tags, else in boxes, outside of its thinking. */
import { afterThinking } from "../verify/extract.ts";

const TAG = /<answer>([^<]{0,2000})<\/answer>/g;
const BOX = /\\boxed\s{0,8}\{((?:[^{}]|\{[^{}]{0,500}\}){0,500})\}/g;

/** The answers in tags or boxes, and the response without them; null for a response that gives none. */
export function answerOf(response: string): { readonly answers: readonly string[]; readonly rest: string } | null {
  for (const pattern of [TAG, BOX]) {
    const answers = [...response.matchAll(pattern)].map((match) => match[1]!.trim());
    if (answers.length > 0) return { answers, rest: response.replaceAll(pattern, " ") };
  }
  return null;
}

/** Different answers after the thinking, those that stand in one place with "or" between them counted each. */
export function answersGiven(response: string): number {
  const found = answerOf(afterThinking(response));
  if (found === null) return 0;
  const parts = found.answers.flatMap((answer) => answer.split(/\s+or\s+/i)).map((answer) => answer.trim());
  return new Set(parts.filter((answer) => answer !== "")).size;
}
