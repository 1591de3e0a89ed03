/**
 * The grader of DAPO (Yu et al. 2025, arXiv 2503.14476; verl's `math_dapo`): the last "Answer: …" line of the last 300 characters,
 * and string equality after the normalisation of Minerva (Lewkowycz et al. 2022, arXiv 2206.14858, appendix). Its reward is 1 or -1.
 */
import { lastCharacters, MAX_POLICY_ANSWER, noAnswer, type Verification, verdict } from "./policy.ts";

const MAX_RESPONSE = 300;

export function gradeDapo(gold: string, prediction: string): Verification {
  const answer = [...lastCharacters(prediction, MAX_RESPONSE).matchAll(/Answer\s*:\s*([^\n]+)/gi)].at(-1)?.[1];
  if (answer === undefined) return noAnswer('after "Answer:" in the last 300 characters');
  return verdict(normaliseMinerva(gold) === normaliseMinerva(answer), answer, "the same text after normalisation");
}

const SUBSTITUTIONS: readonly (readonly [before: string, after: string])[] = [
  ["an ", ""],
  ["a ", ""],
  [".$", "$"],
  ["\\$", ""],
  ["\\ ", ""],
  [" ", ""],
  ["mbox", "text"],
  [",\\text{and}", ","],
  ["\\text{and}", ","],
  ["\\text{m}", "\\text{}"],
];

/** Taken out wherever they stand, in this order: inside other words too. */
export const MINERVA_REMOVED: readonly string[] = [
  ..."square ways integers dollars mph inches hours km units \\ldots sue points feet minutes digits cents degrees cm gm".split(
    " ",
  ),
  ..."pounds meters meals edges students childrentickets multiples \\text{s} \\text{.} \\text{\ns} \\text{}^2 \\text{}^3".split(
    " ",
  ),
  ...'\\text{\n} \\text{} \\mathrm{th} ^\\circ ^{\\circ} \\; ,\\! {,} " \\dots'.split(" "),
];

/** `lastSide`: what stands before the last equals sign goes first. */
export function normaliseMinerva(answer: string, { lastSide = true, removed = MINERVA_REMOVED } = {}): string {
  if (answer.length > MAX_POLICY_ANSWER) return answer;
  let text = lastSide ? answer.slice(answer.lastIndexOf("=") + 1) : answer;
  for (const [before, after] of SUBSTITUTIONS) text = text.replaceAll(before, after);
  for (const words of removed) text = text.replaceAll(words, "");
  text = text
    .replaceAll(/.*?\$(.*?)\$.*/g, (_, inside: string) => `$${inside}$`)
    .replaceAll(/\\text\{(.*?)\}/g, "$1")
    .replaceAll(/\\textbf\{(.*?)\}/g, "$1")
    .replaceAll(/\\overline\{(.*?)\}/g, "$1")
    .replaceAll(/\\boxed\{(.*)\}/g, "$1")
    .replaceAll(/frac([^{])(.)/g, "frac{$1}{$2}")
    .replaceAll(/sqrt([^{])/g, "sqrt{$1}")
    .replaceAll("$", "");
  const digits = text.replaceAll(",", "");
  return (/^\d+$/.test(digits) ? digits : text).trim();
}
