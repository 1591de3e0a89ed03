/** Answers as texts: shapes in which a response may give one, places where a completion gives it, and answers that are wrong. */
import { RecipeError } from "../errors.ts";
import { afterHash, lastNumber } from "../verify/extract.ts";
import { verify } from "../verify/verify.ts";

/** A way of giving an answer that rewards may ask for. */
export interface AnswerShape {
  readonly name: string;
  readonly render: (answer: string) => string;
}

const REASONING = "Let me work this out step by step. First I read what is given, then I follow it to the end.";

/** Every shape that some shipped template asks for; strict formats are among them. */
export const ANSWER_SHAPES: readonly AnswerShape[] = [
  { name: "tags", render: (answer) => `<think>\n${REASONING}\n</think>\n<answer>\n${answer}\n</answer>` },
  { name: "tags around a box", render: (answer) => `<think>${REASONING}</think> <answer>\\boxed{${answer}}</answer>` },
  {
    name: "thinking, then a box",
    render: (answer) => `<think>\n${REASONING}\n</think>\n\nThe answer is \\boxed{${answer}}.`,
  },
  { name: "box", render: (answer) => `${REASONING}\n\nThe answer is \\boxed{${answer}}.` },
  { name: "hash", render: (answer) => `${REASONING}\n#### ${answer}` },
  { name: "last line", render: (answer) => `${REASONING}\n\nAnswer: ${answer}` },
  { name: "bare", render: (answer) => answer },
];

/** The shape of a template; throws RecipeError for one without {answer} in it. */
export function shapeOf(template: string): AnswerShape {
  if (!template.includes("{answer}"))
    throw new RecipeError(`Expected {answer} in the shape of a right answer, got ${JSON.stringify(template)}.`);
  return { name: "given", render: (answer) => template.replaceAll("{answer}", () => answer) };
}

/** What a response would give for an answer: of a worked solution the line after ####. */
export function bareAnswer(answer: string): string {
  return afterHash(answer) ?? answer;
}

/** The response without the start that stands in the prompt. */
export function withoutPrefill(response: string, prefill: string): string {
  const start = prefill.trim();
  return start !== "" && response.startsWith(start) ? response.slice(start.length) : response;
}

/** A stretch of a text that gives an answer. */
export interface AnswerSite {
  readonly start: number;
  readonly end: number;
  /** The stretch with another answer in it. */
  readonly render: (answer: string) => string;
}

/** The stretches of the first kind that a text has: tags, boxes, lines after ####, the last number. Empty where there is none. */
export function answerSites(text: string): AnswerSite[] {
  const tags = tagSites(text);
  if (tags.length > 0) return tags;
  const boxes = boxSites(text);
  if (boxes.length > 0) return boxes;
  const hashes = [...text.matchAll(/####[^\n]*/g)].map(
    ({ index, 0: found }): AnswerSite => ({
      start: index,
      end: index + found.length,
      render: (answer) => `#### ${answer}`,
    }),
  );
  if (hashes.length > 0) return hashes;
  const number = lastNumber(text);
  const start = number === null ? -1 : text.lastIndexOf(number);
  return number === null || start === -1 ? [] : [{ start, end: start + number.length, render: (answer) => answer }];
}

/** The text with every site replaced by what `replacement` makes of it. */
export function replaceSites(
  text: string,
  sites: readonly AnswerSite[],
  replacement: (site: AnswerSite) => string,
): string {
  let result = "";
  let position = 0;
  for (const site of sites) {
    result += text.slice(position, site.start) + replacement(site);
    position = site.end;
  }
  return result + text.slice(position);
}

/** Tags; what stands in a box within them is boxed again. */
function tagSites(text: string): AnswerSite[] {
  return [...text.matchAll(/<answer>([^<]{0,2000})<\/answer>/g)].map(({ index, 0: found, 1: inside }): AnswerSite => {
    const boxes = boxSites(inside!);
    const renderInside = (answer: string) =>
      boxes.length === 0 ? answer : replaceSites(inside!, boxes, ({ render }) => render(answer));
    return {
      start: index,
      end: index + found.length,
      render: (answer) => `<answer>${renderInside(answer)}</answer>`,
    };
  });
}

/** Boxes that are not in a box, with balanced braces. */
function boxSites(text: string): AnswerSite[] {
  const sites: AnswerSite[] = [];
  const opening = /\\boxed\s{0,8}\{/g;
  for (let match = opening.exec(text); match !== null; match = opening.exec(text)) {
    const end = closingBrace(text, opening.lastIndex);
    if (end === -1) break;
    sites.push({ start: match.index, end: end + 1, render: (answer) => `\\boxed{${answer}}` });
    opening.lastIndex = end + 1;
  }
  return sites;
}

function closingBrace(text: string, from: number): number {
  let depth = 1;
  for (let position = from; position < text.length; position++) {
    if (text[position] === "\\") position++;
    else if (text[position] === "{") depth++;
    else if (text[position] === "}" && --depth === 0) return position;
  }
  return -1;
}

/**
 * Answers that are not `answer`, alike in kind where the kind is plain: other whole numbers, other letters of a choice, one word turned into its
 * opposite; else answers of other rows that do not mean the same, or a number. `count` of them, all different.
 */
export function wrongAnswers(answer: string, others: readonly string[], count: number): string[] {
  const trimmed = answer.trim();
  const wrong = new Set<string>();
  if (/^-?\d{1,300}$/.test(trimmed)) {
    for (let step = 1n; wrong.size < count; step++)
      wrong.add(String(BigInt(trimmed) + step * (step % 2n === 0n ? -1n : 1n)));
  }
  if (/^\(?[A-Ja-j]\)?$/.test(trimmed)) {
    for (const letter of "ABCDEFGHIJ") if (!trimmed.toUpperCase().includes(letter)) wrong.add(letter);
  }
  for (const opposite of oppositesOf(trimmed)) if (wrong.size < count) wrong.add(opposite);
  for (const other of others) if (wrong.size < count && !isSame(trimmed, other.trim())) wrong.add(other.trim());
  // A prime that no task is likely to have for its answer.
  for (let number = 7919; wrong.size < count; number += 17)
    if (!trimmed.includes(String(number))) wrong.add(String(number));
  return [...wrong].slice(0, count);
}

/** Words of answers that are one of two. */
const OPPOSITES: Readonly<Record<string, string>> = {
  ...{ knight: "knave", knave: "knight", true: "false", false: "true", yes: "no", no: "yes" },
};

/** The answer with one such word turned into the other, once for each. */
function oppositesOf(answer: string): string[] {
  return [...answer.matchAll(/[A-Za-z]+/g)].flatMap(({ 0: word, index }) => {
    const opposite = OPPOSITES[word.toLowerCase()];
    if (opposite === undefined) return [];
    const cased = /^[A-Z]/.test(word) ? opposite[0]!.toUpperCase() + opposite.slice(1) : opposite;
    return [answer.slice(0, index) + cased + answer.slice(index + word.length)];
  });
}

/** Word for word, or to a lenient reader: $6 is 6. */
function isSame(answer: string, other: string): boolean {
  return answer === other || verify(answer, other).equal || verify(other, answer).equal;
}
