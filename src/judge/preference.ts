/**
 * Which of two answers is better? Asked several times with the two in random order, since judges prefer a place.
 *
 *   [[A≫B]] [[A>B]] [[A=B]] [[B>A]] [[B≫A]]  ->  +2 +1 0 -1 -2 for A;  Delta = mean over the runs, of the answer under test
 *
 * Source: DeepSeek-R1 (arXiv 2501.12948, version 2): four runs, random order, and only |Delta| > 1 is used. A label counts under the
 * spellings >> and ≫.
 *
 * Its negative controls are comparisons of ":" and of one more text that says nothing with the other answer, in both orders: a judge that does
 * not find them worse is believed no more.
 */
import { createRandom, seedFrom } from "../random.ts";
import { Asker, type AskOptions } from "./ask.ts";
import { cacheKey } from "./cache.ts";
import { Controls } from "./controls.ts";
import { escapeJudged, escapeTurns, fence } from "./escape.ts";
import { type ChatMessage, fillTemplate } from "./protocol.ts";
import { readLastMark } from "./read-verdict.ts";
import { EMPTY_ANSWERS } from "./substance.ts";

const LABELS: Readonly<Record<string, number>> = {
  "A≫B": 2,
  "A>>B": 2,
  "A>B": 1,
  "A=B": 0,
  "B>A": -1,
  "B>>A": -2,
  "B≫A": -2,
};

const PROMPT = `Compare two answers to the same request. Judge by how well each serves the person who asked: correctness first, then completeness, clarity and tone. Neither the order of the answers nor their length is a merit.

Request:
{question}

Answer A:
{a}

Answer B:
{b}

Explain in two or three sentences, then write one of [[A≫B]], [[A>B]], [[A=B]], [[B>A]], [[B≫A]], where ≫ means much better.`;

/** One run: what is sent, and whether the answer under test stands second. */
export interface PreferenceRun {
  readonly messages: readonly ChatMessage[];
  readonly swapped: boolean;
}

/** The runs of one comparison; both orders come equally often, which comes when is the seed's. Odd counts have one order once more. */
export function preferenceRuns(
  question: string,
  answer: string,
  other: string,
  { numRuns = 4, seed = 0, maxChars = 8000 }: { numRuns?: number; seed?: number; maxChars?: number } = {},
): PreferenceRun[] {
  const random = createRandom(seedFrom(seed, question, answer, other));
  const orders = Array.from({ length: numRuns }, (_, run) => run % 2 === 1);
  for (let index = orders.length - 1; index > 0; index--) {
    const with_ = random.below(index + 1);
    [orders[index], orders[with_]] = [orders[with_]!, orders[index]!];
  }
  const [mine, theirs] = [answer, other].map((text) => fence(escapeJudged(text, { maxChars })));
  return orders.map((swapped) => {
    const [a, b] = swapped ? [theirs!, mine!] : [mine!, theirs!];
    return {
      swapped,
      messages: [
        { role: "system", content: `${a.note}\n${b.note}` },
        { role: "user", content: fillTemplate(PROMPT, { question: escapeTurns(question), a: a.text, b: b.text }) },
      ],
    };
  });
}

/** -2 to 2 for the answer under test; null where the reply holds no label. */
export function readPreference(reply: string, swapped: boolean): number | null {
  const label = readLastMark(reply, LABELS);
  // 0 - x and not -x: an even score is 0, never -0.
  return label === null ? null : swapped ? 0 - label : label;
}

export interface Preference {
  /** Mean of the runs that have a label, -2 to 2; null where none has. */
  readonly delta: number | null;
  /** Every label that came points the same way, in whichever order it was asked. */
  readonly consistent: boolean;
}

export function combineRuns(labels: readonly (number | null)[]): Preference {
  const known = labels.filter((label) => label !== null);
  const delta = known.length === 0 ? null : known.reduce((sum, label) => sum + label, 0) / known.length;
  return { delta, consistent: new Set(known.map(Math.sign)).size <= 1 };
}

export interface PreferenceOptions extends AskOptions {
  /** Of each answer, from its end. Default 8,000. */
  readonly maxChars?: number;
  /** Replies of the server between two controls; 0: none. Default 64. */
  readonly controlEvery?: number;
}

export class PreferenceJudge {
  readonly #options: PreferenceOptions;
  readonly #asker: Asker;
  readonly #controls: Controls;

  constructor(options: PreferenceOptions) {
    const { endpoint, cache, controlEvery = 64 } = options;
    this.#options = options;
    this.#asker = new Asker(options);
    const { name, model, url } = endpoint;
    this.#controls = new Controls({
      name: `${name} (${model} at ${url})`,
      every: controlEvery,
      id: cacheKey(url, this.#asker.bodyOf(preferenceRuns("", "", "", { numRuns: 1 })[0]!.messages)),
      cache,
    });
  }

  /** How much better `answer` is than `other`. Throws EndpointFailure, BudgetSpent, JudgeAlarm, or RecipeError for a full disk. */
  async compare(
    question: string,
    answer: string,
    other: string,
    { numRuns = 4, seed = 0 }: { readonly numRuns?: number; readonly seed?: number } = {},
  ): Promise<Preference> {
    const { maxChars = 8000 } = this.#options;
    const control = { controls: this.#controls, trial: (round: number) => this.#trial(question, other, round) };
    const runs = preferenceRuns(question, answer, other, { numRuns, seed, maxChars });
    const labels = await Promise.all(
      runs.map(async ({ messages, swapped }, run) => {
        const body = this.#asker.bodyOf(messages, { seed: seed + run });
        return (await this.#asker.ask(body, (reply) => readPreference(reply, swapped), control)).value;
      }),
    );
    return combineRuns(labels);
  }

  async #trial(question: string, other: string, round: number): Promise<string | null> {
    const { maxChars = 8000 } = this.#options;
    const [colon, , ...others] = EMPTY_ANSWERS;
    const deltas = await Promise.all(
      [colon, others[round % others.length]!].map(async (nothing) => {
        const runs = preferenceRuns(question, nothing, other, { numRuns: 2, seed: round, maxChars });
        const labels = runs.map(async ({ messages, swapped }) => {
          const { text, isWhole } = await this.#asker.chat(this.#asker.bodyOf(messages, { seed: round }));
          return isWhole ? readPreference(text, swapped) : null;
        });
        return { nothing, delta: combineRuns(await Promise.all(labels)).delta };
      }),
    );
    const accepted = deltas.find(({ delta }) => delta !== null && delta >= 0);
    if (accepted === undefined) return null;
    return `found the answer ${JSON.stringify(accepted.nothing)} no worse than ${JSON.stringify(other.slice(0, 80))}`;
  }
}
