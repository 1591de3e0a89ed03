/**
 * The graders of GSM8K as verl has them: in the last 300 characters, the last "#### 42" (`gsm8k`) or simply the last number
 * (`gsm8k-flexible`), without commas, as the same string. 42.0 is not 42. A gold answer may be a worked solution with its own ####.
 */
import { lastCharacters, noAnswer, type Verification, verdict } from "./policy.ts";

const MAX_RESPONSE = 300;

export function gradeGsm8k(gold: string, prediction: string): Verification {
  const answer = afterHashes(lastCharacters(prediction, MAX_RESPONSE));
  if (answer === null) return noAnswer('after "#### " in the last 300 characters');
  return verdict(answer === goldOf(gold), answer, "the same number as text");
}

export function gradeGsm8kFlexible(gold: string, prediction: string): Verification {
  const numbers = lastCharacters(prediction, MAX_RESPONSE).match(/-?[\d.,]+/g) ?? [];
  const answer = numbers.filter((number) => number !== ".").at(-1);
  // Unlike the strict reading, this one keeps commas and a full stop at the end of the sentence.
  if (answer === undefined) return noAnswer("in the last 300 characters");
  return verdict(answer === goldOf(gold), answer, "the same number as text");
}

function goldOf(gold: string): string {
  return afterHashes(gold) ?? gold.trim();
}

function afterHashes(text: string): string | null {
  return [...text.matchAll(/#### (-?[\d.,]+)/g)].at(-1)?.[1]?.replaceAll(",", "") ?? null;
}
