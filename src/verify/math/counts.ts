/** Counts of several kinds of things: "6 boys and 4 girls", "boys: 6, girls: 4". The order is free, the number of each is not. */
import { numberInWords } from "./number-words.ts";
import { isUnitWord } from "./units.ts";

const COUNT = String.raw`(\d{1,9}(?:\.\d{1,9})?|[a-z]+(?:-[a-z]+)?) ([a-z]{3,20})`;
const COUNTS = new RegExp(`^${COUNT}(?:,? and |, | & )${COUNT}(?:,? and |, | & )?(?:${COUNT})?$`);
const LABELLED = /^([a-z]{3,20}): (\d{1,9})(?:, |; )([a-z]{3,20}): (\d{1,9})(?:(?:, |; )([a-z]{3,20}): (\d{1,9}))?$/;

/** The number of each kind, sorted: "boys 6, girls 4"; null for anything else, and for parts of one measure (2 hours 30 minutes). */
export function countsOf(text: string): string | null {
  if (text.length > 100 || !/[a-z]{3}/i.test(text)) return null;
  const bare = text
    .replaceAll(/\\(?:text|textrm|mathrm|mbox)(?![a-zA-Z])|[{}$*]|\\[,;: ]|~/g, " ")
    .replaceAll(/\s+/g, " ")
    .replace(/\.\s?$/, "")
    .trim()
    .toLowerCase()
    .replace(/^there (?:are|were|is|was) /, "");
  const [, ...parts] = COUNTS.exec(bare) ?? [];
  const [, ...labelled] = LABELLED.exec(bare) ?? [];
  const given = (parts.length > 0 ? parts : labelled).filter((part) => part !== undefined);
  const counts: string[] = [];
  for (let at = 0; at < given.length; at += 2) {
    const [count, kind] = parts.length > 0 ? [given[at]!, given[at + 1]!] : [given[at + 1]!, given[at]!];
    const value = /\d/.test(count) ? count : numberInWords(count)?.numerator;
    if (value === undefined || isUnitWord(kind)) return null;
    counts.push(`${kind} ${value}`);
  }
  return counts.length === 0 || new Set(counts.map((count) => count.split(" ")[0])).size < counts.length
    ? null
    : counts.sort().join(", ");
}
