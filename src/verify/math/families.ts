/**
 * Answers with whole parameters: x = pi/4 + k pi for every k in Z. The parameter's name is free, and so is where it starts to count:
 * two lists of progressions c + d k are the same where they have the same residues modulo the least common multiple of all d.
 */
import { isReal } from "./complex.ts";
import { evaluate } from "./evaluate.ts";
import { difference, type Expression, freeSymbols, keyOf, number, type Of, product, some, sum } from "./expression.ts";
import { isSameLine } from "./lines.ts";
import { type Context, different, same, type Verdict } from "./options.ts";
import { spread } from "./plus-minus.ts";
import { divide, gcd, isInteger, type Rational, rational } from "./rational.ts";
import { equalScalars } from "./scalar.ts";
import { ordersOf, renamed, substituted } from "./substitute.ts";

/** Letters that stand for whole numbers where nothing says what they are. */
const WHOLE_LETTERS = /^[klmn]$/;
/** Letters that constants go by: f(x) = c x for some constant c is f(x) = k x. */
const CONSTANT = /^[A-DKa-dkmpq](?:_\w)?$/;
const MAX_PARAMETERS = 3;

/** Gold first; `equal` compares two answers without parameters. */
export function equalFamilies(
  gold: Expression,
  pred: Expression,
  context: Context,
  equal: (gold: Expression, pred: Expression) => Verdict,
): Verdict {
  const own = [familyOf(gold) ?? classOf(gold, pred), familyOf(pred) ?? classOf(pred, gold)] as const;
  const [a, b] = [own[0] ?? residuesOf(gold, own[1]), own[1] ?? residuesOf(pred, own[0])];
  const [first, second] = [a?.value ?? gold, b?.value ?? pred];
  // Many values are not one: 2n for all n is no 2, nor two newtons.
  const isOne = (a !== null && freeSymbols(second).size === 0) || (b !== null && freeSymbols(first).size === 0);
  if (isOne) return different("one value for every whole number, not one");
  if (a !== null && b !== null && a.domain !== b.domain) return different("parameters of different number sets");
  const verdict = equal(first, second);
  if (!verdict.equal && isSameLine(gold, pred, context)) return same("the same line");
  if (verdict.equal || (a === null && b === null && !isUndeclared(first, second))) return verdict;
  const [parameters, others] = [parametersOf(first, a, second, b), parametersOf(second, b, first, a)];
  if (parameters.length !== others.length || parameters.length === 0 || parameters.length > MAX_PARAMETERS)
    return verdict;
  for (const order of ordersOf(parameters)) {
    const other = renamed(second, new Map(others.map((name, index) => [name, order[index]!])));
    if (equal(first, other).equal) return same("the same for every whole number, in other letters");
  }
  const isWhole = [a, b].every((family) => family === null || family.domain === "Z");
  const isShiftable = parameters.length === 1 && isWhole;
  const isSame = isShiftable && equalProgressions(first, parameters[0]!, second, others[0]!, context);
  return isSame ? same("the same residues for every whole number") : verdict;
}

/** A family, or a set { value : k in Z } or { x : x = value, k in Z } as one. */
function familyOf(node: Expression): Of<"family"> | null {
  if (node.kind === "family") return node;
  if (node.kind !== "set-builder") return null;
  const conditions = node.condition.kind === "list" ? node.condition.items : [node.condition];
  const domain = conditions.map(domainOf).find((found) => found !== null);
  const equations = conditions.filter((condition) => domainOf(condition) === null);
  const [equation] = equations;
  if (domain === undefined || conditions.length - equations.length > 1 || equations.length > 1) return null;
  const value = equation === undefined ? node.subject : valueOfSubject(node.subject, equation);
  if (value === null || !freeSymbols(value).has(domain.name)) return null;
  return { kind: "family", value, parameters: [domain.name], domain: domain.set };
}

/** n = 4 k + 3 for every whole k, where the other side says so by a congruence. */
function classOf(node: Expression, other: Expression): Of<"family"> | null {
  if (node.kind !== "relation" || node.operators.join() !== "=" || other.kind !== "congruence") return null;
  const [left, right] = node.sides;
  const [parameter, ...others] = freeSymbols(right!);
  if (left!.kind !== "symbol" || parameter === undefined || others.length > 0 || parameter === left!.name) return null;
  return { kind: "family", value: node, parameters: [parameter], domain: "Z" };
}

/** x = 3 mod 7 as x = 3 + 7k, against a family. */
function residuesOf(node: Expression, other: Of<"family"> | null): Of<"family"> | null {
  if (node.kind !== "congruence" || other === null || node.left.kind !== "symbol") return null;
  const [parameter = "k"] = other.parameters;
  const right = sum([node.right, product([node.modulus, { kind: "symbol", name: parameter }])]);
  const value: Expression = { kind: "relation", sides: [node.left, right], operators: ["="] };
  return { kind: "family", value, parameters: [parameter], domain: "Z" };
}

/** k in Z. */
function domainOf(node: Expression): { readonly name: string; readonly set: "Z" | "N" } | null {
  if (node.kind !== "relation" || node.operators.join() !== "in") return null;
  const [name, set] = node.sides;
  if (name?.kind !== "symbol" || set?.kind !== "number-set") return null;
  return set.name === "Z" || set.name === "N" ? { name: name.name, set: set.name } : null;
}

/** x = value, for the subject x. */
function valueOfSubject(subject: Expression, equation: Expression): Expression | null {
  if (equation.kind !== "relation" || equation.operators.join() !== "=") return null;
  return keyOf(equation.sides[0]!) === keyOf(subject) ? equation.sides[1]! : null;
}

/** x = pi/4 + k pi against x = pi/4 + n pi: a whole letter times pi says enough. */
function isUndeclared(gold: Expression, pred: Expression): boolean {
  const isAngle = (node: Expression) =>
    some(node, (part) => part.kind === "relation") &&
    some(node, (part) => part.kind === "degrees" || (part.kind === "constant" && part.name === "pi")) &&
    [...freeSymbols(node)].some((name) => WHOLE_LETTERS.test(name));
  return isAngle(gold) && isAngle(pred);
}

/** The declared parameters, or the letters for whole numbers that the other side does not have as its own. */
function parametersOf(
  node: Expression,
  family: Of<"family"> | null,
  other: Expression,
  otherFamily: Of<"family"> | null,
): readonly string[] {
  if (family !== null) return family.parameters;
  const own = [...freeSymbols(other)].filter((name) => !otherFamily?.parameters.includes(name));
  const isBoth = (name: string) => own.includes(name) && !(otherFamily === null && WHOLE_LETTERS.test(name));
  const hasConstants = otherFamily?.domain === "R" && otherFamily.parameters.every((name) => CONSTANT.test(name));
  const mayBe = (name: string) =>
    WHOLE_LETTERS.test(name) || otherFamily?.parameters.includes(name) || (hasConstants && CONSTANT.test(name));
  return [...freeSymbols(node)].filter((name) => !isBoth(name) && mayBe(name));
}

/** constant + step k; `name` is what the value is assigned to. */
interface Progression {
  readonly name: string;
  readonly constant: Expression;
  readonly step: Expression;
}

function equalProgressions(
  gold: Expression,
  goldName: string,
  pred: Expression,
  predName: string,
  context: Context,
): boolean {
  const [a, b] = [progressionsOf(gold, goldName, context), progressionsOf(pred, predName, context)];
  if (a === null || b === null) return false;
  const names = new Set([...a, ...b].map(({ name }) => name).filter((name) => name !== ""));
  if (names.size > 1) return false;
  const unit = a[0]!.step;
  const steps: Rational[] = [];
  for (const { step } of [...a, ...b]) {
    const ratio = ratioOf(step, unit, context);
    if (ratio === null) return false;
    steps.push(ratio);
  }
  const period = steps.reduce(leastMultiple);
  const modulus = product([number(period), unit]);
  const residues = (progressions: readonly Progression[], from: number): Expression[] | null => {
    const all: Expression[] = [];
    for (const [index, { constant, step }] of progressions.entries()) {
      const turns = divide(period, steps[from + index]!).numerator;
      const count = turns < 0n ? -turns : turns;
      if (all.length + Number(count) > MAX_RESIDUES) return null;
      for (let k = 0n; k < count; k++) all.push(sum([constant, product([number(k), step])]));
    }
    return all;
  };
  const [left, right] = [residues(a, 0), residues(b, a.length)];
  if (left === null || right === null) return false;
  const isIn = (residue: Expression, all: readonly Expression[]) =>
    all.some((other) => {
      const turns = ratioOf(difference(residue, other), modulus, context);
      return turns !== null && isInteger(turns);
    });
  return left.every((residue) => isIn(residue, right)) && right.every((residue) => isIn(residue, left));
}

const MAX_RESIDUES = 24;

/** null where an item is not linear in the parameter, or stands still. */
function progressionsOf(node: Expression, parameter: string, context: Context): readonly Progression[] | null {
  const whole = spread(node);
  const items = whole.kind === "list" || whole.kind === "set" ? whole.items : [whole];
  const progressions: Progression[] = [];
  for (const item of items) {
    const isNamed = item.kind === "relation" && item.operators.join() === "=" && item.sides[0]!.kind === "symbol";
    const value = isNamed ? item.sides[1]! : item;
    const name = isNamed && item.sides[0]!.kind === "symbol" ? item.sides[0].name : "";
    if ([...freeSymbols(value)].join() !== parameter) return null;
    // (-1)^k a + k b is one progression for even k, and another for odd.
    const isTurning = some(value, (part) => part.kind === "power" && keyOf(part.base) === "-1/1");
    for (const rest of isTurning ? [0, 1] : [null]) {
      const k: Expression = { kind: "symbol", name: parameter };
      const own = rest === null ? value : substituted(value, parameter, sum([product([number(2), k]), number(rest)]));
      const progression = progressionOf(own, parameter, context);
      if (progression === null) return null;
      progressions.push({ name, ...progression });
    }
  }
  return progressions.length === 0 ? null : progressions;
}

function progressionOf(node: Expression, parameter: string, context: Context): Omit<Progression, "name"> | null {
  const at = (k: number) => substituted(node, parameter, number(k));
  const [constant, step] = [at(0), difference(at(1), at(0))];
  const whole = sum([constant, product([step, { kind: "symbol", name: parameter }])]);
  const isLinear = equalScalars(node, whole, context).equal;
  return isLinear && !equalScalars(step, number(0), context).equal ? { constant, step } : null;
}

const MAX_DENOMINATOR = 360;

/** a / b where that is a fraction with a small denominator, by its double and then exactly; else null. */
function ratioOf(a: Expression, b: Expression, context: Context): Rational | null {
  const at = { symbols: new Map(), budget: context.budget };
  const [above, below] = [evaluate(a, at), evaluate(b, at)];
  if (above === null || below === null || !isReal(above) || !isReal(below) || below.re === 0) return null;
  const ratio = above.re / below.re;
  for (let denominator = 1; denominator <= MAX_DENOMINATOR; denominator++) {
    const numerator = Math.round(ratio * denominator);
    if (Math.abs(ratio * denominator - numerator) > 1e-9 * Math.max(1, Math.abs(numerator))) continue;
    const fraction = rational(BigInt(numerator), BigInt(denominator));
    return equalScalars(a, product([number(fraction), b]), context).equal ? fraction : null;
  }
  return null;
}

/** The least positive fraction that is a whole multiple of both. */
function leastMultiple(a: Rational, b: Rational): Rational {
  const size = ({ numerator }: Rational) => (numerator < 0n ? -numerator : numerator);
  const numerator = (size(a) / gcd(size(a), size(b))) * size(b);
  return rational(numerator, gcd(a.denominator, b.denominator));
}
