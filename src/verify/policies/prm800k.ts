/**
 * The grader of PRM800K (Lightman et al. 2023, arXiv 2305.20050; `grade_answer`): equal for Hendrycks, or equal after a second
 * normalisation, or entry by entry the same formula, where brackets must agree, a fraction must be in lowest terms, and a whole
 * number is met by a whole number alone.
 *
 * Departure: formulas are compared by our own arithmetic, not by SymPy, so that nothing hangs; the conditions under which it asks
 * SymPy (at most two letters, no braces or long digits in exponents) are kept.
 */

import { sameHendrycks } from "./hendrycks.ts";
import { lastPlainBox, MAX_POLICY_ANSWER, noAnswer, type Verification, verdict } from "./policy.ts";
import { sameFormula } from "./symbolic.ts";

export function gradePrm800k(gold: string, prediction: string): Verification {
  const answer = lastPlainBox(prediction, { frames: true });
  if (answer === null) return noAnswer("in a box");
  return verdict(samePrm800k(gold, answer), answer, "equal after normalisation, entry by entry");
}

/** Gold first. */
export function samePrm800k(gold: string, answer: string): boolean {
  if (sameHendrycks(unwrapText(gold.trim()), unwrapText(answer.trim()))) return true;
  if (gold.length > MAX_POLICY_ANSWER || answer.length > MAX_POLICY_ANSWER) return false;
  const [a, b] = [normalisePrm800k(gold), normalisePrm800k(answer)];
  if (a === b) return true;
  if (b === "") return false;
  const [golds, answers] = [entriesOf(a), entriesOf(b)];
  if (golds.length > 1 && (a[0] !== b[0] || a.at(-1) !== b.at(-1))) return false;
  return golds.length === answers.length && golds.every((entry, index) => sameEntry(entry, answers[index]!));
}

function sameEntry(gold: string, answer: string): boolean {
  if (isFraction(gold) && isFraction(answer)) return gold === answer;
  if (isWhole(gold) !== isWhole(answer)) return false;
  return mayCompare(`(${gold})-(${answer})`) && sameFormula(gold, answer);
}

/** Its conditions for asking SymPy, and SymPy's own for an answer: relations, sets and lists have no difference, and the signs of sums and integrals are letters to it. */
function mayCompare(difference: string): boolean {
  if (/[=<>≤≥≠∈∫∑∏,;:|{}]/.test(difference)) return false;
  const letters = new Set(difference.replaceAll(/sqrt|frac/g, "").match(/\p{L}/gu));
  return letters.size <= 2 && !/\^[{(]|\^\d+\^|\^\d\d/.test(difference);
}

function unwrapText(text: string): string {
  return /^\\text\{(.+?)\}$/s.exec(text)?.[1]?.trim() ?? text;
}

const UNITS = "degree cm centimeter meter mile second minute hour day week month year foot feet inch yard".split(" ");
const UNIT = UNITS.map((unit) => new RegExp(`${unit}(?:es)?s? *(?:\\^\\d+)?`, "g"));

/** The second normalisation: without dollars, percents and units, numbers of words and LaTeX as plain text, lower case. */
export function normalisePrm800k(answer: string): string {
  let text = (/^\\text\{(.+?)\}$/s.exec(answer)?.[1] ?? answer)
    .replaceAll(/\\?%|\\?\$/g, "")
    .replaceAll(/ (?:or|and) /g, " , ")
    .replaceAll("million", "*10^6")
    .replaceAll("billion", "*10^9")
    .replaceAll("trillion", "*10^12");
  for (const unit of UNIT) text = text.replaceAll(unit, "");
  text = text.replaceAll(/\^ *\\circ/g, "");
  if (text.startsWith("{") && text.endsWith("}")) text = text.slice(1, -1);
  text = text.replaceAll(/,\\! */g, "");
  if (isWhole(text)) text = wholeText(text);
  if (text.includes("\\")) text = plainText(text);
  text = text
    .replaceAll(/- */g, "-")
    .replaceAll(/(\d) +(\d)/g, "$1+$2")
    .replaceAll(/[ {}]/g, "")
    .toLowerCase();
  return isWhole(text) ? wholeText(text) : text;
}

/** What pylatexenc writes for LaTeX: \frac{1}{2} as 1/2, \sqrt{2} and \sqrt[3]{2} as sqrt(2), a command that it does not know as nothing. */
function plainText(latex: string): string {
  let text = latex
    .replaceAll(/\\[td]?frac/g, " \\frac")
    .replaceAll(
      /\\begin\{(array|pmatrix|bmatrix|smallmatrix)\}(?:\{[^{}]*\})?(.*?)\\end\{\1\}/gs,
      (_, _name, rows: string) => {
        return `[ ${rows
          .trim()
          .replaceAll(/\s*&\s*/g, " ")
          .replaceAll(/\s*\\\\\s*/g, "; ")} ]`;
      },
    )
    .replaceAll(/\\(?:begin|end)\{[^{}]*\}/g, "")
    .replaceAll("&", " ")
    .replaceAll("\\\\", "\n")
    .replaceAll(/\\mbox\s*\{[^{}]*\}/g, "")
    .replaceAll(/\\sqrt\s*\[[^\]]*\]/g, "\\sqrt");
  for (let round = 0; round < 20 && /\\(?:frac|sqrt)/.test(text); round++) {
    const before = text;
    text = text
      .replaceAll(/\\frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}/g, "$1/$2")
      .replaceAll(/\\sqrt\s*\{([^{}]*)\}/g, "sqrt($1)")
      .replaceAll(/\\frac\s*(\w)\s*(\w)/g, "$1/$2")
      .replaceAll(/\\sqrt\s*(\w)/g, "sqrt($1)");
    if (text === before) break;
  }
  return text
    .replaceAll(/\\([,;:! {}%$&#_])/g, (_, character: string) => (/[{}%$&#_]/.test(character) ? character : " "))
    .replaceAll(/\\mathbb\s*\{?([A-Z])\}?/g, (_, letter: string) => SETS[letter] ?? letter)
    .replaceAll(/\\([a-zA-Z]+)\s*/g, (_, name: string) => (FUNCTIONS.has(name) ? name : (SYMBOLS.get(name) ?? "")))
    .replaceAll("\\", "")
    .trim();
}

const FUNCTIONS = new Set(
  "arccos arcsin arctan cos cosh exp inf lim liminf limsup ln log max min sin sinh sup tan tanh".split(" "),
);
const SETS: Readonly<Record<string, string>> = { C: "ℂ", N: "ℕ", Q: "ℚ", R: "ℝ", Z: "ℤ" };
/** Name and text in turn. Those that the grader itself rewrites (pi, inf, U, *) are what it makes of them; \ne is unknown, \neq is not. */
const SYMBOLS = pairUp(
  "alpha α beta β gamma γ delta δ epsilon ϵ varepsilon ε zeta ζ eta η theta θ iota ι kappa κ lambda λ mu μ nu ν xi ξ pi pi rho ρ " +
    "sigma σ tau τ upsilon υ phi ϕ varphi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ Upsilon Υ Phi Φ " +
    "Psi Ψ Omega Ω le ≤ leq ≤ ge ≥ geq ≥ neq ≠ approx ≈ equiv ≡ in ∈ notin ∉ pm ± mp ∓ cdot * times * div ÷ circ ∘ angle ∠ " +
    "infty inf cup U cap ∩ emptyset ∅ varnothing ∅ subset ⊂ subseteq ⊆ supset ⊃ setminus ∖ to → rightarrow → Rightarrow ⇒ ldots … " +
    "dots … cdots ⋯ perp ⊥ parallel ∥ sim ∼ mid | ell ℓ sum ∑ prod ∏ int ∫ prime ' star ⋆ lfloor ⌊ rfloor ⌋ lceil ⌈ rceil ⌉ " +
    "langle ⟨ rangle ⟩ cong ≅ partial ∂ nabla ∇",
);

function pairUp(list: string): ReadonlyMap<string, string> {
  const words = list.split(" ");
  const names = words.filter((_, index) => index % 2 === 0);
  return new Map(names.map((name, index) => [name, words[2 * index + 1]!]));
}

function isFraction(text: string): boolean {
  return /^-?\d+.?\/0*[1-9]\d*.?$/.test(text);
}

/** A decimal number, thousands by comma, within 1e-7 of a whole one. */
function isWhole(text: string): boolean {
  const bare = withoutThousands(text).trim();
  if (!/^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(bare)) return false;
  const value = Number(bare);
  return Number.isFinite(value) && Math.abs(value - Math.round(value)) <= 1e-7;
}

function wholeText(text: string): string {
  const digits = /^\s*([-+]?)0*(\d+)\s*$/.exec(withoutThousands(text));
  if (digits === null) return String(BigInt(Math.round(Number(withoutThousands(text)))));
  return `${digits[1] === "-" && digits[2] !== "0" ? "-" : ""}${digits[2]}`;
}

function withoutThousands(text: string): string {
  let next = text;
  for (let before = ""; before !== next; ) {
    before = next;
    next = next.replaceAll(/(\d),(\d{3})(?=\D|$)/g, "$1$2");
  }
  return next;
}

const BRACKETS = /[()[\]]/;

function entriesOf(normalised: string): string[] {
  const text = withoutThousands(normalised);
  if (text === "") return [];
  const inside = text.slice(1, -1);
  const isTuple = text.length > 2 && BRACKETS.test(text[0]!) && BRACKETS.test(text.at(-1)!) && !BRACKETS.test(inside);
  return isTuple ? inside.split(",").map((entry) => entry.trim()) : [text];
}
