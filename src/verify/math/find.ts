/**
 * The search of verify.ts: which part of a response is searched, and in strict mode what is refused there.
 *
 * lenient: the last answer block, then what follows the thinking, then all of the response: the first that holds an answer.
 * strict: only what follows the thinking and, where there are answer blocks, only these; and all that is announced must agree.
 */
import { equalMath } from "./equal.ts";
import { type Candidate, extractCandidates, type Target } from "./extract.ts";
import type { EqualOptions } from "./options.ts";
import { type Parsed, parseMath } from "./parse.ts";
import { type Answer, type Gold, type ReadOptions, readAnswer, readCandidate } from "./read.ts";
import { splitResponse } from "./thinking.ts";

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

/** The answer of a response, for golds of this kind. */
export function findAnswer(
  prediction: string,
  golds: readonly Gold[],
  options: FindOptions,
  tell: Tell,
): Answer | Refusal {
  const search = options.mode === "strict" ? findStrictly : findLeniently;
  return search(prediction, golds, options, tell);
}

function findLeniently(prediction: string, golds: readonly Gold[], options: FindOptions, tell: Tell): Answer | Refusal {
  const { spoken, blocks } = splitResponse(prediction);
  const scopes = [
    { name: "the answer block", text: blocks.at(-1) },
    { name: "the text after the thinking", text: spoken === prediction ? undefined : spoken },
    { name: "the whole response", text: prediction },
  ];
  const read = readOptions(golds, options);
  const wantsWords = golds.some(({ parsed }) => parsed.expression.kind === "text");
  for (const { name, text } of scopes) {
    if (text == null || text.trim() === "") continue;
    tell(() => `looked in ${name}`);
    const answer = readAnswer(text, read, wantsWords, tellOf(tell));
    if (answer !== null) return answer;
  }
  return { refused: "no answer was found", extracted: null };
}

function findStrictly(prediction: string, golds: readonly Gold[], options: FindOptions, tell: Tell): Answer | Refusal {
  const { spoken, blocks, thinking } = splitResponse(prediction);
  if (spoken === null || (spoken.trim() === "" && thinking.trim() !== "")) {
    return { refused: "nothing follows the thinking", extracted: null };
  }
  const texts = blocks.length > 0 ? blocks : [spoken];
  const read = readOptions(golds, options);
  const wantsWords = golds.some(({ parsed }) => parsed.expression.kind === "text");
  tell(() =>
    blocks.length > 0 ? `looked in ${blocks.length} answer blocks` : "looked in the text after the thinking",
  );

  const answers: Answer[] = [];
  for (const text of texts) {
    const answer =
      readAnswer(text, read, wantsWords, tellOf(tell)) ?? (blocks.length > 0 ? soleAnswer(text, read) : null);
    if (answer === null) continue;
    answers.push(answer, ...rivals(text, answer, read));
  }
  const answer = answers.at(-1);
  if (answer === undefined) return { refused: "no answer was announced", extracted: null };
  const distinct = distinctAnswers(answers);
  const listed = distinct.length > 1 ? asList(distinct, golds) : null;
  if (listed !== null) return listed;
  const best = answers[0]!;
  if (distinct.length > 1) {
    const texts = distinct.slice(0, 4).map(({ candidate }) => quote(candidate.text));
    return { refused: `several different answers: ${texts.join(", ")}`, extracted: best.candidate.text };
  }
  if (isChain(best.parsed.source) && !golds.some((each) => isChain(each.text))) {
    return { refused: "a chain of equations is no answer", extracted: best.candidate.text };
  }
  const isScalar =
    golds.length > 0 && golds.every(({ parsed }) => !isListLike(parsed) && parsed.expression.kind !== "tuple");
  if (isScalar && isListLike(best.parsed))
    return { refused: "a list for a single value", extracted: best.candidate.text };
  return best;
}

/** Other answers of the same text that are announced in the same way; of equal texts, one. */
function rivals(text: string, { candidate }: Answer, options: ReadOptions): Answer[] {
  const found: Answer[] = [];
  const seen = new Set([candidate.text]);
  // A phrase gives several readings of one sentence: the first that can be read stands for it.
  const ends = new Set([candidate.end]);
  for (const other of extractCandidates(text, { ...options, unanchored: false })) {
    if (other.place !== candidate.place || ends.has(other.end) || seen.has(other.text)) continue;
    if (seen.size > MAX_RIVALS) break;
    seen.add(other.text);
    const parsed = readCandidate(other);
    if (parsed === null || (other.place !== "box" && parsed.expression.kind === "text")) continue;
    ends.add(other.end);
    found.push({ candidate: other, parsed });
  }
  return found;
}

/** So many different texts are compared, from the end; equal values in more spellings than these do not occur. */
const MAX_RIVALS = 12;

/** One answer for each class of equal answers, as far as needed to know that there are several. */
function distinctAnswers(answers: readonly Answer[]): Answer[] {
  const distinct: Answer[] = [];
  for (const answer of answers) {
    const isKnown = distinct.some(
      ({ parsed }) => parsed.source === answer.parsed.source || equalMath(parsed, answer.parsed).equal,
    );
    if (!isKnown) distinct.push(answer);
  }
  return distinct;
}

/** Different boxes are the items of a list where the gold is a list of as many. */
function asList(distinct: readonly Answer[], golds: readonly Gold[]): Answer | null {
  const fits = golds.some(({ parsed: { expression } }) => {
    return (expression.kind === "list" || expression.kind === "set") && expression.items.length === distinct.length;
  });
  if (!fits || distinct.some(({ candidate }) => candidate.place !== "box")) return null;
  const inOrder = [...distinct].sort((a, b) => a.candidate.start - b.candidate.start);
  const text = inOrder.map(({ candidate }) => candidate.text).join(", ");
  const parsed = parseMath(text, { notation: "latex" });
  return parsed === null ? null : { candidate: { ...distinct[0]!.candidate, text }, parsed };
}

/** In an answer block everything is announced, as long as there is one value only: "It costs 42 dollars." */
function soleAnswer(text: string, options: ReadOptions): Answer | null {
  const found = [...extractCandidates(text, { ...options, unanchored: true })].filter(
    ({ priority }) => priority === 300,
  );
  const parsed = found.length === 1 ? readCandidate(found[0]!) : null;
  return parsed === null || parsed.expression.kind === "text" ? null : { candidate: found[0]!, parsed };
}

/** Two or more equals signs outside lists: 1 = 2 = 3. */
function isChain(text: string): boolean {
  if (/[,;&]|\\\\|\band\b|\bor\b/.test(text)) return false;
  return (text.replaceAll(/[<>!]=|\\neq?/g, "").match(/=+|\\equiv|\\approx/g)?.length ?? 0) > 1;
}

function isListLike({ expression }: Parsed): boolean {
  return expression.kind === "list" || expression.kind === "set" || expression.kind === "plus-minus";
}

function readOptions(golds: readonly Gold[], options: FindOptions): ReadOptions {
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

function tellOf(tell: Tell): (candidate: Candidate, parsed: Parsed | null) => void {
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
