/**
 * The grader of Qwen2.5-Math (Yang et al. 2024, arXiv 2409.12122; `extract_answer`, `strip_string`, `math_equal`): the answer of
 * "final answer is $…$. I hope", else the last box, else what follows "he answer is", "final answer is" or its Chinese form, else
 * the last number; equal as text, as a choice, as a number within 1e-4 of gold / 100, gold or 100 gold, entry by entry, as
 * equations up to sign, or as formulas.
 *
 * Departure: formulas are compared by our own arithmetic, not by SymPy.
 */
import { slashAsFraction, withFractionBraces } from "./hendrycks.ts";
import { MAX_POLICY_ANSWER, noAnswer, type Verification, verdict } from "./policy.ts";
import { stripUnits, wordsAsNumber } from "./qwen-words.ts";
import { realValue, sameFormula } from "./symbolic.ts";

export function gradeQwenMath(gold: string, prediction: string): Verification {
  const found = extractQwen(prediction);
  if (found === "") return noAnswer("in a box, after a phrase, or as a number");
  const answer = stripQwen(found);
  return verdict(sameQwen(stripQwen(gold), answer), answer, "equal as text, number or formula");
}

/** "" where there is none. */
export function extractQwen(prediction: string): string {
  const answer = whereItStands(prediction)
    .replaceAll(/\n\s*/g, "")
    .replace(/^:/, "")
    .replace(/\.$/, "")
    .replace(/\/$/, "");
  return answer.slice(0, MAX_POLICY_ANSWER);
}

function whereItStands(text: string): string {
  const hope = text.indexOf("final answer is $");
  if (hope !== -1 && text.includes("$. I hope"))
    return text
      .slice(hope + 17)
      .split("$. I hope")[0]!
      .trim();
  const box = text.lastIndexOf("boxed");
  if (box !== -1) return boxContent(text.slice(box + 5));
  for (const phrase of ["he answer is", "final answer is"]) {
    if (text.includes(phrase)) return text.slice(text.lastIndexOf(phrase) + phrase.length).trim();
  }
  const chinese = text.split("\u7b54\u6848\u662f")[1];
  if (chinese !== undefined) return chinese.trim().split("\n\n")[0]!.trim();
  return (
    text
      .replaceAll(",", "")
      .match(/-?\d*\.?\d+/g)
      ?.at(-1) ?? ""
  );
}

/** Up to the brace that closes the first one, or to the end; without a brace, up to a dollar sign. */
function boxContent(text: string): string {
  if (!text.startsWith("{")) return text.split("$")[0]!.trim();
  let depth = 0;
  for (let position = 0; position < text.length; position++) {
    if (text[position] === "{") depth++;
    else if (text[position] === "}" && --depth === 0) return text.slice(1, position);
  }
  return text.slice(1);
}

/** Its normalisation of both sides. */
export function stripQwen(answer: string): string {
  if (answer.length > MAX_POLICY_ANSWER) return answer;
  let text = answer
    .trim()
    .replaceAll("\n", "")
    .replace(/\.+$/, "")
    .replaceAll("\\!", "")
    .replaceAll(/\\begin\{array\}\{.*?\}/g, "\\begin{pmatrix}")
    .replaceAll("\\end{array}", "\\end{pmatrix}")
    .replaceAll("bmatrix", "pmatrix")
    .replaceAll(/[td]frac/g, "frac")
    .replaceAll(/\\(ne|le|ge)q/g, "\\$1")
    .replaceAll(/\\(?:left|right)/g, "")
    .replaceAll(/\\([{}])/g, "$1");
  const withoutText = text.replace(/\\text\{.*?\}$/, "").trim();
  if (withoutText !== "") text = withoutText;
  text = stripUnits(text)
    .replaceAll(/\^(?:\{\\circ\}|\\circ)/g, "")
    .replaceAll(/\\?\$|\\[()]/g, "");
  text = wordsAsNumber(text)
    .replaceAll(/\\text\{(.*?)\}/g, "$1")
    .replaceAll(/[xyz](?:=|\\in|\\to)/g, "")
    .replaceAll("\\emptyset", "{}")
    .replaceAll("(-\\infty,\\infty)", "\\mathbb{R}")
    .replaceAll(/\\?%/g, "")
    .replaceAll(" .", " 0.")
    .replaceAll("{.", "{0.")
    .replaceAll("infinity", "\\infty");
  if (!text.includes("\\infty")) text = text.replaceAll("inf", "\\infty");
  text = text.replaceAll(/and|\\mathbf/g, "").replaceAll(/\\mbox\{.*?\}/g, "");
  if (text.includes("j") && !text.includes("i")) text = text.replaceAll("j", "i");
  text = text.replaceAll(/(\d+)\.0*(\D|$)/g, "$1$2");
  if (text === "") return text;
  if (text.startsWith(".")) text = `0${text}`;
  const sides = text.split("=");
  if (sides.length === 2 && sides[0]!.length <= 2) text = sides[1]!;
  text = text.replaceAll(/\\sqrt(\w+)/g, "\\sqrt{$1}").replaceAll(" ", "");
  return slashAsFraction(withFractionBraces(text), { roots: true });
}

/** Gold first; both stripped. */
export function sameQwen(gold: string, answer: string, depth = 0): boolean {
  if (gold.trim().toLowerCase() === answer.trim().toLowerCase()) return true;
  if (/^[A-E]$/.test(gold) && lastLetter(answer) === gold) return true;
  const [a, b] = [digits(gold), digits(answer)];
  if (a !== null && b !== null && [a / 100, a, a * 100].some((value) => isClose(value, b))) return true;
  if (answer === "" || depth > 4) return false;
  if (sameWithoutBrackets(gold, answer)) return true;
  if (isList(gold) && isList(answer)) return sameParts(split(gold.slice(1, -1)), split(answer.slice(1, -1)), depth);
  const [goldRows, answerRows] = [rowsOf(gold), rowsOf(answer)];
  if (goldRows !== null && answerRows !== null) return sameParts(goldRows, answerRows, depth);
  const [goldSides, answerSides] = [gold.split("="), answer.split("=")];
  if (goldSides.length === 2 && answerSides.length === 2) return sameEquation(goldSides, answerSides);
  if (isNamed(answerSides) && goldSides.length === 1) return sameQwen(gold, answerSides[1]!, depth + 1);
  if (isNamed(goldSides) && answerSides.length === 1) return sameQwen(goldSides[1]!, answer, depth + 1);
  if (sameFormula(gold, answer)) return true;
  const [x, y] = [realValue(gold), realValue(answer)];
  return x !== null && y !== null && isClose(x, y);
}

function lastLetter(answer: string): string {
  return (
    answer
      .toUpperCase()
      .match(/\b[A-E]\b/g)
      ?.at(-1) ?? answer
  );
}

/** "1,234.5" and "12\%"; null for anything else. */
function digits(text: string): number | null {
  const match = /^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*(\\?%)?$/i.exec(text.replaceAll(",", ""));
  return match === null ? null : Number(match[1]) / (match[2] === undefined ? 1 : 100);
}

/** Python's isclose with rel_tol 1e-4: relative to the larger of the two. */
function isClose(a: number, b: number): boolean {
  return a === b || Math.abs(a - b) <= 1e-4 * Math.max(Math.abs(a), Math.abs(b));
}

/** Outer brackets go from both where the answer has them and the gold none of the other kind; then all round ones and braces. */
function sameWithoutBrackets(gold: string, answer: string): boolean {
  const isIn = (text: string, open: string, close: string) => text.startsWith(open) && text.endsWith(close);
  const isBare = (isIn(answer, "[", "]") && !isIn(gold, "(", ")")) || (isIn(answer, "(", ")") && !isIn(gold, "[", "]"));
  const [a, b] = [gold, answer].map((text) =>
    (isBare ? text.replaceAll(/^[[\]()]+|[[\]()]+$/g, "") : text).replaceAll(/[{}()]/g, "").toLowerCase(),
  );
  return a === b;
}

function isList(text: string): boolean {
  return /^[([].+[)\]]/s.test(text);
}

function split(text: string): string[] {
  return text.split(",");
}

function rowsOf(text: string): string[] | null {
  const match = /^\\begin\{pmatrix\}(.*)\\end\{pmatrix\}$/s.exec(text);
  if (match === null) return null;
  const rows = match[1]!.split("\\\\").filter((row) => row.trim() !== "");
  // Rows of different length never agree, since the row ends count as entries.
  return rows.flatMap((row) => [...row.split("&"), ";"]);
}

function sameParts(golds: readonly string[], answers: readonly string[], depth: number): boolean {
  return golds.length === answers.length && golds.every((part, index) => sameQwen(part, answers[index]!, depth + 1));
}

function isNamed(sides: readonly string[]): boolean {
  return sides.length === 2 && sides[0]!.trim().length <= 2;
}

function sameEquation([a, b]: readonly string[], [c, d]: readonly string[]): boolean {
  const [gold, answer] = [`${a}-(${b})`, `${c}-(${d})`];
  return sameFormula(gold, answer) || sameFormula(gold, `-(${answer})`);
}
