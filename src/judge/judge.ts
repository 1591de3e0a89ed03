/**
 * A judge: a language model that is asked whether a solution agrees with a reference, over any OpenAI-compatible server.
 *
 * Before a verdict of the server is believed, and again every `controlEvery` questions that it gets, the judge is shown solutions that say
 * nothing: ":", an empty one and one more. If it calls one right, it can be fooled by anything: every question fails from then on, and
 * the replies since the last control it passed are taken out of the cache. Replies from the cache need no control: they passed one.
 */
import { Asker, type AskOptions, type AskStats } from "./ask.ts";
import { escapeJudged, fence } from "./escape.ts";
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
  /** Questions to the server between two controls; 0: none. Default 64. */
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

/** The judge accepted a solution that says nothing. */
export class JudgeAlarm extends Error {
  override readonly name = "JudgeAlarm";
}

export class Judge {
  readonly #options: JudgeOptions;
  readonly #asker: Asker;
  #numControls = 0;
  /** Questions that may still go to the server before the next control. */
  #untilControl = 0;
  #numRounds = 0;
  #control: Promise<void> = Promise.resolve();
  #alarm: JudgeAlarm | undefined;
  /** Keys of replies that were cached since the last control that was passed. */
  #unproven: string[] = [];

  constructor(options: JudgeOptions) {
    this.#options = options;
    this.#asker = new Asker(options);
  }

  get stats(): JudgeStats {
    return { ...this.#asker.stats, numControls: this.#numControls };
  }

  /** Throws EndpointFailure, BudgetSpent or JudgeAlarm: failures all, none of them a verdict. */
  async ask(judged: JudgedCase): Promise<Judgement> {
    if (this.#alarm !== undefined) throw this.#alarm;
    if (!hasSubstance(judged.solution, judged.reference)) return { verdict: "wrong", reply: null, cached: false };
    const { read } = PROTOCOLS[this.#options.protocol];
    const { value, reply, cached, key } = await this.#asker.ask(this.bodyOf(judged), read, () => this.#trust(judged));
    // The control may have been failed while this reply was on its way.
    if (this.#alarm !== undefined) {
      await this.#options.cache?.remove(key);
      throw this.#alarm;
    }
    if (!cached && value !== null) this.#unproven.push(key);
    return { verdict: value ?? "unknown", reply, cached };
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
    const messages: ChatMessage[] = [
      ...(fenced === null ? [] : [{ role: "system" as const, content: fenced.note }]),
      { role: "user", content: fillTemplate(prompt, { question, reference, solution: fenced?.text ?? escaped }) },
    ];
    if (!structured || schema === undefined) return this.#asker.bodyOf(messages);
    const format = { type: "json_schema", json_schema: { name: "verdict", strict: true, schema } };
    return this.#asker.bodyOf(messages, { response_format: format });
  }

  /** Kept when the last control was passed; every `controlEvery` calls there is a new one. */
  #trust(judged: JudgedCase): Promise<void> {
    const { controlEvery = 64 } = this.#options;
    if (controlEvery > 0 && this.#untilControl <= 0) {
      this.#untilControl = controlEvery;
      this.#control = this.#runControls(judged).catch((error: unknown) => {
        // A control without an answer proves nothing: the next question tries again.
        this.#untilControl = 0;
        throw error;
      });
    }
    this.#untilControl--;
    return this.#control;
  }

  /** Never from the cache: it is the server of this moment that is tried. */
  async #runControls({ question, reference }: JudgedCase): Promise<void> {
    const { protocol, endpoint, cache } = this.#options;
    const [colon, empty, ...others] = EMPTY_ANSWERS;
    const numBefore = this.#unproven.length;
    for (const solution of [colon, empty, others[this.#numRounds++ % others.length]!]) {
      this.#numControls++;
      const { text, isWhole } = await this.#asker.chat(this.bodyOf({ question, reference, solution }));
      if (!isWhole || PROTOCOLS[protocol].read(text) !== "right") continue;
      this.#alarm = new JudgeAlarm(
        `${endpoint.name} (${endpoint.model} at ${endpoint.url}) accepted the solution ${JSON.stringify(solution)} of a question whose ` +
          `answer is ${JSON.stringify(reference.slice(0, 80))}: its verdicts cannot be trusted. Use a stronger judge or another protocol.`,
      );
      for (const key of this.#unproven) await cache?.remove(key);
      throw this.#alarm;
    }
    this.#unproven.splice(0, numBefore);
  }
}
