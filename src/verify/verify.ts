/**
 * `verify`: does a response give the gold answer of a mathematical question?
 *
 *   1. The gold answer is read: bare, boxed, after ####, or out of a worked solution.
 *   2. The answer of the response is found (math/extract.ts) and read (math/parse.ts).
 *   3. The two are compared, gold first (math/equal.ts): exactly where exact arithmetic decides, else at random points.
 *
 * `lenient` answers as Math-Verify 0.8 (spec: its README and source at 5d148cf) with its failures mended. `strict` is for rewards
 * that a policy optimises against. It refuses what a policy finds out to pay without solving: several different boxes or answers,
 * chains of equations that are not true, lists for a single value, answers that stand only in the thinking or where nobody reads, that
 * the response denies, doubts or takes back, and values that nothing announces.
 *
 * Pure and synchronous; every string ends in bounded time without a clock, a signal or a thread.
 */
import { allLetters, predictedLetter } from "./math/choice.ts";
import { equalMath } from "./math/equal.ts";
import type { Candidate } from "./math/extract.ts";
import { findAnswer } from "./math/find.ts";
import { type FindOptions, PLACES, quote, type Tell } from "./math/find-options.ts";
import type { Parsed } from "./math/parse.ts";
import { type Answer, type Gold, readGold } from "./math/read.ts";
import { workLeft } from "./math/work.ts";
import { POLICIES, POLICY_NAMES, type PolicyName } from "./policies/policies.ts";
import type { Verification } from "./policies/policy.ts";

export type { PolicyName } from "./policies/policies.ts";
export type { Verification } from "./policies/policy.ts";

export interface VerifyOptions extends FindOptions {
  /** Another's grader in place of ours: it finds and compares in its own way, and the other options do not count. */
  readonly policy?: PolicyName;
}

/**
 * Several golds are alternatives: any of them will do. No text makes it throw, and a gold that cannot be read equals nothing; a TypeError says
 * what else was given in the place of texts, or which option is none.
 */
export function verify(
  gold: string | readonly string[],
  prediction: string,
  options: VerifyOptions = {},
): Verification {
  return verifyInSteps(gold, prediction, options, () => undefined);
}

/** verify, and what it did, one line a step. */
export function explainVerify(
  gold: string | readonly string[],
  prediction: string,
  options: VerifyOptions = {},
): Verification & { readonly steps: readonly string[] } {
  const steps: string[] = [];
  const verification = verifyInSteps(gold, prediction, options, (describe) => steps.push(describe()));
  return { ...verification, steps };
}

/** True for a text in which a gold answer can be read. */
export function isGold(text: string): boolean {
  return readGold(text).length > 0;
}

/** The answer of a response as verify takes it, and its letter where the golds are choices; null where there is none. */
export function readPrediction(
  gold: string | readonly string[],
  prediction: string,
  options: VerifyOptions = {},
): { readonly text: string; readonly parsed: Parsed; readonly letter: string | null } | null {
  const golds = readGolds(gold);
  const found = findAnswer(prediction, golds, options, () => undefined);
  if ("refused" in found) return null;
  const isChoice = golds.some(({ letter }) => letter !== null);
  const { text } = found.candidate;
  return { text, parsed: found.parsed, letter: isChoice ? predictedLetter(text) : null };
}

function verifyInSteps(
  gold: string | readonly string[],
  prediction: string,
  options: VerifyOptions,
  tell: Tell,
): Verification {
  checkArguments(gold, prediction, options);
  if (options.policy !== undefined) return verifyByPolicy(gold, prediction, options.policy, tell);
  const golds = readGolds(gold);
  if (golds.length === 0) return { equal: false, extracted: null, reason: "the gold answer cannot be read" };
  for (const { text, parsed } of golds) tell(() => `gold: ${quote(text)}, read as ${describeParsed(parsed)}`);

  const found = findAnswer(prediction, golds, options, tell);
  if ("refused" in found) return { equal: false, extracted: found.extracted, reason: found.refused };
  const { candidate, parsed } = found;
  tell(() => `answer: ${quote(candidate.text)} (${PLACES[candidate.place]}), read as ${describeParsed(parsed)}`);

  let reason = "";
  for (const each of golds) {
    const verdict = compare(each, found, options);
    tell(() => `${verdict.equal ? "equal to" : "not equal to"} ${quote(each.text)}: ${verdict.reason}`);
    if (verdict.equal) return { equal: true, extracted: candidate.text, reason: verdict.reason };
    reason ||= verdict.reason;
  }
  return { equal: false, extracted: candidate.text, reason };
}

/** For callers without types: a wrong mode would judge silently as another. */
function checkArguments(gold: unknown, prediction: unknown, { mode, policy }: VerifyOptions): void {
  const isText = (value: unknown) => typeof value === "string";
  if (!isText(gold) && !(Array.isArray(gold) && gold.every(isText)))
    throw new TypeError(`Expected the gold answer of verify to be a text or a list of texts, got ${kindOf(gold)}.`);
  if (!isText(prediction))
    throw new TypeError(`Expected the response of verify to be a text, got ${kindOf(prediction)}.`);
  if (mode !== undefined && mode !== "lenient" && mode !== "strict")
    throw new TypeError(`Expected mode lenient or strict, got ${JSON.stringify(mode)}.`);
  if (policy !== undefined && !POLICY_NAMES.some((name) => name === policy))
    throw new TypeError(`Expected policy ${POLICY_NAMES.join(", ")}; got ${JSON.stringify(policy)}.`);
}

function kindOf(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "a list of other things" : typeof value;
}

function verifyByPolicy(
  gold: string | readonly string[],
  prediction: string,
  name: PolicyName,
  tell: Tell,
): Verification {
  const results = (typeof gold === "string" ? [gold] : gold).map((each) => POLICIES[name](each, prediction));
  for (const { extracted, reason } of results) {
    tell(() => `${name}: answer ${extracted === null ? "none" : quote(extracted)}: ${reason}`);
  }
  const none = { equal: false, extracted: null, reason: "the gold answer cannot be read" };
  return results.find(({ equal }) => equal) ?? results[0] ?? none;
}

function readGolds(gold: string | readonly string[]): Gold[] {
  return (typeof gold === "string" ? [gold] : gold).flatMap(readGold);
}

function compare(
  gold: Gold,
  { parsed, candidate }: Answer,
  options: VerifyOptions,
): { equal: boolean; reason: string } {
  if (gold.letter !== null) {
    const letter = predictedLetter(candidate.text);
    if (letter !== null) {
      return letter === gold.letter
        ? { equal: true, reason: "the same choice" }
        : { equal: false, reason: `choice ${letter}, not ${gold.letter}` };
    }
  }
  // ABD: several choices, written in any way.
  const letters = allLetters(gold.text);
  if (letters !== null && letters.length > 1 && letters === allLetters(candidate.text)) {
    return { equal: true, reason: "the same choices" };
  }
  const verdict = equalMath(
    gold.parsed,
    parsed,
    isPercentOfAnswer(gold, candidate) ? { percent: "optional", ...options } : options,
  );
  const left = verdict.equal && options.mode === "strict" ? workLeft(gold.parsed.expression, parsed.expression) : null;
  return left === null ? verdict : { equal: false, reason: `the value is right, but ${left} is left to be worked out` };
}

/**
 * 20% for 20, or 20 for 20%: where an answer is given, in a box or in running text, the sign may be the unit that the question asks
 * in, as a word would be. In a bare formula it is 1/100, and below 1 too much hangs on it: 0.2% is not 0.2.
 */
function isPercentOfAnswer({ text }: Gold, candidate: Candidate): boolean {
  if (candidate.place === "formula" || candidate.text.includes("$")) return false;
  const numbers = [text, candidate.text].map((each) =>
    /^(-?[\d.,]+)\s?(\\?%|\uff05|percent|pct)?$/.exec(each.replaceAll(/^\$|\$$|\{(?=,\})|(?<=\{,)\}/g, "").trim()),
  );
  const [gold, pred] = numbers;
  if (gold == null || pred == null || (gold[2] === undefined) === (pred[2] === undefined)) return false;
  return /[1-9]/.test(gold[1]!.split(".")[0]!);
}

function describeParsed({ expression, words }: Parsed): string {
  return expression.kind === "text"
    ? `the words ${quote(words)}`
    : `${/^[aeio]/.test(expression.kind) ? "an" : "a"} ${expression.kind}`;
}
