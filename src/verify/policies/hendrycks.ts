/**
 * The grader of MATH (Hendrycks et al. 2021, arXiv 2103.03874; verl's `math_reward`): the last box, and string equality after a
 * normalisation of LaTeX. It computes nothing: 0.75 is not \frac34. rllm calls the same comparison `mathd`. A bare % stays, as in
 * all copies that trainers ship; hendrycks/math itself takes it out since 08e65fc.
 */
import { lastPlainBox, MAX_POLICY_ANSWER, noAnswer, type Verification, verdict } from "./policy.ts";

export function gradeHendrycks(gold: string, prediction: string): Verification {
  const answer = lastPlainBox(prediction, { bare: true });
  if (answer === null) return noAnswer("in a box");
  return verdict(sameHendrycks(gold, answer), answer, "the same text after normalisation");
}

/** Equal after normalisation; as they stand where one of the two cannot be normalised. */
export function sameHendrycks(a: string, b: string): boolean {
  const [x, y] = [normaliseHendrycks(a), normaliseHendrycks(b)];
  return x === null || y === null ? a === b : x === y;
}

/** null where the grader's own normalisation fails: two units, or nothing behind \sqrt. */
export function normaliseHendrycks(answer: string): string | null {
  if (answer.length > MAX_POLICY_ANSWER) return null;
  let text = answer
    .replaceAll("\n", "")
    .replaceAll("\\!", "")
    .replaceAll("\\\\", "\\")
    .replaceAll(/[td]frac/g, "frac")
    .replaceAll(/\\(?:left|right)/g, "")
    .replaceAll(/\^(?:\{\\circ\}|\\circ)/g, "")
    .replaceAll("\\$", "");
  // What follows "\text{ " is a unit; two of them are more than the grader knows.
  const units = text.split("\\text{ ");
  if (units.length > 2) return null;
  text = units[0]!.replaceAll("\\%", "").replaceAll(" .", " 0.").replaceAll("{.", "{0.");
  if (text === "") return text;
  if (text.startsWith(".")) text = `0${text}`;
  const sides = text.split("=");
  if (sides.length === 2 && sides[0]!.length <= 2) text = sides[1]!;
  const roots = withRootBraces(text);
  if (roots === null) return null;
  text = withFractionBraces(roots.replaceAll(" ", ""));
  return slashAsFraction(text === "0.5" ? "\\frac{1}{2}" : text);
}

/** \sqrt3 -> \sqrt{3}; null where nothing follows. */
function withRootBraces(text: string): string | null {
  const [first, ...rest] = text.split("\\sqrt");
  if (rest.includes("")) return null;
  return rest.reduce(
    (done, part) => `${done}\\sqrt${part.startsWith("{") ? part : `{${part[0]}}${part.slice(1)}`}`,
    first!,
  );
}

/** \frac12 -> \frac{1}{2} and \frac1{72} -> \frac{1}{72}; the text as it was where a fraction has one part. */
export function withFractionBraces(text: string): string {
  const [first, ...rest] = text.split("\\frac");
  let done = first!;
  for (const part of rest) {
    if (part.startsWith("{")) {
      done += `\\frac${part}`;
      continue;
    }
    if (part.length < 2) return text;
    const [a, b] = [part[0]!, part[1]!];
    done += b === "{" ? `\\frac{${a}}${part.slice(1)}` : `\\frac{${a}}{${b}}${part.slice(2)}`;
  }
  return done;
}

/** 3/4 -> \frac{3}{4}, for two whole numbers in their usual spelling; with `roots`, a side with a root is taken as it stands. */
export function slashAsFraction(text: string, { roots = false }: { readonly roots?: boolean } = {}): string {
  const sides = text.split("/");
  const isPart = (side: string) => /^(?:0|-?[1-9]\d*)$/.test(side) || (roots && side.includes("sqrt"));
  return sides.length === 2 && sides.every(isPart) ? `\\frac{${sides[0]}}{${sides[1]}}` : text;
}
