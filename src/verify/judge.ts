/**
 * Is a response right? The one place that rewards and evaluation ask, so that they cannot disagree.
 *
 * A method is a Verifier: it reads the gold answer of the row, then judges a candidate text. The gold comes first and its failure is
 * its own result (null): a row whose gold cannot be read says nothing about the response. A new method is one more entry here.
 * Mathematics finds its answers itself, with the whole response in view (math-method.ts).
 */
import { z } from "zod";
import { judgeCountdown } from "./countdown.ts";
import { ANSWER_PLACES, type AnswerPlace, afterHash, extractAnswer, lastBoxed, soleNumber } from "./extract.ts";
import { judgeKnightsKnaves, parseKnightsKnaves } from "./knights-knaves.ts";
import { isMathMethod, judgeMath, MATH_METHODS, type MathMethod, mathKey } from "./math-method.ts";
import { equal, formatRational, parseNumber, type Rational } from "./numeric.ts";

/** unparseable: there is no answer at the place asked for, or none of the kind that the method compares. */
export type Verdict = "right" | "wrong" | "unparseable";

/** The reference answer of a row. */
export interface Gold {
  readonly answer: string | null;
  readonly fields: Readonly<Record<string, unknown>>;
}

export const VERIFY_METHODS = ["exact", "numeric", ...MATH_METHODS, "countdown", "knights-knaves"] as const;
export type VerifyMethod = (typeof VERIFY_METHODS)[number];

/** How an answer is found and compared; the parameters that accuracy shares with every reward that depends on it. */
export const answerParams = z.object({
  method: z
    .enum(VERIFY_METHODS)
    .default("exact")
    .describe(
      "exact: same text; numeric: same number; math: same value, set, formula or choice, without what pays unsolved; math-lenient: as Math-Verify; hendrycks to gsm8k-flexible: those graders, which look where they look; countdown: fields nums and target; knights-knaves: names, solution.",
    ),
  from: z.enum(ANSWER_PLACES).default("auto").describe("Where the answer stands in the response."),
});
export type AnswerParams = z.output<typeof answerParams>;

/** null when the row's gold cannot be read by this method. Total: no response makes it throw. */
export function judgeAnswer(response: string, gold: Gold, { method, from }: AnswerParams): Verdict | null {
  if (isMathMethod(method)) return judgeMath(response, gold.answer, method, from);
  const judge = VERIFIERS[method](gold);
  if (judge === null) return null;
  const candidate = extractAnswer(response, from);
  return candidate === null || candidate === "" ? "unparseable" : judge(candidate, from);
}

/** A text that two responses share exactly when their answers are equivalent, for votes; null for a response without an answer. */
export function answerKey(response: string, gold: Gold, { method, from }: AnswerParams): string | null {
  if (isMathMethod(method)) return mathKey(response, gold.answer, method, from);
  const candidate = extractAnswer(response, from);
  if (candidate === null || candidate === "") return null;
  switch (method) {
    case "exact":
      return normaliseText(candidate);
    case "numeric": {
      const value = readNumber(candidate, from);
      return value === null ? null : formatRational(value);
    }
    case "countdown":
      return candidate.replaceAll(/\s/g, "");
    case "knights-knaves": {
      const names = namesOf(gold.fields);
      return names === null ? null : (parseKnightsKnaves(candidate, names)?.join() ?? null);
    }
  }
  return method satisfies never;
}

type Verifier = (gold: Gold) => ((candidate: string, from: AnswerPlace) => Verdict) | null;

const VERIFIERS: Readonly<Record<Exclude<VerifyMethod, MathMethod>, Verifier>> = {
  exact({ answer }) {
    if (answer === null) return null;
    const expected = normaliseText(answer);
    return (candidate) => (normaliseText(candidate) === expected ? "right" : "wrong");
  },

  numeric({ answer }) {
    const expected = answer === null ? null : readGoldNumber(answer);
    if (expected === null) return null;
    return (candidate, from) => {
      const value = readNumber(candidate, from);
      if (value === null) return "unparseable";
      return equal(value, expected) ? "right" : "wrong";
    };
  },

  countdown({ fields }) {
    const numbers = fields["nums"] ?? fields["numbers"];
    const target = fields["target"];
    if (!Array.isArray(numbers) || numbers.length === 0 || !numbers.every(isWhole) || !isWhole(target)) return null;
    const given = numbers.map(Number);
    return (candidate) => judgeCountdown(candidate, given, Number(target));
  },

  "knights-knaves"({ answer, fields }) {
    const names = namesOf(fields);
    if (names === null) return null;
    const solution = solutionOf(fields) ?? (answer === null ? null : parseKnightsKnaves(answer, names));
    if (solution === null || solution.length !== names.length) return null;
    return (candidate) => judgeKnightsKnaves(candidate, names, solution);
  },
};

/** Case and spelling count; white space runs are one space, and compatibility forms of a character are one character. */
function normaliseText(text: string): string {
  return text.normalize("NFKC").trim().replaceAll(/\s+/g, " ");
}

/** A whole text has to be the number; other places may hold one number among words ("42 apples", "x = 42"), never two. */
function readNumber(candidate: string, from: AnswerPlace): Rational | null {
  const value = parseNumber(candidate);
  if (value !== null || from === "whole") return value;
  const sole = soleNumber(candidate);
  return sole === null ? null : parseNumber(sole);
}

/** A bare number, the line after #### of a worked solution, or a box. */
function readGoldNumber(answer: string): Rational | null {
  return parseNumber(answer) ?? parseNumber(afterHash(answer) ?? "") ?? parseNumber(lastBoxed(answer) ?? "");
}

/** JSON has numbers, Parquet may bring bigints; both must be exact. */
function isWhole(value: unknown): value is number | bigint {
  return typeof value === "bigint" ? Number.isSafeInteger(Number(value)) : Number.isSafeInteger(value);
}

function namesOf(fields: Gold["fields"]): string[] | null {
  const names = fields["names"];
  const isList =
    Array.isArray(names) && names.length > 0 && names.every((name) => typeof name === "string" && name !== "");
  return isList ? (names as string[]) : null;
}

function solutionOf(fields: Gold["fields"]): boolean[] | null {
  const solution = fields["solution"];
  return Array.isArray(solution) && solution.every((value) => typeof value === "boolean") ? solution : null;
}
