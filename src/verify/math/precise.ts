/**
 * Do two expressions agree at one point to 600 bits? The last word where doubles agree: e^(pi sqrt(163)) is a whole number to 30
 * digits and none. Two constants written within the length limit that agree so far and differ have not been seen outside of
 * constructions with numbers of that many digits.
 */

import {
  addBig,
  angleBig,
  BIG_ONE,
  BIG_ZERO,
  type BigFloat,
  divideBig,
  expBig,
  fromNumber,
  fromRational,
  logBig,
  multiplyBig,
  negateBig,
  piBig,
  sineCosineBig,
  sizeOf,
  squareRootBig,
} from "./big-float.ts";
import { type Budget, LimitReached, spend } from "./budget.ts";
import { exactValue } from "./exact.ts";
import type { Expression, Of } from "./expression.ts";
import { isInteger } from "./rational.ts";

/** Bits that have to agree, counted from the largest term that entered. */
const AGREEING_BITS = 600;
/** Larger terms would hide a difference of 1 and more. */
const LARGEST_BITS = 450;
/** Steps of the budget that one elementary function of 768 bits costs. */
const FUNCTION_COST = 60;

interface Complex {
  readonly re: BigFloat;
  readonly im: BigFloat;
}

interface State {
  readonly symbols: ReadonlyMap<string, number>;
  readonly budget: Budget;
  /** The size in bits of the largest term of a sum: what cancellation is measured by. */
  largest: number;
}

/** null where one of the two has no value that this arithmetic knows; throws LimitReached past its precision. Symbols are real. */
export function agreesPrecisely(
  a: Expression,
  b: Expression,
  symbols: ReadonlyMap<string, number>,
  budget: Budget,
): boolean | null {
  const state: State = { symbols, budget, largest: Number.NEGATIVE_INFINITY };
  const left = bigValue(a, state);
  const right = left === null ? null : bigValue(b, state);
  if (left === null || right === null) return null;
  const apart = plus(left, negated(right), state);
  if (Math.max(sizeOf(apart.re), sizeOf(apart.im)) > state.largest - AGREEING_BITS) return false;
  if (state.largest > LARGEST_BITS) throw new LimitReached("precision");
  return true;
}

function real(value: BigFloat): Complex {
  return { re: value, im: BIG_ZERO };
}

const ONE = real(BIG_ONE);

function negated(a: Complex): Complex {
  return { re: negateBig(a.re), im: negateBig(a.im) };
}

function plus(a: Complex, b: Complex, state: State): Complex {
  state.largest = Math.max(state.largest, sizeOf(a.re), sizeOf(a.im), sizeOf(b.re), sizeOf(b.im));
  return { re: addBig(a.re, b.re), im: addBig(a.im, b.im) };
}

function times(a: Complex, b: Complex): Complex {
  if (a.im.mantissa === 0n && b.im.mantissa === 0n) return real(multiplyBig(a.re, b.re));
  return {
    re: addBig(multiplyBig(a.re, b.re), negateBig(multiplyBig(a.im, b.im))),
    im: addBig(multiplyBig(a.re, b.im), multiplyBig(a.im, b.re)),
  };
}

function over(a: Complex, b: Complex): Complex | null {
  if (b.im.mantissa === 0n) {
    const [re, im] = [divideBig(a.re, b.re), divideBig(a.im, b.re)];
    return re === null || im === null ? null : { re, im };
  }
  const size = addBig(multiplyBig(b.re, b.re), multiplyBig(b.im, b.im));
  const above = times(a, { re: b.re, im: negateBig(b.im) });
  const [re, im] = [divideBig(above.re, size), divideBig(above.im, size)];
  return re === null || im === null ? null : { re, im };
}

function exp(a: Complex): Complex | null {
  const size = expBig(a.re);
  if (size === null || a.im.mantissa === 0n) return size === null ? null : real(size);
  const turned = sineCosineBig(a.im);
  return turned === null ? null : { re: multiplyBig(size, turned[1]), im: multiplyBig(size, turned[0]) };
}

function log(a: Complex): Complex | null {
  const square = addBig(multiplyBig(a.re, a.re), multiplyBig(a.im, a.im));
  const size = logBig(square);
  const angle = angleBig(a.im, a.re);
  return size === null || angle === null ? null : { re: { ...size, exponent: size.exponent - 1 }, im: angle };
}

/** sin(x + iy) = sin x cosh y + i cos x sinh y, cos(x + iy) = cos x cosh y - i sin x sinh y. */
function sineCosine(a: Complex, state: State): readonly [Complex, Complex] | null {
  const turned = sineCosineBig(a.re);
  if (turned === null) return null;
  const [sine, cosine] = turned;
  if (a.im.mantissa === 0n) return [real(sine), real(cosine)];
  const [up, down] = [expBig(a.im), expBig(negateBig(a.im))];
  if (up === null || down === null) return null;
  state.largest = Math.max(state.largest, sizeOf(up), sizeOf(down));
  const half = { mantissa: 1n, exponent: -1 };
  const [cosh, sinh] = [multiplyBig(half, addBig(up, down)), multiplyBig(half, addBig(up, negateBig(down)))];
  return [
    { re: multiplyBig(sine, cosh), im: multiplyBig(cosine, sinh) },
    { re: multiplyBig(cosine, cosh), im: negateBig(multiplyBig(sine, sinh)) },
  ];
}

/** The principal root. */
function squareRoot(a: Complex): Complex | null {
  if (a.im.mantissa === 0n) {
    const root = squareRootBig(a.re.mantissa < 0n ? negateBig(a.re) : a.re);
    return root === null ? null : a.re.mantissa < 0n ? { re: BIG_ZERO, im: root } : real(root);
  }
  const exponent = log(a);
  return exponent === null ? null : exp(times(exponent, real({ mantissa: 1n, exponent: -1 })));
}

function bigValue(node: Expression, state: State): Complex | null {
  spend(state.budget, 3);
  switch (node.kind) {
    case "number":
      return real(fromRational(node.value));
    case "symbol": {
      const value = state.symbols.get(node.name);
      return value === undefined ? null : real(fromNumber(value));
    }
    case "constant":
      if (node.name === "infinity") return null;
      if (node.name === "i") return { re: BIG_ZERO, im: BIG_ONE };
      return node.name === "pi" ? real(piBig()) : exp(ONE);
    case "percent":
    case "degrees": {
      const value = bigValue(node.value, state);
      const scale = node.kind === "percent" ? BIG_ONE : piBig();
      const unit = divideBig(scale, fromNumber(node.kind === "percent" ? 100 : 180));
      return value === null || unit === null ? null : times(value, real(unit));
    }
    case "sum":
      return fold(node.terms, real(BIG_ZERO), (a, b) => plus(a, b, state), state);
    case "product":
      return fold(node.factors, ONE, times, state);
    case "power":
      return powerOf(node, state);
    case "call":
      return node.known ? callOf(node, state) : null;
    default: {
      const exact = exactValue(node, state.budget);
      return exact === null ? null : real(fromRational(exact));
    }
  }
}

function fold(
  parts: readonly Expression[],
  start: Complex,
  combine: (a: Complex, b: Complex) => Complex,
  state: State,
): Complex | null {
  let total = start;
  for (const part of parts) {
    const value = bigValue(part, state);
    if (value === null) return null;
    total = combine(total, value);
  }
  return total;
}

function powerOf({ base, exponent }: Of<"power">, state: State): Complex | null {
  const exact = exactValue(exponent, state.budget);
  if (base.kind === "constant" && base.name === "e") {
    const value = bigValue(exponent, state);
    spend(state.budget, FUNCTION_COST);
    return value === null ? null : exp(value);
  }
  const value = bigValue(base, state);
  if (value === null) return null;
  spend(state.budget, FUNCTION_COST);
  if (exact !== null && isInteger(exact) && Math.abs(Number(exact.numerator)) <= 4096) {
    return wholePower(value, Number(exact.numerator));
  }
  if (exact !== null && exact.denominator === 2n && Math.abs(Number(exact.numerator)) <= 4096) {
    const root = squareRoot(value);
    return root === null ? null : wholePower(root, Number(exact.numerator));
  }
  const logarithm = log(value);
  const power = exact === null ? bigValue(exponent, state) : real(fromRational(exact));
  return logarithm === null || power === null ? null : exp(times(logarithm, power));
}

function wholePower(base: Complex, exponent: number): Complex | null {
  let result = ONE;
  let square = base;
  for (let rest = Math.abs(exponent); rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = times(result, square);
    if (rest > 1) square = times(square, square);
  }
  return exponent < 0 ? over(ONE, result) : result;
}

function callOf(node: Of<"call">, state: State): Complex | null {
  const exact = exactValue(node, state.budget);
  if (exact !== null) return real(fromRational(exact));
  const args: Complex[] = [];
  for (const arg of node.args) {
    const value = bigValue(arg, state);
    if (value === null) return null;
    args.push(value);
  }
  spend(state.budget, FUNCTION_COST);
  const [a, b] = args;
  return a === undefined ? null : callAt(node.name, a, b, state);
}

function callAt(name: string, a: Complex, b: Complex | undefined, state: State): Complex | null {
  const isReal = a.im.mantissa === 0n;
  switch (name) {
    case "ln":
      return log(a);
    case "log": {
      const [above, below] = [log(a), b === undefined ? null : log(b)];
      return above === null || below === null ? null : over(above, below);
    }
    case "sin":
    case "cos":
    case "tan":
    case "cot":
    case "sec":
    case "csc": {
      // Of a multiple of pi nothing is left: what was lost is counted from the angle, of small angles from themselves.
      state.largest = Math.max(state.largest, Math.min(0, sizeOf(a.re)));
      const turned = sineCosine(a, state);
      if (turned === null) return null;
      const [sine, cosine] = turned;
      if (name === "sin" || name === "cos") return name === "sin" ? sine : cosine;
      const above = name === "tan" ? sine : name === "cot" ? cosine : ONE;
      return over(above, name === "tan" || name === "sec" ? cosine : sine);
    }
    case "arctan": {
      const angle = isReal ? angleBig(a.re, BIG_ONE) : null;
      return angle === null ? null : real(angle);
    }
    case "arcsin":
    case "arccos": {
      const other = isReal ? squareRootBig(addBig(BIG_ONE, negateBig(multiplyBig(a.re, a.re)))) : null;
      const angle = other === null ? null : name === "arcsin" ? angleBig(a.re, other) : angleBig(other, a.re);
      return angle === null ? null : real(angle);
    }
    case "abs": {
      const size = squareRootBig(addBig(multiplyBig(a.re, a.re), multiplyBig(a.im, a.im)));
      return size === null ? null : real(size);
    }
    case "root": {
      if (!isReal || b === undefined || b.im.mantissa !== 0n) return null;
      const isNegative = a.re.mantissa < 0n;
      const logarithm = logBig(isNegative ? negateBig(a.re) : a.re);
      const share = logarithm === null ? null : divideBig(logarithm, b.re);
      const root = share === null ? null : expBig(share);
      if (root === null || (isNegative && !isOdd(b.re))) return null;
      return real(isNegative ? negateBig(root) : root);
    }
    case "sinh":
    case "cosh":
    case "tanh": {
      const [up, down] = [exp(a), exp(negated(a))];
      if (up === null || down === null) return null;
      const [minus, both] = [plus(up, negated(down), state), plus(up, down, state)];
      if (name === "tanh") return over(minus, both);
      return times(name === "sinh" ? minus : both, real({ mantissa: 1n, exponent: -1 }));
    }
    default:
      return null;
  }
}

function isOdd({ mantissa, exponent }: BigFloat): boolean {
  return exponent <= 0 && mantissa % (1n << BigInt(-exponent)) === 0n && (mantissa >> BigInt(-exponent)) % 2n !== 0n;
}
