/**
 * Statements modulo n: x = 3 and x = 10 modulo 7 are the same, and so are x = 1, 3 modulo 4 and "x is odd". In one symbol they are
 * compared by the residues that satisfy them, modulo the least common multiple of the two moduli.
 */
import { exactValue } from "./exact.ts";
import { difference, type Expression, freeSymbols, type Of, some } from "./expression.ts";
import { type Context, different, same, type Verdict } from "./options.ts";
import { divide, gcd, isInteger } from "./rational.ts";
import { equalScalars } from "./scalar.ts";

/** A congruence, or several of which one holds. */
export type Congruences = Of<"congruence"> | Of<"list">;

export function isCongruences(node: Expression): node is Congruences {
  return node.kind === "list" ? node.items.every(({ kind }) => kind === "congruence") : node.kind === "congruence";
}

/** Gold first; throws LimitReached when the budget ends. */
export function equalCongruences(gold: Congruences, pred: Congruences, context: Context): Verdict {
  if (gold.kind === "congruence" && pred.kind === "congruence") {
    const verdict = equalOnRight(gold, pred, context);
    if (verdict.equal) return verdict;
  }
  const [a, b] = [solutionsOf(gold, context), solutionsOf(pred, context)];
  if (a === null || b === null || a.name !== b.name) return different("different congruences");
  // 2x = 4 modulo 10 may be the question to which x = 2 modulo 5 is the answer.
  if (!b.isSolved && a.modulus !== b.modulus) return different("a congruence that is still to be solved");
  const period = (a.modulus / gcd(a.modulus, b.modulus)) * b.modulus;
  if (period > MAX_PERIOD) return different("different moduli");
  const [left, right] = [spreadOver(a, period), spreadOver(b, period)];
  const isSame = left.size === right.size && [...left].every((residue) => right.has(residue));
  return isSame ? same("the same residues") : different("different residues");
}

/** The same left side and modulus, and right sides that differ by a multiple of it; letters may stand in all three. */
function equalOnRight(gold: Of<"congruence">, pred: Of<"congruence">, context: Context): Verdict {
  if (!equalScalars(gold.modulus, pred.modulus, context).equal) return different("different moduli");
  if (!equalScalars(gold.left, pred.left, context).equal) return different("different left sides");
  const modulus = exactValue(gold.modulus, context.budget);
  const apart = exactValue(difference(gold.right, pred.right), context.budget);
  if (modulus === null || apart === null || modulus.numerator === 0n)
    return equalScalars(gold.right, pred.right, context);
  return isInteger(divide(apart, modulus)) ? same("the same residue") : different("different residues");
}

const MAX_PERIOD = 2_000n;
const MAX_TRIED = 400n;

interface Solutions {
  readonly name: string;
  readonly modulus: bigint;
  readonly residues: ReadonlySet<bigint>;
  /** x = a. */
  readonly isSolved: boolean;
}

/** null for several symbols, and for what is no polynomial with whole coefficients. */
function solutionsOf(node: Congruences, context: Context): Solutions | null {
  if (node.kind === "list") {
    const all = node.items.map((item) => (isCongruences(item) ? solutionsOf(item, context) : null));
    const [first] = all;
    if (first == null || node.joiner === "and") return null;
    const residues = new Set<bigint>();
    for (const each of all) {
      if (each === null || each.name !== first.name || each.modulus !== first.modulus) return null;
      for (const residue of each.residues) residues.add(residue);
    }
    return { ...first, residues, isSolved: all.every((each) => each?.isSolved) };
  }
  const [name, ...others] = freeSymbols(node);
  const modulus = exactValue(node.modulus, context.budget);
  if (name === undefined || others.length > 0 || modulus === null || !isInteger(modulus) || modulus.numerator < 1n)
    return null;
  const size = modulus.numerator;
  const isSolved = node.left.kind === "symbol" && freeSymbols(node.right).size === 0;
  const value = difference(node.left, node.right);
  if (size > MAX_TRIED || !isWholePolynomial(value)) return null;
  const residues = new Set<bigint>();
  for (let residue = 0n; residue < size; residue++) {
    const at = exactValue(value, context.budget, new Map([[name, { numerator: residue, denominator: 1n }]]));
    if (at === null) return null;
    if (isInteger(divide(at, modulus))) residues.add(residue);
  }
  return { name, modulus: size, residues, isSolved };
}

/** Sums, products and whole powers of symbols and whole numbers: what has the period of the modulus. */
function isWholePolynomial(node: Expression): boolean {
  return !some(node, (part) => {
    if (part.kind === "number") return !isInteger(part.value);
    if (part.kind !== "power") return !/^(?:symbol|sum|product)$/.test(part.kind);
    const { exponent } = part;
    return exponent.kind !== "number" || !isInteger(exponent.value) || exponent.value.numerator < 0n;
  });
}

function spreadOver({ modulus, residues }: Solutions, period: bigint): ReadonlySet<bigint> {
  const all = new Set<bigint>();
  for (const residue of residues) for (let at = residue; at < period; at += modulus) all.add(at);
  return all;
}
