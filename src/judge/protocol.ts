/**
 * What a judge is asked and how its answer is read.
 *
 * A verdict is three-state. `unknown` is an answer ("I cannot tell") and no reward; it is never "wrong". A reply without a verdict is not
 * even that: the question is asked again.
 */

/** One solution of a model under training, to be held against a reference. */
export interface JudgedCase {
  readonly question: string;
  /** The reference answer or solution: from the dataset, trusted. */
  readonly reference: string;
  /** What the policy wrote: never trusted. */
  readonly solution: string;
}

export type JudgeVerdict = "right" | "wrong" | "unknown";

export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** One way of asking. */
export interface Protocol {
  /** Where it comes from. */
  readonly source: string;
  /** The user message, with {question}, {reference} and {solution} in their places. */
  readonly prompt: string;
  /** JSON Schema of the answer, for servers that can be held to one; absent where the answer is prose. */
  readonly schema?: Readonly<Record<string, unknown>>;
  /** null: the reply holds no verdict. Total: no reply makes it throw. */
  readonly read: (reply: string) => JudgeVerdict | null;
}

/** Puts values into the {places} of a template in one pass: a value that holds "{solution}" or "$&" stays as it is. */
export function fillTemplate(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{(\w+)\}/g, (place, name: string) =>
    Object.hasOwn(values, name) ? (values[name] ?? place) : place,
  );
}
