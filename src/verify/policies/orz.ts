/**
 * The grader of Open-Reasoner-Zero (Hu et al. 2025, arXiv 2503.24290; orz/ppo): the last box inside an `<answer>…</answer>`,
 * right when it equals the gold after the Hendrycks normalisation without commas (numbers as floats), or as a formula, or as a
 * formula after the Minerva normalisation that keeps equals signs.
 *
 * Departures: formulas are compared by our own arithmetic, not by SymPy within a second; of answers longer than 128 characters only
 * the text is compared, where the original looks at how much they repeat themselves.
 */
import { MINERVA_REMOVED, normaliseMinerva } from "./dapo.ts";
import { normaliseHendrycks } from "./hendrycks.ts";
import { lastPlainBox, noAnswer, type Verification, verdict } from "./policy.ts";
import { sameFormula } from "./symbolic.ts";

const MAX_FORMULA = 128;

export function gradeOrz(gold: string, prediction: string): Verification {
  const answer = lastBoxInTags(prediction);
  if (answer === null) return noAnswer("in a box inside <answer>");
  const truth = lastPlainBox(gold) ?? gold;
  return verdict(sameText(truth, answer) || sameAsFormula(truth, answer), answer, "equal as text or as a formula");
}

/**
 * The last box of what its greedy pattern spans: from the first box after the first `<answer>` to the last brace before the last
 * `</answer>`.
 */
function lastBoxInTags(prediction: string): string | null {
  const [start, end] = [prediction.indexOf("<answer>"), prediction.lastIndexOf("</answer>")];
  if (start === -1 || end === -1) return null;
  const open = prediction.indexOf("\\boxed{", start);
  const close = prediction.lastIndexOf("}", end);
  return open === -1 || close < open ? null : lastPlainBox(prediction.slice(open, close + 1));
}

function sameText(gold: string, answer: string): boolean {
  const [a, b] = [gold, answer].map((text) => normaliseHendrycks(text.replaceAll(/[,$]/g, "")));
  if (a == null || b == null) return gold === answer;
  const [x, y] = [a, b].map((text) =>
    /^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?\s*$/i.test(text) ? Number(text) : Number.NaN,
  );
  return Number.isNaN(x) || Number.isNaN(y) ? a === b : x === y;
}

/** Minerva's list, with ft. */
const REMOVED = [...MINERVA_REMOVED.slice(0, 6), "ft", ...MINERVA_REMOVED.slice(6)];

function sameAsFormula(gold: string, answer: string): boolean {
  if (gold.length > MAX_FORMULA || answer.length > MAX_FORMULA) return false;
  if (sameFormula(gold, answer)) return true;
  const [a, b] = [gold, answer].map((text) => normaliseMinerva(text, { lastSide: false, removed: REMOVED }));
  return a === b || sameFormula(a!, b!);
}
