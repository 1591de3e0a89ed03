/**
 * Arbitrary constants: the C of y = C e^x and of x^2/2 + C stands for every number, under whatever name. A constant that is only
 * added absorbs what differs by a number: sin^2 x / 2 + C and -cos^2 x / 2 + C are the same antiderivatives.
 */
import { type Expression, freeSymbols, sum } from "./expression.ts";
import { type Context, same, type Verdict } from "./options.ts";
import { equalScalars } from "./scalar.ts";
import { ordersOf, renamed } from "./substitute.ts";

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
  return null;
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
