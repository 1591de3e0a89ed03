/**
 * Arbitrary constants: the C of y = C e^x and of x^2/2 + C stands for every number, under whatever name. A constant that is only
 * added absorbs what differs by a number: sin^2 x / 2 + C and -cos^2 x / 2 + C are the same antiderivatives. Where constants are
 * factors, as in C_1 cosh x + C_2 sinh x and A e^x + B e^-x, the functions that can be made with them are compared.
 */
import { complex, isReal } from "./complex.ts";
import { evaluate } from "./evaluate.ts";
import { difference, type Expression, freeSymbols, number, product, sum, symbol } from "./expression.ts";
import { type Context, same, type Verdict } from "./options.ts";
import { equalScalars } from "./scalar.ts";
import { ordersOf, renamed, substituted } from "./substitute.ts";

/** How gold answers write such constants: C, C_1, c_1. */
const CONSTANT = /^C(?:_\w)?$|^c_\d$/;
/** What predictions may write for them. */
const OTHERS = /^(?:[A-DK]|[ck]|[A-DKck]_\w)$/;
/** What a solution of a differential equation is given as. */
const UNKNOWNS = /^[fuvwxyz]$/;
const MAX_CONSTANTS = 3;

/** Case counts here: C is arbitrary, c is not. The verdict under some naming of the constants; null where there are none, or no naming makes the two the same. */
export function equalUpToConstants(
  gold: Expression,
  pred: Expression,
  context: Context,
  equal: (gold: Expression, pred: Expression) => Verdict,
): Verdict | null {
  const value = assigned(gold);
  const own = constantsOf(value, CONSTANT);
  if (own.length === 0 || own.length > MAX_CONSTANTS) return null;
  if (gold.kind === "relation" && !isSolution(gold)) return null;
  const added = own.length === 1 ? withoutAdded(value, own[0]!) : null;
  if (added === null && gold.kind !== "relation") return null;
  const names = freeSymbols(value);
  // Beside other capitals, as in A + B + C, it is one of several quantities.
  if ([...names].some((name) => /^[A-Z]/.test(name) && !own.includes(name))) return null;
  const others = constantsOf(assigned(pred), OTHERS).filter((name) => own.includes(name) || !names.has(name));
  if (others.length !== own.length) return null;
  if (added !== null) {
    const rest = withoutAdded(assigned(pred), others[0]!);
    return rest !== null && isConstantApart(added, rest, context) ? same("the same up to the constant") : null;
  }
  for (const order of ordersOf(own)) {
    const other = renamed(pred, new Map(others.map((name, index) => [name, order[index]!])));
    if (equal(gold, other).equal) return same("the same in other constants");
  }
  return isSameFamily(value, own, assigned(pred), others, context)
    ? same("the same functions under other constants")
    : null;
}

/**
 * C_1 f + C_2 g + p and A u + B v + q are the same functions where u, v and q - p are combinations of f and g, and u and v as many: their
 * values at random points, in double precision.
 */
function isSameFamily(
  gold: Expression,
  constants: readonly string[],
  pred: Expression,
  others: readonly string[],
  context: Context,
): boolean {
  const [a, b] = [partsOf(gold, constants, context), partsOf(pred, others, context)];
  if (a === null || b === null) return false;
  const names = [...new Set([...a, ...b].flatMap((part) => [...freeSymbols(part)]))];
  if (names.length !== 1) return false;
  const values = valuesOf([...a, ...b], names[0]!, context);
  if (values === null) return false;
  const [particular, ...basis] = values.slice(0, a.length);
  const [other, ...otherBasis] = values.slice(a.length);
  if (particular === undefined || other === undefined) return false;
  const apart = other.map((value, index) => value - particular[index]!);
  return (
    rankOf(basis) === basis.length &&
    rankOf(otherBasis) === basis.length &&
    rankOf([...basis, ...otherBasis, apart]) === basis.length
  );
}

/** What stands alone, and what each constant is a factor of; null where the expression is not linear in the constants. */
function partsOf(node: Expression, constants: readonly string[], context: Context): readonly Expression[] | null {
  const at = (kept: string | null) =>
    constants.reduce((rest, name) => substituted(rest, name, number(name === kept ? 1 : 0)), node);
  const alone = at(null);
  const parts = constants.map((name) => difference(at(name), alone));
  const whole = sum([alone, ...constants.map((name, index) => product([symbol(name), parts[index]!]))]);
  return equalScalars(node, whole, context).equal ? [alone, ...parts] : null;
}

const NUM_POINTS = 8;

/** The values of each expression at the same points; null where one has none there. */
function valuesOf(nodes: readonly Expression[], name: string, context: Context): readonly number[][] | null {
  const rows: number[][] = nodes.map(() => []);
  for (let point = 0; point < NUM_POINTS; point++) {
    const symbols = new Map([[name, complex(0.2 + 2 * context.random.next())]]);
    for (const [index, node] of nodes.entries()) {
      const value = evaluate(node, { symbols, budget: context.budget });
      if (value === null || !isReal(value)) return null;
      rows[index]!.push(value.re);
    }
  }
  return rows;
}

/** By elimination with the largest pivot; what is below 1e-9 of its row's size is zero. */
function rankOf(rows: readonly (readonly number[])[]): number {
  const scaled = rows.map((row) => {
    const size = Math.max(...row.map(Math.abs));
    return size < 1e-12 ? row.map(() => 0) : row.map((value) => value / size);
  });
  let rank = 0;
  for (let column = 0; column < NUM_POINTS; column++) {
    const left = scaled.slice(rank);
    const best = left.reduce(
      (at, row, index) => (Math.abs(row[column]!) > Math.abs(left[at]![column]!) ? index : at),
      0,
    );
    const pivot = left[best];
    if (pivot === undefined || Math.abs(pivot[column]!) < 1e-9) continue;
    [scaled[rank], scaled[rank + best]] = [pivot, scaled[rank]!];
    for (let below = rank + 1; below < scaled.length; below++) {
      const factor = scaled[below]![column]! / pivot[column]!;
      scaled[below] = scaled[below]!.map((value, index) => value - factor * pivot[index]!);
    }
    rank++;
  }
  return rank;
}

function assigned(node: Expression): Expression {
  return node.kind === "relation" && node.operators.join() === "=" ? node.sides.at(-1)! : node;
}

function constantsOf(node: Expression, pattern: RegExp): readonly string[] {
  return [...freeSymbols(node)].filter((name) => pattern.test(name));
}

/** y = … or y(x) = …: what differential equations and antiderivatives are answered with. */
function isSolution(node: Expression): boolean {
  if (node.kind !== "relation" || node.operators.join() !== "=") return false;
  const [left] = node.sides;
  if (left?.kind === "call") return !left.known;
  return left?.kind === "symbol" && UNKNOWNS.test(left.name);
}

/** F of a sum F + C, where C stands nowhere else and F depends on something. */
function withoutAdded(node: Expression, constant: string): Expression | null {
  if (node.kind !== "sum") return null;
  const rest = node.terms.filter((term) => !(term.kind === "symbol" && term.name === constant));
  if (rest.length !== node.terms.length - 1) return null;
  const names = freeSymbols(sum(rest));
  return names.size === 0 || names.has(constant) ? null : sum(rest);
}

/** F(x) - G(x) is one number: F(x) + G(t) = F(t) + G(x) for independent x and t. */
function isConstantApart(a: Expression, b: Expression, context: Context): boolean {
  const names = freeSymbols(a);
  if ([...freeSymbols(b)].some((name) => !names.has(name)) || names.size !== freeSymbols(b).size) return false;
  const moved = (node: Expression) => renamed(node, new Map([...names].map((name) => [name, `${name}*`])));
  return equalScalars(sum([a, moved(b)]), sum([moved(a), b]), context).equal;
}
