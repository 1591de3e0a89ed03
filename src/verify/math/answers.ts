/**
 * The comparison of whole answers, by what they are: assignments are unwrapped, plus-minus is spread, then relations, sets of
 * reals, tuples and lists, matrices, words and single values are each compared in their own way.
 */
import { boundedOf } from "./bounds.ts";
import { equalCongruences, isCongruences } from "./congruences.ts";
import { withoutEllipsis } from "./ellipsis.ts";
import { infinitySign } from "./evaluate.ts";
import {
  difference,
  type Expression,
  freeSymbols,
  isConditions,
  keyOf,
  number,
  type Of,
  product,
  quotient,
  type Relation,
} from "./expression.ts";
import { equalFamilies } from "./families.ts";
import { withMatricesWorkedOut } from "./matrices.ts";
import { type Context, different, same, type Verdict } from "./options.ts";
import { equalPiecewise, equalToFormula } from "./piecewise.ts";
import { spread } from "./plus-minus.ts";
import { isSameSet } from "./real-set.ts";
import { equalRelations } from "./relations.ts";
import { equalWords, isNothing } from "./sayings.ts";
import { equalScalars } from "./scalar.ts";
import { intervalsOf, realSetOf, sameEnd } from "./solve.ts";
import { assignmentsOf, isAssignment, namedAlike, rootsAlike, unwrapped } from "./unwrap.ts";
import { alignVectors } from "./vectors.ts";

/** Gold first; throws LimitReached when the budget ends. */
export function equalExpressions(gold: Expression, pred: Expression, context: Context): Verdict {
  const worked = (side: Expression) => withMatricesWorkedOut(spread(side), context.budget);
  return equalFamilies(gold, pred, context, (a, b) => equalAnswers(worked(a), worked(b), context));
}

function equalAnswers(gold: Expression, pred: Expression, context: Context): Verdict {
  const named = assignmentsOf(gold, pred);
  const [whole, said] = [boundedOf(gold), boundedOf(pred)];
  if (whole !== null && said !== null && gold.kind !== pred.kind) {
    const verdict = equalAnswers(whole.value, said.value, context);
    return verdict.equal ? equalAnswers(whole.bound, said.bound, context) : verdict;
  }
  if (whole === null && said !== null && !isInequality(gold)) return equalAnswers(gold, said.value, context);
  const bare = unwrapped(named, assignmentsOf(namedAlike(pred, gold), named), context.mode);
  const [a, b] = alignVectors(...bare);
  if (isInBase(a) && !isInBase(b)) return equalDigits(a, b);
  if (keyOf(gold) === keyOf(pred) || keyOf(a) === keyOf(b)) return same("the same expression");
  if (a.kind === "relation" && b.kind === "relation") return equalRelations(a, b, context);
  if (isConditions(a) && isConditions(b)) {
    const verdict = equalSolutions(a, b, context);
    if (verdict !== null) return verdict;
  }
  if (a.kind === "piecewise" && b.kind === "piecewise") return equalPiecewise(a, b, context, equalAnswers);
  if (a.kind === "piecewise" && isValue(b)) return equalToFormula(a, b, context, equalAnswers);
  if (b.kind === "piecewise" && isValue(a)) return equalToFormula(b, a, context, equalAnswers);
  if (isCongruences(a)) {
    const remainder = a.kind === "congruence" && !isCongruences(b) ? asCongruence(a, b) : b;
    if (remainder !== null && isCongruences(remainder)) return equalCongruences(a, remainder, context);
  }
  if ([a, b].every(isNothing)) return same("no solution, in other words");
  if (isNamedSet(a, b)) return same("the same set by its letter");
  if (isRealSet(a) || isRealSet(b)) {
    const verdict = equalRealSets(a, b, context);
    if (verdict !== null) return verdict;
  }
  const [curve, other] = [eitherCurve(a), eitherCurve(b)];
  if (curve !== null && other !== null && (a.kind === "list") !== (b.kind === "list"))
    return equalRelations(curve, other, context);
  if (isCollection(a) || isCollection(b)) return equalCollections(...rootsAlike(a, b), context);
  if (a.kind === "set-operation" && b.kind === "set-operation") return equalOperations(a, b, context);
  if (a.kind === "matrix" || b.kind === "matrix") return equalMatrices(a, b, context);
  if (a.kind === "ratio" || b.kind === "ratio") return equalRatios(a, b, context);
  if (a.kind === "text" || b.kind === "text") return equalWords(a, b);
  if (context.mode === "lenient" && isValue(a) && b.kind === "relation") return equalToIdentity(a, b, context);
  return isValue(a) && isValue(b) ? equalScalars(a, b, context) : different(`${nameOf(a)} is not ${nameOf(b)}`);
}

/** x = 3 mod 7 and 3 (mod 7) as the congruence that is asked for; null for any other prediction. */
function asCongruence(gold: Of<"congruence">, pred: Expression): Of<"congruence"> | null {
  if (pred.kind === "congruence") return pred;
  const [left, right] = pred.kind === "relation" && pred.sides.length === 2 ? pred.sides : [gold.left, pred];
  if (right?.kind !== "call" || right.name !== "mod" || right.args.length !== 2) return null;
  return { kind: "congruence", left: left!, right: right.args[0]!, modulus: right.args[1]! };
}

/** A number written with its base: 101_2. */
function isInBase(node: Expression): node is Of<"number"> & { readonly digits: string } {
  return node.kind === "number" && node.digits !== undefined;
}

/** Without a base the digits must be the gold's: the value in another base is what such questions start from. */
function equalDigits(gold: Of<"number"> & { readonly digits: string }, pred: Expression): Verdict {
  const isSame = writtenDigits(pred).toUpperCase() === gold.digits.replace(/^0+(?=.)/, "");
  return isSame ? same("the same digits, without the base") : different("not the digits of the number in its base");
}

/** x^2 + 2x + 1 = (x + 1)^2 shows how the value was rewritten: an equation that always holds stands for either side. */
function equalToIdentity(gold: Expression, pred: Of<"relation">, context: Context): Verdict {
  const isEquation = pred.operators.every((operator) => operator === "=") && pred.sides.every(isValue);
  const isIdentity = isEquation && pred.sides.every((side) => equalScalars(gold, side, context).equal);
  return isIdentity ? same("every side of the identity") : different(`${nameOf(gold)} is not a relation`);
}

/** The digits of a whole number, or of 2A, which without its base is a product. */
function writtenDigits(node: Expression): string {
  if (node.kind === "number" && node.digits === undefined) return keyOf(node).replace(/\/1$/, "");
  if (node.kind === "symbol" && node.name.length === 1) return node.name;
  return node.kind === "product" ? node.factors.map(writtenDigits).join("") : "";
}

const VALUES: ReadonlySet<Expression["kind"]> = new Set<Expression["kind"]>([
  "number",
  "symbol",
  "constant",
  "sum",
  "product",
  "power",
  "call",
  "series",
  "percent",
  "degrees",
  "with-unit",
]);

function isValue(node: Expression): boolean {
  return VALUES.has(node.kind);
}

function nameOf(node: Expression): string {
  return isValue(node) ? "a value" : `a ${node.kind.replace("-", " ")}`;
}

const INEQUALITIES: ReadonlySet<Relation> = new Set(["<", ">", "<=", ">=", "!=", "in", "notin"]);

function isInequality(node: Expression): boolean {
  if (node.kind === "list") return node.items.some(isInequality);
  return node.kind === "relation" && node.operators.some((operator) => INEQUALITIES.has(operator));
}

/** True for what can only be a set of reals: unions, named sets, inequalities, and intervals by their brackets. */
function isRealSet(node: Expression): boolean {
  switch (node.kind) {
    case "set-operation":
    case "number-set":
    case "set-builder":
      return true;
    case "tuple": {
      if (node.items.length !== 2 || node.open === "<") return false;
      const isInfinite = node.items.some((item) => keyOf(item).includes("#infinity"));
      return isInfinite || node.open !== "(" || node.close !== ")";
    }
    case "list":
      return node.items.some(isRealSet);
    default:
      return isInequality(node);
  }
}

/** R for the set that is written \mathbb{R}, or as the interval of all reals. */
function isNamedSet(gold: Expression, pred: Expression): boolean {
  if (pred.kind !== "symbol") return false;
  if (gold.kind === "number-set") return pred.name.toUpperCase() === gold.name;
  const isWhole = gold.kind === "tuple" && gold.items.map(infinitySign).join() === "-1,1";
  return isWhole && pred.name.toUpperCase() === "R";
}

/** null where one of the two is no set of intervals, so that another comparison has to decide. */
function equalRealSets(gold: Expression, pred: Expression, context: Context): Verdict | null {
  const isCondition = (node: Expression) => node.kind === "relation" || isInequality(node);
  // x != 2 says what is left out, as no question does.
  const isExclusion = (node: Expression): boolean =>
    node.kind === "list" ? node.items.every(isExclusion) : node.kind === "relation" && node.operators.join() === "!=";
  const echoes = isCondition(pred) && !isCondition(gold) && !isExclusion(pred);
  if (echoes && !context.allowSetRelation) return different("a condition stands for the set that is asked for");
  if (isInequality(gold) && isInequality(pred)) {
    const [names, others] = [freeSymbols(gold), freeSymbols(pred)];
    if ([...names].join() !== [...others].join() || names.size > 1) return null;
  }
  const a = realSetOf(gold, context);
  const b = a === null ? null : realSetOf(pred, context);
  if (a === null && gold.kind === "relation" && pred.kind === "tuple") {
    const isDescribed = intervalsOf(gold).some((interval) => equalCollections(interval, pred, context).equal);
    return isDescribed ? same("the interval of the inequality") : null;
  }
  if (a === null || b === null) return null;
  if (isSameSet(a, b, sameEnd(context))) return same("the same set of real numbers");
  // The ends of an interval may be rounded.
  if (gold.kind === "tuple" && pred.kind === "tuple" && hasSameBrackets(gold, pred)) {
    return equalInOrder(gold.items, pred.items, context);
  }
  return different("different sets of real numbers");
}

/** x^2 = 4 against x = 2 or x = -2: the same solutions in one symbol. null where they are not found, or not the same. */
function equalSolutions(gold: Expression, pred: Expression, context: Context): Verdict | null {
  const [names, others] = [freeSymbols(gold), freeSymbols(pred)];
  if (names.size !== 1 || [...names].join() !== [...others].join()) return null;
  const a = realSetOf(gold, context);
  const b = a === null || a.length === 0 ? null : realSetOf(pred, context);
  return a !== null && b !== null && isSameSet(a, b, sameEnd(context)) ? same("the same solutions") : null;
}

/** An equation in several symbols; y = x or y = -x as the one that holds where one of the two does. */
function eitherCurve(node: Expression): Of<"relation"> | null {
  const equations = node.kind === "list" && node.joiner === "or" ? node.items : [node];
  const factors: Expression[] = [];
  for (const equation of equations) {
    if (equation.kind !== "relation" || equation.operators.join() !== "=") return null;
    factors.push(difference(equation.sides[0]!, equation.sides[1]!));
  }
  if (freeSymbols(node).size < 2) return null;
  return { kind: "relation", sides: [product(factors), number(0)], operators: ["="] };
}

type Collection = Of<"tuple"> | Of<"set"> | Of<"list">;

function isCollection(node: Expression): node is Collection {
  return node.kind === "tuple" || node.kind === "set" || node.kind === "list";
}

const MAX_ITEMS = 100;

/** The entries in order; those of sets and lists without repetitions. */
function itemsOf(node: Expression): readonly Expression[] {
  if (node.kind === "tuple") return withoutEllipsis(node.items);
  if (node.kind !== "list" && node.kind !== "set") return [node];
  return [...new Map(withoutEllipsis(node.items).map((item) => [keyOf(item), item])).values()];
}

/**
 * A tuple as gold keeps its order, whatever the brackets of the prediction; a set or a list as gold has none, unless it lists
 * named values, which a tuple has to repeat in that order.
 */
function equalCollections(gold: Expression, pred: Expression, context: Context): Verdict {
  if (gold.kind === "tuple" && pred.kind === "tuple" && !hasSameBrackets(gold, pred))
    return different("different brackets");
  // A set of one tuple is that tuple.
  const only = (node: Expression) => (node.kind === "set" && node.items.length === 1 ? node.items[0]! : node);
  if (only(gold).kind === "tuple" && only(pred).kind === "tuple" && (only(gold) !== gold || only(pred) !== pred)) {
    return equalAnswers(only(gold), only(pred), context);
  }
  // The other way round the brackets are forgiven, as in Math-Verify.
  if (gold.kind === "tuple" && pred.kind === "set" && pred.items.length > 1) return different("a set has no order");
  const isJoined = (node: Expression, joiner: string) =>
    node.kind === "list" && node.joiner === joiner && node.items.every((item) => item.kind === "symbol");
  const isTurned = isJoined(gold, "and") ? isJoined(pred, "or") : isJoined(gold, "or") && isJoined(pred, "and");
  if (isTurned) return different("both is not either");
  const isOne = !isCollection(gold) && gold.kind !== "relation";
  if (isOne && pred.kind === "tuple") return different("a tuple is not one value");
  const [a, b] = [itemsOf(gold), itemsOf(pred)];
  if (isOne && b.length > 1) {
    const isRepeated =
      pred.kind === "list" && b.every((item) => isValue(item) && equalAnswers(gold, item, context).equal);
    return isRepeated ? same("the same value in several forms") : different("several values for one");
  }
  if (pred.kind === "tuple" && a.length !== b.length) return different(`${a.length} values are not ${b.length}`);
  if (Math.max(a.length, b.length) > MAX_ITEMS) return different(`more than ${MAX_ITEMS} values`);
  if (pred.kind === "list" && b.length > 1 && b.every(isAssignment)) {
    const names = new Set(b.map(unknownOf));
    if (gold.kind === "tuple" && names.size === 1) return different("values of one unknown are no tuple");
    if (gold.kind === "set" && names.size > 1) return different("values of several unknowns are no set");
  }
  const isNamed =
    a.length > 1 && a.every(isAssignment) && new Set(a.map((item) => keyOf(item.sides[0]!))).size === a.length;
  if (gold.kind === "tuple" || (isNamed && pred.kind === "tuple")) {
    if (gold.kind !== "tuple" || !b.every(isAssignment)) return equalInOrder(a, b, context);
    const sorted = [...b].sort(byName);
    // x, y and a, b, c have an order of their own; for other names the order they are listed in may be meant.
    const verdict = areNeighbours(sorted) ? different("") : equalInOrder(a, b, context);
    return verdict.equal ? verdict : equalInOrder(a, sorted, context);
  }
  return equalInAnyOrder(a, b, context);
}

/** The name that a value is given, without its number: x for x_1 = 2. */
function unknownOf(node: Expression): string {
  return node.kind === "relation" ? keyOf(node.sides[0]!).replace(/_\d+(?='$)/, "") : "";
}

/** Names that follow each other in the alphabet: x, y, z. */
function areNeighbours(sorted: readonly Expression[]): boolean {
  const letters = sorted.map((item) =>
    item.kind === "relation" && item.sides[0]?.kind === "symbol" ? item.sides[0].name : "",
  );
  return letters.every(
    (letter, index) =>
      letter.length === 1 && (index === 0 || letter.charCodeAt(0) === letters[index - 1]!.charCodeAt(0) + 1),
  );
}

function byName(a: Expression, b: Expression): number {
  const name = (node: Expression) => (node.kind === "relation" ? keyOf(node.sides[0]!) : "");
  return name(a) < name(b) ? -1 : name(a) > name(b) ? 1 : 0;
}

/** Two entries may be an interval, where the brackets say whether the ends belong to it. */
function hasSameBrackets(a: Of<"tuple">, b: Of<"tuple">): boolean {
  const [open, other] = [a, b].map((tuple) => (tuple.open === "<" ? "(" : tuple.open));
  const [close, end] = [a, b].map((tuple) => (tuple.close === ">" ? ")" : tuple.close));
  return a.items.length !== 2 || (open === other && close === end);
}

function equalInOrder(gold: readonly Expression[], pred: readonly Expression[], context: Context): Verdict {
  if (gold.length !== pred.length)
    return different(`${gold.length} values in the gold, ${pred.length} in the prediction`);
  for (const [index, item] of gold.entries()) {
    const verdict = equalAnswers(item, pred[index]!, context);
    if (!verdict.equal) return different(`entry ${index + 1}: ${verdict.reason}`);
  }
  return same("equal entry by entry");
}

/** Each gold value takes a predicted one of its own; values that are equal but written differently count once on either side. */
function equalInAnyOrder(gold: readonly Expression[], pred: readonly Expression[], context: Context): Verdict {
  const used = new Set<number>();
  // As a member {1} is not 1.
  const isEqual = (item: Expression, candidate: Expression) =>
    (item.kind === "set") === (candidate.kind === "set") && equalAnswers(item, candidate, context).equal;
  for (const [index, item] of gold.entries()) {
    const found = pred.findIndex((candidate, at) => !used.has(at) && isEqual(item, candidate));
    if (found !== -1) used.add(found);
    else if (!pred.some((candidate) => isEqual(item, candidate))) {
      return different(`value ${index + 1} of the gold is missing`);
    }
  }
  for (const [at, candidate] of pred.entries()) {
    if (!used.has(at) && !gold.some((item) => isEqual(item, candidate))) {
      return different(`value ${at + 1} of the prediction is not in the gold`);
    }
  }
  return same("the same values in some order");
}

function equalOperations(gold: Of<"set-operation">, pred: Of<"set-operation">, context: Context): Verdict {
  if (gold.name !== pred.name) return different(`a ${gold.name} is not a ${pred.name}`);
  return gold.name === "difference"
    ? equalInOrder(gold.sides, pred.sides, context)
    : equalInAnyOrder(gold.sides, pred.sides, context);
}

function equalMatrices(gold: Expression, pred: Expression, context: Context): Verdict {
  if (gold.kind !== "matrix" || pred.kind !== "matrix") return different("only one side is a matrix");
  const isSameShape = gold.rows.length === pred.rows.length && gold.rows[0]!.length === pred.rows[0]!.length;
  return isSameShape
    ? equalInOrder(gold.rows.flat(), pred.rows.flat(), context)
    : different("matrices of different shapes");
}

/** 2 : 4 : 6 and 1 : 2 : 3. */
function equalRatios(gold: Expression, pred: Expression, context: Context): Verdict {
  if (gold.kind !== "ratio" || pred.kind !== "ratio" || gold.parts.length !== pred.parts.length) {
    return different("ratios of different length");
  }
  const shares = (parts: readonly Expression[]) => parts.slice(1).map((part) => quotient(part, parts[0]!));
  return equalInOrder(shares(gold.parts), shares(pred.parts), context);
}
