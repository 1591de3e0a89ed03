/**
 * Where the answer stands in a response: candidates in the order in which they are to be tried.
 *
 *   priority   place
 *      0       "the final answer is X. I hope it is correct"
 *     50       \boxed{X} (boxedPriority), "the final answer is X", #### X
 *    100       "Answer: X"
 *    200       "the answer is X"
 *    250       a choice letter at the very start of the text, where letters are looked for
 *    260       the whole text, where it is nothing but an answer
 *    280       **X** near the end
 *    300       the last formula, arithmetic expression or number of the text; the last isolated choice letter
 *
 * The lowest priority goes first, and inside one the rightmost, then longest: what Math-Verify does, with its numbers. Departures:
 * far boxes are not joined, \fbox counts, bare LaTeX after a phrase is read, code is no answer, and a text that ends in a loop
 * has only announced answers. Linear in the last 100,000 characters, which are all that is searched.
 */
import { type Anchor, findAnchors } from "./anchors.ts";
import { asciiDigits } from "./ascii.ts";
import { findBoxes, isSeparator, joinBoxes, openBox } from "./boxes.ts";
import { type Environment, findEnvironments, joinEnvironments } from "./environments.ts";
import { findPlain, type PlainMatch } from "./plain.ts";
import { isProse } from "./prose.ts";

export const TARGETS = ["latex", "expression", "string"] as const;
/** latex: boxes and formulas; expression: numbers and arithmetic in plain text; string: isolated choice letters. */
export type Target = (typeof TARGETS)[number];

export type Place = "box" | "phrase" | "hash" | "start" | "whole" | "bold" | "formula" | "plain" | "letter";

/** One text that may be the answer. */
export interface Candidate {
  readonly text: string;
  readonly place: Place;
  readonly priority: number;
  /** Where it ends in the text that was searched. */
  readonly end: number;
  readonly start: number;
}

export interface ExtractOptions {
  readonly targets: readonly Target[];
  /** The strings of the target `string`. */
  readonly choices: readonly string[];
  /** -1 looks for no box. */
  readonly boxedPriority: number;
  /** Whether an answer may stand where nothing announces it (priorities from 250 up). */
  readonly unanchored: boolean;
  /** Whether words are asked for, so that a sentence may be an answer. Default false. */
  readonly words?: boolean;
}

/** No answer is longer: a longer box or formula is a derivation or hostile. */
export const MAX_ANSWER = 4_000;
/** Texts of no more characters may be an answer as a whole. */
const MAX_WHOLE = 300;
const PHRASE_PRIORITIES = [0, 50, 100, 200];

/** An answer stands in the last so many characters: 30,000 tokens. */
const MAX_SEARCH = 100_000;

/** The candidates of a text, best first. */
export function* extractCandidates(whole: string, options: ExtractOptions): Generator<Candidate> {
  const text = asciiDigits(whole.slice(-MAX_SEARCH));
  const { targets, boxedPriority, unanchored, words = false } = options;
  const wantsLatex = targets.includes("latex");
  const boxes = wantsLatex && boxedPriority >= 0 ? boxCandidates(text, boxedPriority) : [];
  let known: Environment[] | null = null;
  const formulasOf = () => {
    known ??= wantsLatex ? joinEnvironments(text, findEnvironments(text)) : [];
    return known;
  };
  const anchors = findAnchors(text, formulasOf);
  for (const priority of [...new Set([...PHRASE_PRIORITIES, boxedPriority])].sort((a, b) => a - b)) {
    const own = boxes.filter((box) => box.priority === priority);
    const announced = anchors.filter((anchor) => anchor.priority === priority);
    for (const found of rightmostFirst([...own, ...announced])) {
      if ("place" in found) yield found;
      else yield* readingsOf(found, text, formulasOf(), options);
    }
  }
  if (!unanchored) {
    yield* wholeText(text, targets, words);
    return;
  }
  const cut = wantsLatex && boxedPriority >= 0 ? openBox(text) : null;
  if (cut !== null) yield { text: cut.content, place: "box", priority: boxedPriority, start: cut.start, end: cut.end };
  if (targets.includes("string")) yield* startingLetter(text, options.choices);
  if (words) yield* startingWord(text);
  yield* wholeText(text, targets, words);
  if (endsInLoop(text)) return;
  const prose = withoutCode(text);
  const isSame = prose.length === text.length;
  yield* bold(prose, words);
  const formulas = isSame ? formulasOf() : wantsLatex ? joinEnvironments(prose, findEnvironments(prose)) : [];
  const loose = formulas.map(({ content, start, end }): Candidate => {
    return { text: withPercent(prose, content, end), place: "formula", priority: 300, start, end };
  });
  if (targets.includes("expression")) {
    const outside = findPlain(prose).filter(({ start }) => !isInside(formulas, start));
    for (const { text: found, start, end } of joinPlain(prose, outside)) {
      loose.push({ text: found, place: "plain", priority: 300, start, end });
    }
  }
  if (targets.includes("string")) loose.push(...letters(prose, options.choices));
  if (words) loose.push(...lastWords(prose));
  for (const found of rightmostFirst(loose)) {
    const before = prose.slice(Math.max(0, found.start - 40), found.start);
    if (!DENIED.test(before) && !RELATIVE.test(before)) yield found;
  }
}

/** "5 and 3", "1, 2, 3": numbers with nothing but a separator between them are one answer. */
function joinPlain(text: string, found: readonly PlainMatch[]): PlainMatch[] {
  const joined: PlainMatch[] = [];
  for (const match of found) {
    const last = joined.at(-1);
    const gap = last === undefined ? "" : text.slice(last.end, match.start);
    if (last !== undefined && gap.trim() !== "" && isSeparator(gap)) {
      joined[joined.length - 1] = { text: text.slice(last.start, match.end), start: last.start, end: match.end };
    } else joined.push(match);
  }
  return joined;
}

/** "It is not 5": what is denied right before it is no answer. */
const DENIED =
  /(?:\b(?:not|cannot|except|unlike|other than|neither|nor|all but|nicht|pas|no es)|\u043d\u0435|n['\u2019]t|\u4e0d\u662f|\u4e0d\u7b49\u4e8e)\s*(?:(?:be|equals?|to|exactly)\s+)*[\s$*(]*$/i;

function rightmostFirst<Span extends { readonly start: number; readonly end: number }>(spans: readonly Span[]): Span[] {
  return [...spans].sort((a, b) => b.end - a.end || a.start - b.start);
}

function boxCandidates(text: string, priority: number): Candidate[] {
  return joinBoxes(text, findBoxes(text)).map(({ content, start, end }) => ({
    text: withPercent(text, content, end),
    place: "box",
    priority,
    start,
    end,
  }));
}

/** A percent sign or word right behind a box or formula belongs to it. */
function withPercent(text: string, content: string, end: number): string {
  const after = /^(?:\$|\\\)|\\\])?\s?(?:\\?%|percent\b|percentage\b|pct\b)/.test(text.slice(end, end + 16));
  return after && !/%$/.test(content) ? `${content}\\%` : content;
}

/** A remark in brackets behind an answer: "5 (or 6)", "18 (eighteen)". */
const ASIDE = /\s\((?!mod\b)(?:(?:not|i\.e\.)(?![a-z])|[^()]{0,80}?(?<![\\a-z])[a-z]{4,})[^()]{0,200}\)$/i;

/** What an announced sentence may mean: its formula, what it says after its last "is", the whole of it, a number in it. */
function* readingsOf(
  { priority, sentence, start, end }: Anchor,
  text: string,
  environments: readonly Environment[],
  { targets, choices, words = false }: ExtractOptions,
): Generator<Candidate> {
  const wantsLatex = targets.includes("latex");
  const wantsPlain = targets.includes("expression");
  if (wantsLatex && /\\(?:boxed|fbox)/.test(sentence)) return;
  const place = /####\s*$/.test(text.slice(Math.max(0, start - 12), start)) ? "hash" : "phrase";
  const reading = (found: string): Candidate => ({ text: found, place, priority, start, end });

  if (/^(?:not|definitely not|certainly not|nicht|pas)\b|^n['\u2019]t\b/i.test(sentence)) {
    // "Not enough information" is an answer in words, "not 5" is none.
    if (words && !/[\d$\\]/.test(sentence)) yield reading(sentence);
    return;
  }
  const inside = wantsLatex ? environmentsWithin(environments, start, end + 2) : [];
  const withMark = ({ content, end: after }: Environment) => reading(withPercent(text, content, after));
  // A number before any formula is the answer itself: "the answer is 5, since $x = 2$".
  const startsPlain = /^[-\u2212]?[$\u20ac\u00a3]?\d/.test(sentence) && inside[0]?.start !== start;
  if (targets.includes("string")) {
    const letter =
      choices.find((choice) => startsWithChoice(sentence, choice)) ??
      letters(sentence, choices).sort((a, b) => a.start - b.start)[0]?.text;
    if (letter !== undefined) yield reading(letter);
  }
  if (inside.length > 0 && !startsPlain) {
    const last = inside.at(-1)!;
    const after = text.slice(last.end, start + sentence.length);
    const named = inside.filter((each) =>
      /(?:\b(?:is|are|be|equals)|[=:])\s*["*]*$/.test(text.slice(start, each.start)),
    );
    if (inside[0]!.start === start) yield withMark(inside[0]!);
    // "the largest $n$ is 34": what follows the last formula.
    const value = /\b(?:is|are|equals)\s+(.+)$/s.exec(after)?.[1];
    if (value !== undefined && wantsPlain && !isProse(value)) yield reading(value);
    yield withMark(named.at(-1) ?? inside[0]!);
    return;
  }
  const bare = sentence
    .replace(ASIDE, "")
    .replace(
      /^["'`(\u2018\u201c]+(?=[A-Za-z\d.-]+["'`)\u2019\u201d]+$)|(?<=^["'`(\u2018\u201c]+[A-Za-z\d.-]+)["'`)\u2019\u201d]+$/g,
      "",
    );
  if ((wantsLatex || wantsPlain) && (words || !isProse(bare)))
    yield reading(words ? headOf(bare) : bare.replace(TRAILING, ""));
  if (!wantsPlain) return;
  const numbers = findPlain(sentence);
  const result = numbers.filter((number) => /=\s*[$\u20ac\u00a3]?$/.test(sentence.slice(0, number.start))).at(-1);
  const number = result ?? numbers.find((each) => !/^\s*=/.test(sentence.slice(each.end)));
  if (result === undefined && RELATIVE.test(sentence.slice(0, number?.start))) return;
  if (number !== undefined) yield reading(number.text);
}

/** What a number is followed by that adds nothing to it: "18, in dollars", "18, exactly". */
const TRAILING = /,\s+(?:in|exactly|altogether|as|to|at|by|per)\b(?:(?!\b(?:or|and|well)\b)[^\d$\\,]){0,60}$/i;

/** The words that are the answer, without what is said of them: "Tuesday, not Monday", "Yes, since 3 < 4". */
function headOf(sentence: string): string {
  const head = sentence
    .replace(/(?:\s|\p{Extended_Pictographic}|\ufe0f|\u2713)+$/u, "")
    .replace(/(?<=\w),?\s+(?:since|because|rather than|instead of|not(?=\s\S+$))\s.*$/is, "");
  return head.replace(YES_OR_NO, "$1");
}

/** "Yes, it is": the first word, unless the others take it back. */
const YES_OR_NO = /^(yes|no|true|false)[,;]\s(?!.*\b(?:yes|no|true|false|or|not|maybe|perhaps|unless)\b).*$/is;

/** "Twice 5" and "3 more than 5" are not 5; "none other than 5" is. */
const RELATIVE = /\b(?:twice|double|triple|(?:half|third|quarter|percent) of|% of|(?<!other )than|times)\s*\$?$/i;

/** The formulas between two positions, found by halving: they are in reading order. */
function environmentsWithin(environments: readonly Environment[], from: number, to: number): Environment[] {
  let [low, high] = [0, environments.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (environments[middle]!.start < from) low = middle + 1;
    else high = middle;
  }
  const found: Environment[] = [];
  while (low < environments.length && environments[low]!.end <= to) found.push(environments[low++]!);
  return found;
}

/** The text itself, where it is short enough to be nothing but an answer. Where letters are looked for, words are no formula. */
function* wholeText(text: string, targets: readonly Target[], words: boolean): Generator<Candidate> {
  const trimmed = text.trim();
  const whole = words ? trimmed.replace(/^\*\*([^*\n]+)\*\*$/, "$1") : trimmed;
  if (!targets.includes("latex") && !targets.includes("expression")) return;
  if (whole === "" || whole.length > (targets.includes("string") && !words ? 12 : MAX_WHOLE)) return;
  // "It's C." is no product of letters.
  if (/^(?:it|that|answer)['\u2019]s\s/i.test(whole)) return;
  // A sentence is no answer in words: what it says is found below.
  if (words && (/\*\*/.test(whole) || /\S\s+(?:is|are|was|were|be)\s/.test(whole))) return;
  // "Thus \\[\\text{Friday}\\]": the answer is the formula in the sentence.
  if (words && /\$|\\[([]/.test(whole) && !/^(?:\$|\\[([])[^$]*(?:\$|\\[)\]])$/.test(whole)) return;
  // "March 5" is what is asked for, or a sentence with a number in it.
  if (isProse(whole) && !(words && !/\s\S+\s\S+\s/.test(whole))) return;
  // Lines are no formula, unless LaTeX says so.
  if (/\n/.test(whole) && !/[\\$]/.test(whole)) return;
  const bare = words ? whole : whole.replace(ASIDE, "");
  yield { text: bare, place: "whole", priority: 260, start: 0, end: text.length };
}

/** Bold answers near the end; the reader of them drops headings. */
function* bold(text: string, words: boolean): Generator<Candidate> {
  const from = Math.max(0, text.length - 600);
  const found = [...text.slice(from).matchAll(/\*\*([^*\n]{1,80})\*\*/g)];
  for (const match of found.reverse()) {
    const start = from + match.index;
    const content = match[1]!.trim();
    const isHeading = content.endsWith(":") || /^(?:step|part|case|question|problem)\b/i.test(content);
    const isValue = /\d|\\/.test(content) && !/[a-z]{3,} ?\d*:?$/i.test(content.replace(/\\[a-z]+/gi, ""));
    if (isValue || (words && !isHeading)) {
      yield { text: content, place: "bold", priority: 280, start, end: start + match[0].length };
    }
  }
}

function* startingLetter(text: string, choices: readonly string[]): Generator<Candidate> {
  const head = text.trimStart().slice(0, 40).split("\n")[0] ?? "";
  const bare = head.replace(/^(?:\*\*|[([])+/, "").replace(/^(?:option|choice)\s[([]?/i, "");
  const letter = choices.find(
    (choice) =>
      bare.startsWith(choice) &&
      /^[)\]*]*(?:[.:)](?:\s|$)|\s*$|[^\x00-\x7f]|,?\s(?:since|because|as|not)\s)/.test(bare.slice(choice.length)),
  );
  if (letter !== undefined && !isJoinedToLetter(bare, 0, letter.length))
    yield { text: letter, place: "start", priority: 250, start: 0, end: head.length };
}

/** "Yes, because …". */
function* startingWord(text: string): Generator<Candidate> {
  const match = /^\W{0,4}(yes|no|true|false)(?=[,.;:!]|\W*$|\s\W)/i.exec(text);
  if (match !== null) yield { text: match[1]!, place: "start", priority: 250, start: 0, end: match[0].length };
}

/** What the last sentence says after its last "is": "The day is Tuesday." */
function lastWords(text: string): Candidate[] {
  const tail = text.slice(-400).trimEnd();
  const match = /\b(?:is|are|was|were|be) (?:an? |the )?([A-Za-z][^.\n]{0,60})\.?$/.exec(tail);
  if (match === null) return [];
  const [start, end] = [text.trimEnd().length - match[0].length, text.trimEnd().length];
  return [{ text: match[1]!, place: "bold", priority: 300, start, end }];
}

function startsWithChoice(text: string, choice: string): boolean {
  const bare = text.replace(/^(?:\*\*|\(|\[|\$|\\text(?:bf)?\{|\\\()+/, "");
  return bare.startsWith(choice) && /^(?:[.,:;)\]}*$\s]|[^\x00-\x7f]|$)/.test(bare.slice(choice.length));
}

/** Choices that stand alone in the text: between blanks or marks. */
function letters(text: string, choices: readonly string[]): Candidate[] {
  const from = Math.max(0, text.length - 2048);
  const tail = text.slice(from);
  return choices.flatMap((choice) => {
    const escaped = choice.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
    return [
      ...tail.matchAll(
        new RegExp(`(?<=^|[\\s(*'"\u3011\uff1a\u9009\u9879])${escaped}(?=$|[\\s).,:;*'"\u3002\uff0c\uff0e])`, "g"),
      ),
    ]
      .filter((match) => !isJoinedToLetter(tail, match.index, match.index + choice.length))
      .map(
        (match): Candidate => ({
          text: choice,
          place: "letter",
          priority: 300,
          start: from + match.index,
          end: from + match.index + choice.length,
        }),
      );
  });
}

/** One of several letters, "A and B", is no choice. */
function isJoinedToLetter(text: string, start: number, end: number): boolean {
  return (
    /(?<![A-Za-z])[A-J]\)?\s?(?:,|and|or|&|\/)\s?\(?$/.test(text.slice(Math.max(0, start - 12), start)) ||
    /^\)?\s?(?:,|and|or|&|\/)\s?\(?[A-J](?![A-Za-z])/.test(text.slice(end, end + 12))
  );
}

/** Spans are in reading order and do not overlap. */
function isInside(spans: readonly { readonly start: number; readonly end: number }[], position: number): boolean {
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle]!.end <= position) low = middle + 1;
    else high = middle;
  }
  const span = spans[low];
  return span !== undefined && span.start <= position && position < span.end;
}

/** Programs and failed outputs are blanked: their numbers are no answers. What a program printed may be one. */
function withoutCode(text: string): string {
  if (!text.includes("```")) return text;
  const fences = text.split("```");
  return fences
    .map((part, index) => {
      if (index % 2 === 0) return part;
      const isOutput = /^(?:output|text|latex|math|markdown)?\s*\n/.test(part);
      const isFailure = /\b[A-Z]\w*(?:Error|Exception)\b|Traceback/.test(part);
      return isOutput && !isFailure ? part : "";
    })
    .join("\n");
}

/** True when the text ends in a short loop: the same few characters, again and again. */
function endsInLoop(text: string): boolean {
  const tail = text.slice(-LOOP_TAIL);
  if (tail.length < LOOP_TAIL) return false;
  const probe = tail.slice(-LOOP_PROBE);
  const before = tail.lastIndexOf(probe, tail.length - LOOP_PROBE - 1);
  const period = tail.length - LOOP_PROBE - before;
  return before !== -1 && period <= LOOP_PROBE && tail.slice(period) === tail.slice(0, -period);
}

/** The loop must fill as many characters at the end, with a period of no more than LOOP_PROBE. */
const LOOP_TAIL = 400;
const LOOP_PROBE = 64;
