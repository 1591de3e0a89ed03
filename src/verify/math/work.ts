/**
 * Work that an answer leaves undone. `\sum_{k=1}^{100} k` is worth 5050, and copying it out of the question is no solution: in strict
 * mode a number must be given with no more to compute than the gold answer has.
 *
 * Counted are fractions that are added, numbers that are multiplied, and fractions that are whole numbers; functions, sums over many terms and roots of squares are work
 * where the gold has none of their kind. Not counted: a fraction, a mixed or scientific number, a power, roots that stay, units, and
 * whatever holds free symbols, where a factored and an expanded form are both answers.
 */
import { createBudget, LimitReached } from "./budget.ts";
import { exactValue } from "./exact.ts";
import { childrenOf, type Expression, freeSymbols, type Of, product, some } from "./expression.ts";
import { compare, isInteger, ONE, type Rational } from "./rational.ts";

/** What the prediction leaves to be computed and the gold does not, in words; null where there is nothing. */
export function workLeft(gold: Expression, pred: Expression): string | null {
  if (freeSymbols(gold).size > 0 || isRounded(gold)) return null;
  if (hasIdleLetter(pred)) return "a letter that cancels";
  const [given, left] = [workOf(gold), workOf(pred)];
  if (left.numAdded > given.numAdded) return "a sum";
  if (left.numMultiplied > given.numMultiplied) return "a product";
  return [...left.kinds].find((kind) => !given.kinds.has(kind)) ?? null;
}

/** 12 + 0x, 12x/x: letters that a number does not depend on. 18 m/s has letters, each once. */
function hasIdleLetter(pred: Expression): boolean {
  const names = freeSymbols(pred);
  if (names.size === 0 || !/^(?:sum|product|power)$/.test(pred.kind)) return false;
  return pred.kind !== "product" || [...names].some((name) => numMentions(pred, name) > 1);
}

function numMentions(node: Expression, name: string): number {
  const own = node.kind === "symbol" && node.name === name ? 1 : 0;
  return childrenOf(node).reduce((sum, child) => sum + numMentions(child, name), own);
}

/** A gold that somebody has rounded asks for less than its exact form, whatever that is. */
function isRounded(gold: Expression): boolean {
  return some(gold, (node) => node.kind === "number" && node.decimal && node.value.denominator > 1_000n);
}

interface Work {
  numAdded: number;
  numMultiplied: number;
  readonly kinds: Set<string>;
}

function workOf(node: Expression): Work {
  const work: Work = { numAdded: 0, numMultiplied: 0, kinds: new Set() };
  count(node, work);
  return work;
}

function count(node: Expression, work: Work): void {
  if (node.kind === "with-unit") return;
  if (node.kind === "series") {
    work.kinds.add(node.name === "integral" ? "an integral" : `a ${node.name} over many terms`);
  }
  if (node.kind === "number" && node.digits !== undefined) work.kinds.add("another base");
  if (freeSymbols(node).size === 0) countConstant(node, work);
  for (const child of childrenOf(node)) count(child, work);
}

function countConstant(node: Expression, work: Work): void {
  if (node.kind === "sum" && !isMixed(node)) work.numAdded += Math.max(0, numNumbers(node) - 1);
  else if (node.kind === "product") {
    work.numMultiplied += numMultiplied(node);
    if (isDivision(node)) work.kinds.add("a division");
    if (node.factors.filter(isComplex).length > 1) work.kinds.add("a product of complex numbers");
  } else if (node.kind === "power") {
    if (isComplex(node.base)) work.kinds.add("a power of a complex number");
    const exponent = rationalOf(node.exponent);
    const isOfRoot = !isRational(node.base) || (exponent !== null && !isInteger(exponent));
    if (isOfRoot && isRational(node)) work.kinds.add("a root");
  } else if (node.kind === "call" && node.known) {
    const kind = FAMILIES.get(node.name);
    if (kind !== undefined) work.kinds.add(kind);
  }
}

const FAMILIES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "a trigonometric function": "sin cos tan cot sec csc",
    "an inverse trigonometric function": "arcsin arccos arctan arccot arcsec arccsc arg",
    "a hyperbolic function": "sinh cosh tanh coth sech csch arcsinh arccosh arctanh",
    "a logarithm": "ln log",
    "a root": "sqrt cbrt root",
    "an absolute value": "abs",
    "a common divisor or multiple": "gcd lcm",
    "a choice of the largest or least": "max min",
    "a rounding": "floor ceil",
    "a part of a complex number": "re im conj",
    "a matrix to be worked out": "det tr rank",
    "a count of arrangements": "factorial doublefactorial binom permutations combinations gamma",
    "a remainder": "mod",
  }).flatMap(([kind, names]) => names.split(" ").map((name): [string, string] => [name, kind])),
);

/** The terms that are fractions, or the larger number of imaginary ones: 2 + 3 leaves work, 2 + 3i and 2 + sqrt(3) do not. */
function numNumbers({ terms }: Of<"sum">): number {
  const numReal = terms.filter(isRational).length;
  const numImaginary = terms.filter((term) => isRational(product([term, { kind: "constant", name: "i" }]))).length;
  return Math.max(numReal, numImaginary);
}

/** 1 1/2: a whole number and a proper fraction. */
function isMixed({ terms }: Of<"sum">): boolean {
  const [whole, part] = terms.map(rationalOf);
  if (terms.length !== 2 || whole == null || part == null) return false;
  const isPlain = !terms.some((term) => some(term, ({ kind }) => kind === "sum" || kind === "call"));
  return isPlain && isInteger(whole) && part.numerator > 0n && compare(part, ONE) < 0;
}

/** The numbers beyond the first above and below the line, and fractions below it; signs and powers of ten do not count. */
function numMultiplied({ factors }: Of<"product">): number {
  let [above, below, nested] = [0, 0, 0];
  for (const factor of factors) {
    if (factor.kind === "number") above += isUnit(factor.value) ? 0 : 1;
    else if (factor.kind === "power" && isRational(factor)) {
      if (rationalOf(factor.exponent)!.numerator < 0n) {
        below++;
        if (factor.base.kind !== "number") nested++;
      } else if (factor.base.kind !== "number" || factor.base.value.numerator !== 10n) above++;
    }
  }
  return Math.max(0, above - 1) + Math.max(0, below - 1) + nested;
}

/** 24/2: a fraction that is a whole number. */
function isDivision(node: Of<"product">): boolean {
  const value = rationalOf(node);
  const divides = (factor: Expression) =>
    factor.kind === "power" &&
    factor.base.kind === "number" &&
    factor.base.value.numerator !== 10n &&
    (rationalOf(factor.exponent)?.numerator ?? 0n) < 0n;
  return value !== null && isInteger(value) && node.factors.some(divides);
}

function isUnit(value: Rational): boolean {
  return isInteger(value) && (value.numerator === 1n || value.numerator === -1n);
}

function isComplex(node: Expression): boolean {
  return some(node, (part) => part.kind === "constant" && part.name === "i");
}

function isRational(node: Expression): boolean {
  return rationalOf(node) !== null;
}

function rationalOf(node: Expression): Rational | null {
  try {
    return exactValue(node, createBudget());
  } catch (error) {
    if (error instanceof LimitReached) return null;
    throw error;
  }
}
