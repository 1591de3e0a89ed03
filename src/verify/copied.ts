/**
 * Is an answer copied out of the question? To "Factor x^2 - 1" x^2 - 1 is an equal answer and no solution, and a policy that is paid for
 * it learns to copy. A copy is a formula with an operation in it, a fraction of two numbers apart, that the question holds as a whole or as
 * one side of a relation, character by character but for blanks, braces and sizes of brackets, where the gold is written differently.
 */
import { readPrediction } from "./verify.ts";

/** True for a strict answer that the prompt has word for word and the gold has not. */
export function isCopied(response: string, gold: string, prompt: string): boolean {
  const answer = readPrediction(gold, response, { mode: "strict" });
  if (answer === null || answer.letter !== null) return false;
  const copy = bare(answer.text);
  if (copy === bare(gold) || !hasOperation(copy)) return false;
  const formulas = prompt.match(/\$\$[^$]+\$\$|\$[^$]+\$|\\\[[\s\S]+?\\\]|\\\([\s\S]+?\\\)/g);
  if (formulas === null) return bare(prompt).includes(copy);
  return formulas.some((formula) => [formula, ...formula.split(SIDES)].some((part) => bare(part) === copy));
}

/** Between the sides of relations and the items of lists. */
const SIDES = /[=<>,;:]|\\(?:le|ge|leq|geq|neq?|approx|equiv|text\s?\{[^{}]*\})(?![a-zA-Z])/;

function hasOperation(formula: string): boolean {
  const hasLetters = /[a-zA-Z]/.test(formula.replaceAll(/\\[a-zA-Z]+/g, ""));
  const operation =
    /\\(?:sqrt|cdot|times|div)(?![a-zA-Z])|\^|(?<=[\w)])[-+*]|\\end[a-z]+\\begin|\\beginvmatrix|\\d?binom|\\overline\d/;
  return operation.test(formula) || (hasLetters && /\/|\\frac/.test(formula));
}

/** Without what does not change how a formula reads. */
function bare(formula: string): string {
  return formula
    .replaceAll(/\\(?:left|right|displaystyle|limits)(?![a-zA-Z])|\\[,;!: ()[\]]|[\s${}~]/g, "")
    .replaceAll(/\\[dt]frac/g, "\\frac")
    .replace(/[.,;:]+$/, "");
}
