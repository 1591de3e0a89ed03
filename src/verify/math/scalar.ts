/**
 * Are two single values equal: numbers, numbers with units, and expressions with symbols?
 *
 * In this order: the same tree; exact fractions; rational functions over a finite field (modular.ts); values at random points
 * (sample.ts). A number with a decimal point is compared rounded, unless the other side is a whole number.
 */
import { isReal } from "./complex.ts";
import { asSeries } from "./ellipsis.ts";
import { evaluate, infinitySign } from "./evaluate.ts";
import { exactValue } from "./exact.ts";
import { type Expression, freeSymbols, keyOf, mapChildren, some } from "./expression.ts";
import { isSameRationalFunction } from "./modular.ts";
import { type Context, different, same, type Verdict } from "./options.ts";
import { compare, isEqual, isInteger, multiply, type Rational, rational, roundTo, toNumber } from "./rational.ts";
import { isSameFunction } from "./sample.ts";
import { isUnitWord, readUnit } from "./units.ts";

/** Compares two values without relations, sets or lists; throws LimitReached when the budget ends. */
export function equalScalars(gold: Expression, pred: Expression, context: Context): Verdict {
  const [a, b] = [asSeries(gold, context.budget), asSeries(pred, context.budget)];
  if (a !== gold || b !== pred) return equalValues(a, b, context);
  const verdict = equalMeasures(gold, pred, context);
  if (verdict.equal || context.units !== "drop") return verdict;
  // 5 km and 5000 m are equal as well where units are dropped.
  const shares = [shareOf(gold), shareOf(pred)] as const;
  if (shares[0] !== gold || shares[1] !== pred) return equalMeasures(...shares, context);
  const isConverted = splitUnit(gold, pred).unit !== null && splitUnit(pred, gold).unit !== null;
  return isConverted && equalMeasures(gold, pred, { ...context, units: "compare" }).equal
    ? same("the same in another unit")
    : verdict;
}

/** 35 ppm as 35/1000000: a share of the whole is a number. */
function shareOf(node: Expression): Expression {
  if (node.kind !== "with-unit") return node;
  const { dimension, factor } = readUnit(node.unit);
  return dimension === "share^1" ? scaleBy(node.value, factor) : node;
}

function equalMeasures(gold: Expression, pred: Expression, context: Context): Verdict {
  const unitVerdict = withoutUnits(gold, pred, context);
  if ("equal" in unitVerdict) return unitVerdict;
  const [a, b] = unitVerdict;
  const values = context.percent === "optional" ? [a, b].map(withoutPercent) : [a, b];
  const verdict = equalValues(a, b, context);
  if (verdict.equal || context.percent === "value") return verdict;
  const [bareGold, barePred] = values;
  if (keyOf(bareGold!) === keyOf(a) && keyOf(barePred!) === keyOf(b)) return verdict;
  return equalValues(bareGold!, barePred!, context);
}

function withoutPercent(node: Expression): Expression {
  return node.kind === "percent" ? node.value : mapChildren(node, withoutPercent);
}

/** Settles units: a verdict where they decide, else the two bare values to compare. */
function withoutUnits(
  gold: Expression,
  pred: Expression,
  { units }: Context,
): Verdict | readonly [Expression, Expression] {
  const a = splitUnit(gold, pred);
  const b = splitUnit(pred, gold);
  if (a.unit === null && b.unit === null) return degreesAside(gold, pred);
  // Radians are no missing degree sign: 30 degrees are not 30 radians.
  if ((isRadians(a.unit) && topDegrees(b.value)) || (isRadians(b.unit) && topDegrees(a.value)))
    return [a.value, b.value];
  if (units === "drop" && !(isMoney(a.unit) && isMoney(b.unit))) return degreesAside(a.value, b.value);
  if (a.unit === null || b.unit === null) {
    return units === "keep" ? different("only one side has a unit") : degreesAside(a.value, b.value);
  }
  const [left, right] = [readUnit(a.unit), readUnit(b.unit)];
  if (left.dimension === "" || right.dimension === "") return [a.value, b.value];
  if (left.dimension !== right.dimension)
    return different(`the units ${a.unit} and ${b.unit} measure different things`);
  if (isEqual(left.factor, right.factor)) return [a.value, b.value];
  if (units === "keep") return different(`the unit is ${b.unit}, not ${a.unit}`);
  return [scaleBy(a.value, left.factor), scaleBy(b.value, right.factor)];
}

/** Dollars and cents are amounts of one thing, never only a name beside the number. */
function isMoney(unit: string | null): boolean {
  return unit !== null && readUnit(unit).dimension === "money^1";
}

function isRadians(unit: string | null): boolean {
  return unit !== null && readUnit(unit).dimension === "angle^1";
}

function scaleBy(value: Expression, factor: Rational): Expression {
  if (value.kind === "number") return { ...value, value: multiply(value.value, factor) };
  return { kind: "product", factors: [{ kind: "number", value: factor, decimal: false }, value] };
}

/** The value and its unit; against a number without symbols, letters that spell a unit are one: 5m and 9.8 m/s^2. */
function splitUnit(node: Expression, other: Expression): { value: Expression; unit: string | null } {
  if (node.kind === "with-unit") return { value: node.value, unit: node.unit };
  if (node.kind !== "product" || freeSymbols(other).size > 0) return { value: node, unit: null };
  const isNumber = (factor: Expression) => freeSymbols(factor).size === 0;
  const rest = node.factors.filter(isNumber);
  const letters = node.factors.filter((factor) => !isNumber(factor));
  const isNamed = other.kind === "with-unit" && letters.length === 1 && keyOf(letters[0]!) === `'${other.unit}'`;
  const unit = isNamed ? other.unit : unitOfFactors(letters);
  if (rest.length === 0 || unit === null) return { value: node, unit: null };
  return { value: rest.length === 1 ? rest[0]! : { kind: "product", factors: rest }, unit };
}

/** The unit that symbols and their whole powers spell: letters side by side as one word (km), else one by one (m s^-2). */
function unitOfFactors(factors: readonly Expression[]): string | null {
  if (factors.length === 0) return null;
  const letters = factors.map((factor) => (factor.kind === "symbol" ? factor.name : "/")).join("");
  if (letters.length > 1 && isUnitWord(letters)) return letters;
  const units = factors.map((factor) => unitPower(factor, 1n));
  return units.includes(null) ? null : units.join(" ");
}

/** Units of one letter, in their own case: n, k and v are variables, N, K and V may be newtons, kelvins and volts. */
const UNIT_LETTER = /^(?:[msghlLNJWVK]|Omega)$/;

/** s^2 as "s^2", and what divides by it as "s^-2"; null for anything but a unit to a whole power. */
function unitPower(node: Expression, exponent: bigint): string | null {
  if (node.kind === "symbol") return UNIT_LETTER.test(node.name) ? `${node.name}^${exponent}` : null;
  if (node.kind !== "power" || node.exponent.kind !== "number" || !isInteger(node.exponent.value)) return null;
  const whole = exponent * node.exponent.value.numerator;
  return whole * whole < 100n ? unitPower(node.base, whole) : null;
}

/** 90 degrees against a bare 90: the sign is forgiven. Against pi/2 it is worth pi/180. */
function degreesAside(a: Expression, b: Expression): readonly [Expression, Expression] {
  const hasDegrees = (node: Expression) => some(node, (part) => part.kind === "degrees");
  const isBare = (node: Expression) =>
    !hasDegrees(node) && !some(node, (part) => part.kind === "constant" && part.name === "pi");
  if ((topDegrees(a) && isBare(b)) || (topDegrees(b) && isBare(a)) || (topDegrees(a) && topDegrees(b))) {
    return [withoutDegrees(a), withoutDegrees(b)];
  }
  return [a, b];
}

/** True where a degree sign stands on a term, not inside a function. */
function topDegrees(node: Expression): boolean {
  if (node.kind === "degrees") return true;
  if (node.kind === "sum") return node.terms.some(topDegrees);
  return node.kind === "product" && node.factors.some(topDegrees);
}

function withoutDegrees(node: Expression): Expression {
  if (node.kind === "degrees") return node.value;
  return node.kind === "sum" || node.kind === "product" ? mapChildren(node, withoutDegrees) : node;
}

function equalValues(a: Expression, b: Expression, context: Context): Verdict {
  const { budget, random } = context;
  if (keyOf(a) === keyOf(b)) return same("the same expression");
  const [infiniteA, infiniteB] = [infinitySign(a), infinitySign(b)];
  if (infiniteA !== 0 || infiniteB !== 0) {
    return infiniteA === infiniteB ? same("the same infinity") : different("one side is infinite");
  }
  const exactA = exactValue(a, budget);
  const exactB = exactValue(b, budget);
  if (exactA !== null && exactB !== null && isEqual(exactA, exactB)) return same("the same number, exactly");
  const decimal = isDecimal(a) || isDecimal(b);
  if (decimal && freeSymbols(a).size === 0 && freeSymbols(b).size === 0) {
    return equalDecimals(a, b, exactA, exactB, context);
  }
  if (exactA !== null && exactB !== null) return different("different numbers, exactly");
  const identity = isSameRationalFunction(a, b, random, budget);
  if (identity !== null) {
    return identity ? same("the same rational function, exactly") : different("different rational functions, exactly");
  }
  const sampled = isSameFunction(a, b, random, budget);
  if (sampled === null) return different("no point was found at which both sides can be compared");
  return sampled ? same("the same values at random points") : different("different values at a random point");
}

function isDecimal(node: Expression): boolean {
  return some(node, (part) => part.kind === "number" && part.decimal);
}

/** At least one side was written with a decimal point. */
function equalDecimals(
  a: Expression,
  b: Expression,
  exactA: Rational | null,
  exactB: Rational | null,
  context: Context,
): Verdict {
  const isWhole = (node: Expression, exact: Rational | null) => exact !== null && isInteger(exact) && !isDecimal(node);
  const hasWhole = isWhole(a, exactA) || isWhole(b, exactB);
  const left = exactA ?? numericValue(a, context);
  const right = exactB ?? numericValue(b, context);
  if (left === null || right === null) return different("one side has no value as a number");
  const size = Math.max(Math.abs(toNumber(left)), Math.abs(toNumber(right)));
  const significant = size > 0 && size < 1e-4 ? Math.min(300, 2 - Math.floor(Math.log10(size))) : 0;
  // A whole number is not rounded: what differs from it in nine decimals is a slip of the machine.
  const decimals = Math.max(hasWhole ? 9 : context.floatRounding, significant);
  const isClose = compare(roundTo(left, decimals), roundTo(right, decimals)) === 0;
  return isClose ? same(`the same to ${decimals} decimals`) : different(`different within ${decimals} decimals`);
}

/** The double of a real constant, as a fraction; complex ones have no rounding here. */
function numericValue(node: Expression, { budget }: Context): Rational | null {
  const value = evaluate(node, { symbols: new Map(), budget });
  if (value === null || !isReal(value)) return null;
  const scale = 2 ** 60;
  return Math.abs(value.re) < 1e15
    ? rational(BigInt(Math.round(value.re * scale)), BigInt(scale))
    : rational(BigInt(Math.round(value.re)));
}
