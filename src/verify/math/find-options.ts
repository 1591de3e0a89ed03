/** What a search looks for, what it tells, and what it ends in: shared by find.ts and find-strictly.ts. */
import type { Candidate, Target } from "./extract.ts";
import type { EqualOptions } from "./options.ts";
import type { Parsed } from "./parse.ts";
import type { Gold, ReadOptions } from "./read.ts";

/** What is looked for, and how it is compared. */
export interface FindOptions extends EqualOptions {
  /** What is looked for; default latex and expression, and string as well when the gold is a choice letter. */
  readonly targets?: readonly Target[];
  /** The strings of the target `string`; default A, B, C, D, and the gold's letter. */
  readonly choices?: readonly string[];
  /** any: the first candidate that can be read. first: the first candidate or nothing. Default any. */
  readonly match?: "any" | "first";
  /** When boxes are tried, against phrases at 0, 50, 100 and 200; -1 = never. Default 50 when lenient, 0 when strict. */
  readonly boxedPriority?: number;
  /** Whether the last formula or number counts where nothing announces an answer. Default true when lenient, false when strict. */
  readonly unanchored?: boolean;
}

/** Tells what was done; the text is made only for those who listen. */
export type Tell = (describe: () => string) => void;

/** Where no answer is, and why. */
export interface Refusal {
  readonly refused: string;
  readonly extracted: string | null;
}

/** The options of reading, with the defaults of the mode and of the golds in place. */
export function readOptions(golds: readonly Gold[], options: FindOptions): ReadOptions {
  const isStrict = options.mode === "strict";
  const letters = golds.flatMap(({ letter }) => (letter === null ? [] : [letter]));
  return {
    targets: options.targets ?? (letters.length > 0 ? ["latex", "expression", "string"] : ["latex", "expression"]),
    choices: options.choices ?? [...new Set(["A", "B", "C", "D", ...letters])],
    boxedPriority: options.boxedPriority ?? (isStrict ? 0 : 50),
    unanchored: options.unanchored ?? !isStrict,
    match: options.match ?? "any",
  };
}

/** Each place in words. */
export const PLACES: Readonly<Record<Candidate["place"], string>> = {
  box: "in a box",
  phrase: "after a phrase that announces it",
  hash: "after ####",
  start: "at the start of the text",
  whole: "the whole text",
  bold: "in bold",
  formula: "the last formula",
  plain: "the last number or arithmetic",
  letter: "the last letter that stands alone",
};

/** A visitor of readAnswer that tells of each candidate. */
export function tellOf(tell: Tell): (candidate: Candidate, parsed: Parsed | null) => void {
  return (candidate, parsed) =>
    tell(
      () =>
        `candidate ${quote(candidate.text)} (${PLACES[candidate.place]}, priority ${candidate.priority}): ${parsed === null ? "cannot be read" : parsed.expression.kind}`,
    );
}

/** A text in quotes, cut to 200 characters. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}
