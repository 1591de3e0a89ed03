/** What a named policy is: a grader of others, with its own way to find an answer and its own idea of equal. */

/** The result of a comparison. */
export interface Verification {
  readonly equal: boolean;
  /** The text that was taken for the answer; null where there is none. */
  readonly extracted: string | null;
  /** One clause: why the two are equal, or why not. */
  readonly reason: string;
}

/** Gold first. Total: no text makes it throw. */
export type Policy = (gold: string, prediction: string) => Verification;

/** Longer answers are compared as they stand: the graders' patterns are for answers, and some are quadratic. */
export const MAX_POLICY_ANSWER = 2_000;

/** What a policy says where the prediction has no answer at the place it looks at. */
export function noAnswer(where: string): Verification {
  return { equal: false, extracted: null, reason: `no answer ${where}` };
}

/** What a policy says of an answer that it found. */
export function verdict(equal: boolean, extracted: string, how: string): Verification {
  return { equal, extracted, reason: equal ? how : `not ${how}` };
}

/** The last so many characters, as Python counts them. */
export function lastCharacters(text: string, count: number): string {
  return [...text.slice(-2 * count)].slice(-count).join("");
}

/**
 * The inside of the last `\boxed{…}`, braces counted without regard to backslashes; null where the last box never closes, whatever
 * boxes stand before it. `\boxed 5$` reaches to the dollar sign where `bare` is set.
 */
export function lastPlainBox(
  text: string,
  { frames = false, bare = false }: { readonly frames?: boolean; readonly bare?: boolean } = {},
): string | null {
  if (bare && text.includes("\\boxed ")) return text.slice(text.lastIndexOf("\\boxed ") + 7).split("$")[0] ?? "";
  let start = text.lastIndexOf("\\boxed");
  if (start === -1 && frames) start = text.lastIndexOf("\\fbox");
  if (start === -1) return null;
  const open = text.indexOf("{", start);
  if (open === -1) return null;
  let depth = 0;
  for (let position = open; position < text.length; position++) {
    if (text[position] === "{") depth++;
    else if (text[position] === "}" && --depth === 0) return text.slice(open + 1, position);
  }
  return null;
}
