/**
 * Are two piecewise functions the same? Where all conditions are sets of reals, by the values on every overlap of two conditions,
 * so that x >= 0 and x > 0 may both own the zero of |x|. Else branch by branch: equal values under equal conditions.
 */
import { spend } from "./budget.ts";
import { type Branch, type Expression, freeSymbols, type Of } from "./expression.ts";
import { type Context, different, same, type Verdict } from "./options.ts";
import { complement, intersection, isSameSet, type RealSet, union } from "./real-set.ts";
import { realSetOf, sameEnd } from "./solve.ts";
import { substituted } from "./substitute.ts";

type Equal = (gold: Expression, pred: Expression, context: Context) => Verdict;

/** Gold first; `equal` compares values and conditions. */
export function equalPiecewise(gold: Of<"piecewise">, pred: Of<"piecewise">, context: Context, equal: Equal): Verdict {
  const [a, b] = [domainsOf(gold, context), domainsOf(pred, context)];
  const isDecided = a !== null && b !== null && a.name === b.name;
  return isDecided ? equalOnOverlaps(gold, pred, a, b, context, equal) : equalBranches(gold, pred, context, equal);
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
      for (const { low, high } of intersection(a.sets[i]!, b.sets[j]!, isSame)) {
        // At a single point the values count, on an interval the functions.
        const point = low === high ? low.exact : null;
        const at = (value: Expression) => (point === null ? value : substituted(value, a.name, point));
        if (!equal(at(first.value), at(second.value), context).equal) return different(`case ${i + 1} differs`);
      }
    }
  }
  return same("equal in every case");
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
