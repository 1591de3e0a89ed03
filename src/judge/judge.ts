/**
 * A judge: a language model that is asked whether a solution agrees with a reference, over any OpenAI-compatible server.
 *
 * Its negative controls are solutions that say nothing, ":", an empty one and one more, to the question that is being judged. If it calls
 * one right, it can be fooled by anything: every question fails from then on.
 */
import { Asker, type AskOptions, type AskStats } from "./ask.ts";
import { cacheKey } from "./cache.ts";
import { Controls } from "./controls.ts";
import { escapeJudged, escapeTurns, fence } from "./escape.ts";
import { type ChatMessage, fillTemplate, type JudgedCase, type JudgeVerdict } from "./protocol.ts";
import { PROTOCOLS, type ProtocolName } from "./protocols.ts";
import { EMPTY_ANSWERS, hasSubstance } from "./substance.ts";

export const GUARDS = ["fence", "escape", "none"] as const;

export interface JudgeOptions extends AskOptions {
  readonly protocol: ProtocolName;
  /** True: protocols of JSON send their schema as response_format. Default false: not every server knows it. */
  readonly structured?: boolean;
  /** fence: escaped, between marks, with a system message that says so; escape: escaped only; none: as it came. Default fence. */
  readonly guard?: (typeof GUARDS)[number];
  /** Characters of a solution that are sent, from its end. Default 8,000. */
  readonly maxChars?: number;
  /** Replies of the server between two controls; 0: none. Default 64. */
  readonly controlEvery?: number;
}

export interface Judgement {
  /** unknown: the judge said so, or none of its replies held a verdict. */
  readonly verdict: JudgeVerdict;
  /** What the judge wrote; null where it was not asked. */
  readonly reply: string | null;
  readonly cached: boolean;
}

export interface JudgeStats extends AskStats {
  readonly numControls: number;
}

export class Judge {
  readonly #options: JudgeOptions;
  readonly #asker: Asker;
  readonly #controls: Controls;
  #numControls = 0;
  #last: JudgedCase | undefined;

  constructor(options: JudgeOptions) {
    const { endpoint, cache, controlEvery = 64 } = options;
    this.#options = options;
    this.#asker = new Asker(options);
    const { name, model, url } = endpoint;
    this.#controls = new Controls({
      name: `${name} (${model} at ${url})`,
      every: controlEvery,
      id: cacheKey(url, this.bodyOf({ question: "", reference: "", solution: "" })),
      cache,
    });
  }

  get stats(): JudgeStats {
    return { ...this.#asker.stats, numControls: this.#numControls };
  }

  /** Throws EndpointFailure, BudgetSpent, JudgeAlarm, or RecipeError for a full disk: failures all, none of them a verdict. */
  async ask(judged: JudgedCase): Promise<Judgement> {
    await this.#controls.check();
    const { question, reference, solution } = judged;
    if (!hasSubstance(solution, reference, question)) return { verdict: "wrong", reply: null, cached: false };
    this.#last = judged;
    const { read } = PROTOCOLS[this.#options.protocol];
    const control = { controls: this.#controls, trial: (round: number) => this.#trial(judged, round) };
    const { value, reply, cached } = await this.#asker.ask(this.bodyOf(judged), read, control);
    return { verdict: value ?? "unknown", reply, cached };
  }

  /** Tries the judge once more after its last replies; throws as `ask` does. */
  async settle(): Promise<void> {
    const last = this.#last;
    if (last !== undefined) await this.#controls.settle((round) => this.#trial(last, round));
  }

  /** Closes its connections; safe twice. */
  async close(): Promise<void> {
    await this.#options.endpoint.close();
  }

  /** The request that would be sent. */
  bodyOf({ question, reference, solution }: JudgedCase): object {
    const { protocol, structured = false, guard = "fence", maxChars = 8000 } = this.#options;
    const { prompt, schema } = PROTOCOLS[protocol];
    const escaped = guard === "none" ? solution : escapeJudged(solution, { maxChars });
    const fenced = guard === "fence" ? fence(escaped) : null;
    const given = (text: string) => (guard === "none" ? text : escapeTurns(text));
    const values = { question: given(question), reference: given(reference), solution: fenced?.text ?? escaped };
    const messages: ChatMessage[] = [
      ...(fenced === null ? [] : [{ role: "system" as const, content: fenced.note }]),
      { role: "user", content: fillTemplate(prompt, values) },
    ];
    if (!structured || schema === undefined) return this.#asker.bodyOf(messages);
    const format = { type: "json_schema", json_schema: { name: "verdict", strict: true, schema } };
    return this.#asker.bodyOf(messages, { response_format: format });
  }

  async #trial({ question, reference }: JudgedCase, round: number): Promise<string | null> {
    const { read } = PROTOCOLS[this.#options.protocol];
    const accepted = await Promise.all(
      emptyAnswers(reference, round).map(async (solution) => {
        this.#numControls++;
        const { text, isWhole } = await this.#asker.chat(this.bodyOf({ question, reference, solution }));
        return isWhole && read(text) === "right" ? [solution] : [];
      }),
    );
    const first = accepted.flat()[0];
    if (first === undefined) return null;
    return `accepted the solution ${JSON.stringify(first)} of a question whose answer is ${JSON.stringify(reference.slice(0, 80))}`;
  }
}

/** Two that are always tried and one by turns; none that would be right. */
function emptyAnswers(reference: string, round: number): string[] {
  const [first, second, ...others] = EMPTY_ANSWERS.filter((text) => !hasSubstance(text, reference));
  return [first!, second!, others[round % others.length]!];
}
