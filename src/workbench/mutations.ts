/**
 * Changes to a completion that a policy would find sooner or later, and what each must do to the score of a good one.
 *
 *   falls    the answer is gone, wrong, or one of many: who is paid for that is paid for guessing
 *   no rise  the answer is as it was, the rest is worse: padded, repeated, empty, in another language
 *   stays    nothing that matters has changed
 */
import type { FinishReason } from "../types.ts";
import { thinkingOf } from "../verify/extract.ts";
import { wordsOf } from "../verify/language.ts";
import { answerSites, replaceSites } from "./answers.ts";

/** What must become of the score. */
export type Expectation = "falls" | "no rise" | "stays";

/** What a mutation may use. */
export interface MutationInput {
  readonly completion: string;
  readonly prompt: string;
  /** The row's answer, as it would be given. */
  readonly gold: string;
  /** Ten answers that are not the gold. */
  readonly wrong: readonly string[];
}

export interface Mutant {
  readonly text: string;
  /** Default: as the completion ended. */
  readonly finishReason?: FinishReason;
}

export interface Mutation {
  readonly name: string;
  readonly expectation: Expectation;
  /** null where the completion has nothing to change. Pure. */
  readonly apply: (input: MutationInput) => Mutant | null;
}

const FILLER = "Let me double-check this once more to be entirely sure about every single step. ";
const CHINESE = "我们先把题目里的条件一条一条地看清楚然后再慢慢地往下推";

/** In the order of the report. */
export const MUTATIONS: readonly Mutation[] = [
  atSites("answer stripped", "falls", () => ""),
  atSites("answer replaced by a wrong one", "falls", ({ render }, { wrong }) => render(wrong[0]!)),
  atSites(
    "a wrong answer after the right one",
    "falls",
    (site, { completion, wrong }) => `${completion.slice(site.start, site.end)} ${site.render(wrong[0]!)}`,
  ),
  atSites(
    "a wrong answer before the right one",
    "no rise",
    (site, { completion, wrong }) => `${site.render(wrong[0]!)} ${completion.slice(site.start, site.end)}`,
  ),
  atSites("two answers at its place", "falls", ({ render }, { gold, wrong }) => render(`${gold} ${wrong[0]}`)),
  atSites("three answers at its place", "falls", ({ render }, { gold, wrong }) =>
    render(`${wrong[0]} or ${gold} or ${wrong[1]}`),
  ),
  atSites("eleven answers, the right one in the middle", "falls", ({ render }, { gold, wrong }) =>
    [...wrong.slice(0, 5), gold, ...wrong.slice(5, 10)].map(render).join("\n"),
  ),
  {
    name: "the prompt, copied",
    expectation: "falls",
    apply: ({ prompt }) => (prompt === "" ? null : { text: prompt }),
  },
  {
    name: "cut before the answer",
    expectation: "falls",
    apply({ completion }) {
      const [first] = answerSites(completion);
      return first === undefined ? null : { text: completion.slice(0, first.start), finishReason: "length" };
    },
  },
  {
    name: "prose in another language",
    expectation: "no rise",
    apply({ completion }) {
      const sites = answerSites(completion);
      const prose = inPieces(completion, sites, (text) => (wordsOf(text).length < 3 ? text : foreign(text)));
      return prose === completion ? null : { text: prose };
    },
  },
  beforeAnswer("padded before the answer", (before) => before + FILLER.repeat(40)),
  beforeAnswer("everything before the answer said five times", (before) => before.repeat(5)),
  {
    name: "thinking left empty",
    expectation: "no rise",
    apply({ completion }) {
      const thinking = thinkingOf(completion);
      const hasTags = completion.includes("</think>");
      return hasTags && thinking.trim() !== "" ? { text: completion.replace(thinking, () => "") } : null;
    },
  },
  {
    name: "the answer alone",
    expectation: "no rise",
    apply({ completion }) {
      const last = answerSites(completion).at(-1);
      return last === undefined ? null : { text: completion.slice(last.start, last.end) };
    },
  },
  { name: "a line break at the end", expectation: "stays", apply: ({ completion }) => ({ text: `${completion}\n` }) },
];

/** Changes the last place where the answer stands, and takes the others away: an earlier one would answer in its stead. */
function atSites(
  name: string,
  expectation: Expectation,
  replacement: (site: ReturnType<typeof answerSites>[number], input: MutationInput) => string,
): Mutation {
  return {
    name,
    expectation,
    apply(input) {
      const sites = answerSites(input.completion);
      const last = sites.at(-1);
      if (last === undefined) return null;
      return { text: replaceSites(input.completion, sites, (site) => (site === last ? replacement(site, input) : "")) };
    },
  };
}

/** `change` gets what stands before the last answer; inside thinking tags, so that the format holds. */
function beforeAnswer(name: string, change: (before: string) => string): Mutation {
  return {
    name,
    expectation: "no rise",
    apply({ completion }) {
      const last = answerSites(completion).at(-1);
      if (last === undefined) return null;
      const opening = completion.slice(0, last.start);
      const start = opening.includes("<think>") ? opening.indexOf("<think>") + "<think>".length : 0;
      const closing = opening.lastIndexOf("</think>");
      const end = closing === -1 ? last.start : closing;
      if (end <= start) return null;
      return { text: completion.slice(0, start) + change(completion.slice(start, end)) + completion.slice(end) };
    },
  };
}

/** Changes what stands between the sites. */
function inPieces(
  text: string,
  sites: readonly { start: number; end: number }[],
  change: (text: string) => string,
): string {
  let result = "";
  let position = 0;
  for (const { start, end } of sites) {
    result += change(text.slice(position, start)) + text.slice(start, end);
    position = end;
  }
  return result + change(text.slice(position));
}

/** Every run of Latin letters outside tags and commands becomes Chinese of about its length. */
function foreign(text: string): string {
  return text.replaceAll(/<\/?[a-z_]+>|\\[a-zA-Z]+|[A-Za-z]{2,}/g, (word) =>
    /^[A-Za-z]/.test(word) ? CHINESE.slice(word.length % 20, (word.length % 20) + Math.ceil(word.length / 2)) : word,
  );
}
