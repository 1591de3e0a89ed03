/**
 * Are two piecewise functions the same, or a piecewise function and one formula? Where all conditions are sets of reals, by the values on
 * every overlap of two conditions, so that x >= 0 and x > 0 may both own the zero of |x|. On an overlap the values are compared under a
 * change of variable that runs through it: x = e^u for x > 0. Else branch by branch: equal values under equal conditions.
 */
import { spend } from "./budget.ts";
import {
  type Branch,
  difference,
  type Expression,
  freeSymbols,
  number,
  type Of,
  power,
  product,
  quotient,
  sum,
  symbol,
} from "./expression.ts";
import { type Context, different, same, type Verdict } from "./options.ts";
import { complement, intersection, isSameSet, order, type Piece, type RealSet, union } from "./real-set.ts";
import { realSetOf, sameEnd } from "./solve.ts";
import { substituted } from "./substitute.ts";

type Equal = (gold: Expression, pred: Expression, context: Context) => Verdict;

/** Gold first; `equal` compares values and conditions. */
export function equalPiecewise(gold: Of<"piecewise">, pred: Of<"piecewise">, context: Context, equal: Equal): Verdict {
  const [a, b] = [domainsOf(gold, context), domainsOf(pred, context)];
  const isDecided = a !== null && b !== null && a.name === b.name;
  return isDecided ? equalOnOverlaps(gold, pred, a, b, context, equal) : equalBranches(gold, pred, context, equal);
}

/** One formula is the function where it gives the value of every case, and the cases leave no number out. */
export function equalToFormula(cases: Of<"piecewise">, formula: Expression, context: Context, equal: Equal): Verdict {
  const parities = cases.branches.map(({ condition }) => parityOf(condition));
  if (parities.every((parity) => parity !== null)) {
    const isWhole = new Set(parities.map(({ rest }) => rest)).size === 2;
    const isSame = cases.branches.every(({ value }, index) => {
      const { name, rest } = parities[index]!;
      const at = (node: Expression) => substituted(node, name, sum([product([number(2), symbol(name)]), number(rest)]));
      return equal(at(value), at(formula), context).equal;
    });
    return isWhole && isSame ? same("equal for even and odd numbers") : different("a case differs from the formula");
  }
  const domains = domainsOf(cases, context);
  const isWhole = domains !== null && complement(union(domains.sets.flat(), sameEnd(context))).length === 0;
  if (domains === null || !isWhole) return different("cases that leave something out are no formula");
  const isSame = cases.branches.every(({ value }, index) =>
    domains.sets[index]!.every((piece) => equalWithin(value, formula, domains.name, piece, context, equal)),
  );
  return isSame ? same("equal in every case") : different("a case differs from the formula");
}

/** "n even" and "n odd": the letter, and what it leaves after division by 2. */
function parityOf(condition: Expression): { readonly name: string; readonly rest: number } | null {
  const [, name, parity] = condition.kind === "text" ? (/^([a-zA-Z]) (even|odd)$/.exec(condition.words) ?? []) : [];
  return name === undefined ? null : { name, rest: parity === "odd" ? 1 : 0 };
}

interface Domains {
  /** The symbol that the conditions are about. */
  readonly name: string;
  readonly sets: readonly RealSet<Expression>[];
}

/** Where each branch holds; null where a condition is no set of reals in one symbol. */
function domainsOf({ branches }: Of<"piecewise">, context: Context): Domains | null {
  const names = new Set(branches.flatMap(({ condition }) => [...freeSymbols(condition)]));
  const [name] = names;
  if (name === undefined || names.size > 1) return null;
  const sets: RealSet<Expression>[] = [];
  let taken: RealSet<Expression> = [];
  for (const { condition } of branches) {
    const set = isOtherwise(condition) ? complement(taken) : realSetOf(condition, context);
    if (set === null) return null;
    sets.push(set);
    taken = union([...taken, ...set], sameEnd(context));
  }
  return { name, sets };
}

function isOtherwise(condition: Expression): boolean {
  return condition.kind === "text" && condition.words === "otherwise";
}

function equalOnOverlaps(
  gold: Of<"piecewise">,
  pred: Of<"piecewise">,
  a: Domains,
  b: Domains,
  context: Context,
  equal: Equal,
): Verdict {
  const isSame = sameEnd(context);
  const whole = ({ sets }: Domains) => union(sets.flat(), isSame);
  if (!isSameSet(whole(a), whole(b), isSame)) return different("the cases cover different numbers");
  for (const [i, first] of gold.branches.entries()) {
    for (const [j, second] of pred.branches.entries()) {
      spend(context.budget, 40);
      for (const piece of intersection(a.sets[i]!, b.sets[j]!, isSame)) {
        if (!equalWithin(first.value, second.value, a.name, piece, context, equal))
          return different(`case ${i + 1} differs`);
      }
    }
  }
  return same("equal in every case");
}

/** Inside of a piece, and at its ends where they belong to it. */
function equalWithin(
  gold: Expression,
  pred: Expression,
  name: string,
  { low, high, lowClosed, highClosed }: Piece<Expression>,
  context: Context,
  equal: Equal,
): boolean {
  const equalAt = (x: Expression) => equal(substituted(gold, name, x), substituted(pred, name, x), context).equal;
  const isPoint = low.exact !== null && order(low, high, sameEnd(context)) === 0;
  if (!isPoint && equal(gold, pred, context).equal) return true;
  const inside = isPoint ? null : runningThrough(low.exact, high.exact, symbol(name));
  if (inside === null && !isPoint) return false;
  if (inside !== null && !equalAt(inside)) return false;
  return [lowClosed ? low.exact : null, highClosed ? high.exact : null].every((end) => end === null || equalAt(end));
}

/** An expression in u whose values are those between the ends, null for all numbers; an end that is null is infinite. */
function runningThrough(low: Expression | null, high: Expression | null, u: Expression): Expression | null {
  const growth = power({ kind: "constant", name: "e" }, u);
  if (low === null) return high === null ? null : difference(high, growth);
  return high === null ? sum([low, growth]) : sum([low, quotient(difference(high, low), sum([number(1), growth]))]);
}

function equalBranches(gold: Of<"piecewise">, pred: Of<"piecewise">, context: Context, equal: Equal): Verdict {
  if (gold.branches.length !== pred.branches.length) return different("a different number of cases");
  const left = [...pred.branches];
  // Conditions first; what holds otherwise is then the branch that is left.
  const isRest = ({ condition }: Branch) => Number(isOtherwise(condition));
  for (const branch of [...gold.branches].sort((x, y) => isRest(x) - isRest(y))) {
    const found = left.findIndex(
      ({ value, condition }) =>
        (left.length === 1 && (isOtherwise(condition) || isOtherwise(branch.condition))) ||
        (equalConditions(branch.condition, condition, context, equal) && equal(branch.value, value, context).equal),
    );
    const other = left[found];
    if (other === undefined || !equal(branch.value, other.value, context).equal) return different("a case differs");
    left.splice(found, 1);
  }
  return same("equal in every case");
}

function equalConditions(a: Expression, b: Expression, context: Context, equal: Equal): boolean {
  if (a.kind === "text" || b.kind === "text") return a.kind === "text" && b.kind === "text" && a.words === b.words;
  return equal(a, b, context).equal;
}
