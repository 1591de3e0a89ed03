/**
 * The comparison of whole answers, by what they are: assignments are unwrapped, plus-minus is spread, then relations, sets,
 * tuples, matrices, words and single values are each compared in their own way.
 */
import { type Expression, freeSymbols, keyOf, type Of } from "./expression.ts";
import { type Context, different, same, type Verdict } from "./options.ts";
import { spread } from "./plus-minus.ts";
import { equalScalars } from "./scalar.ts";

/** Gold first; throws LimitReached when the budget ends. */
export function equalExpressions(gold: Expression, pred: Expression, context: Context): Verdict {
  return equalAnswers(spread(gold), spread(pred), context);
}

const MAX_ITEMS = 200;

function equalAnswers(gold: Expression, pred: Expression, context: Context): Verdict {
  if (keyOf(gold) === keyOf(pred)) return same("the same expression");
  const [a, b] = unwrapped(gold, pred, context);
  if (isCollection(a) || isCollection(b)) return equalCollections(a, b, context);
  if (a.kind === "relation" || b.kind === "relation") return different("only one side is a relation");
  if (a.kind === "matrix" || b.kind === "matrix") return equalMatrices(a, b, context);
  if (a.kind === "text" || b.kind === "text") return equalWords(a, b);
  return equalScalars(a, b, context);
}

/** x = 5 against 5: the value of an assignment. */
function unwrapped(gold: Expression, pred: Expression, context: Context): readonly [Expression, Expression] {
  if (gold.kind === "relation" && pred.kind === "relation") return [gold, pred];
  return [
    gold.kind === "relation" ? valueOfGold(gold) : gold,
    pred.kind === "relation" ? valueOfPred(pred, context) : pred,
  ];
}

function valueOfGold(relation: Of<"relation">): Expression {
  return isEquation(relation) && isName(relation.sides[0]!) ? relation.sides.at(-1)! : relation;
}

function valueOfPred(relation: Of<"relation">, { mode }: Context): Expression {
  if (!isEquation(relation)) return relation;
  const [left] = relation.sides;
  const isWorking = freeSymbols(left!).size === 0;
  if (mode === "strict" && (relation.sides.length > 2 || isWorking)) return relation;
  return isName(left!) || isWorking ? relation.sides.at(-1)! : relation;
}

function isEquation(relation: Of<"relation">): boolean {
  return relation.operators.every((operator) => operator === "=" || operator === "in" || operator === "approx");
}

/** A symbol, a product or tuple of symbols, or f(x): what an answer is given a name by. */
function isName(node: Expression): boolean {
  if (node.kind === "symbol") return true;
  if (node.kind === "product") return node.factors.every(isName);
  if (node.kind === "tuple") return node.items.every(isName);
  return node.kind === "call" && !node.known;
}

type Collection = Of<"tuple"> | Of<"set"> | Of<"list">;

function isCollection(node: Expression): node is Collection {
  return node.kind === "tuple" || node.kind === "set" || node.kind === "list";
}

function itemsOf(node: Expression): readonly Expression[] {
  if (node.kind === "tuple") return node.items;
  if (node.kind !== "list" && node.kind !== "set") return [node];
  const seen = new Map(node.items.map((item) => [keyOf(item), item]));
  return [...seen.values()];
}

function equalCollections(gold: Expression, pred: Expression, context: Context): Verdict {
  const [a, b] = [itemsOf(gold), itemsOf(pred)];
  if (a.length !== b.length) return different(`${a.length} values on one side, ${b.length} on the other`);
  if (a.length > MAX_ITEMS) return different(`more than ${MAX_ITEMS} values`);
  const isOrdered = gold.kind === "tuple";
  if (gold.kind === "tuple" && pred.kind === "tuple" && !sameBrackets(gold, pred))
    return different("different brackets");
  return isOrdered ? equalInOrder(a, b, context) : equalInAnyOrder(a, b, context);
}

/** Two entries may be an interval, where the brackets say whether the ends belong to it. */
function sameBrackets(a: Of<"tuple">, b: Of<"tuple">): boolean {
  return a.items.length !== 2 || a.open === "<" || b.open === "<" || (a.open === b.open && a.close === b.close);
}

function equalInOrder(gold: readonly Expression[], pred: readonly Expression[], context: Context): Verdict {
  for (const [index, item] of gold.entries()) {
    const verdict = equalAnswers(item, pred[index]!, context);
    if (!verdict.equal) return different(`entry ${index + 1}: ${verdict.reason}`);
  }
  return same("equal entry by entry");
}

function equalInAnyOrder(gold: readonly Expression[], pred: readonly Expression[], context: Context): Verdict {
  const left = [...pred];
  for (const [index, item] of gold.entries()) {
    const found = left.findIndex((candidate) => equalAnswers(item, candidate, context).equal);
    if (found === -1) return different(`value ${index + 1} of the gold is missing`);
    left.splice(found, 1);
  }
  return same("the same values in some order");
}

function equalMatrices(gold: Expression, pred: Expression, context: Context): Verdict {
  if (gold.kind !== "matrix" || pred.kind !== "matrix") return different("only one side is a matrix");
  const sameShape = gold.rows.length === pred.rows.length && gold.rows[0]!.length === pred.rows[0]!.length;
  return sameShape
    ? equalInOrder(gold.rows.flat(), pred.rows.flat(), context)
    : different("matrices of different shapes");
}

function equalWords(gold: Expression, pred: Expression): Verdict {
  return lettersOf(gold) === lettersOf(pred) ? same("the same words") : different("different words");
}

/** The letters of words, or of a product of symbols: Evelyn may be read as either. */
function lettersOf(node: Expression): string | null {
  if (node.kind === "text") return node.words;
  if (node.kind === "symbol" || node.kind === "constant") return node.name;
  if (node.kind !== "product") return keyOf(node);
  return node.factors.map(lettersOf).join("");
}
