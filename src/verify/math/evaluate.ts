/** The value of an expression at a point, in complex double precision with an error bound. */
import { type Budget, spend } from "./budget.ts";
import {
  type Complex,
  complex,
  exp,
  isFiniteValue,
  isReal,
  log,
  magnitude,
  minus,
  over,
  plus,
  sine,
  squareRootOf,
  times,
  wholePower,
} from "./complex.ts";
import { type Expression, type Of, some } from "./expression.ts";
import { callFunction } from "./functions.ts";
import { infiniteSum } from "./infinite-sum.ts";
import { integrate } from "./integrate.ts";
import { toNumber } from "./rational.ts";

/** A value for every free symbol; a symbol without one makes the expression undefined there. */
export interface Point {
  readonly symbols: ReadonlyMap<string, Complex>;
  readonly budget: Budget;
  /** Set once a root, a logarithm or another function of real values was not real. */
  readonly domain?: { isLeft: boolean };
}

const MAX_TERMS = 5_000;

/** null where the expression has no finite value at the point; throws LimitReached when the budget ends. */
export function evaluate(node: Expression, point: Point): Complex | null {
  const value = valueAt(node, point);
  return value !== null && isFiniteValue(value) ? value : null;
}

function valueAt(node: Expression, point: Point): Complex | null {
  spend(point.budget);
  switch (node.kind) {
    case "number": {
      const value = toNumber(node.value);
      return complex(value, 0, Number.isInteger(value) && Math.abs(value) < 2 ** 53 ? 0 : Math.abs(value) * 2 ** -52);
    }
    case "symbol":
      return point.symbols.get(node.name) ?? null;
    case "constant":
      if (node.name === "infinity") return null;
      return node.name === "i"
        ? complex(0, 1)
        : node.name === "pi"
          ? complex(Math.PI, 0, 2e-16)
          : complex(Math.E, 0, 2e-16);
    case "percent":
      return scaled(node.value, 0.01, point);
    case "degrees":
      return scaled(node.value, Math.PI / 180, point);
    case "sum": {
      let total = complex(0);
      for (const term of node.terms) {
        const value = valueAt(term, point);
        if (value === null) return null;
        total = plus(total, value);
      }
      return total;
    }
    case "product": {
      let total = complex(1);
      for (const factor of node.factors) {
        const value = valueAt(factor, point);
        if (value === null) return null;
        total = times(total, value);
      }
      return total;
    }
    case "power":
      return inDomain(powerOf(node, point), point);
    case "call":
      return inDomain(callAt(node, point), point);
    case "series":
      return seriesAt(node, point);
    default:
      return null;
  }
}

function inDomain(value: Complex | null, { domain }: Point): Complex | null {
  if (domain !== undefined && value !== null && !isReal(value)) domain.isLeft = true;
  return value;
}

function scaled(node: Expression, factor: number, point: Point): Complex | null {
  const value = valueAt(node, point);
  return value === null ? null : times(value, complex(factor, 0, factor * 2 ** -52));
}

function powerOf(node: Of<"power">, point: Point): Complex | null {
  const exponent = valueAt(node.exponent, point);
  if (exponent === null) return null;
  const isExponential = node.base.kind === "constant" && node.base.name === "e";
  if (isExponential) return exp(exponent);
  const base = valueAt(node.base, point);
  if (base === null) return null;
  if (exponent.error === 0 && exponent.im === 0) {
    if (Number.isInteger(exponent.re) && Math.abs(exponent.re) < 2 ** 31) return wholePower(base, exponent.re);
    if (exponent.re === 0.5) return squareRootOf(base);
    if (exponent.re === -0.5) return over(complex(1), squareRootOf(base));
  }
  const nearest = Math.round(exponent.re);
  if (isReal(exponent) && Math.abs(nearest) < 1000 && Math.abs(exponent.re - nearest) <= 2 * exponent.error) {
    return wholePower(base, nearest);
  }
  if (magnitude(base) === 0) return isReal(exponent) && exponent.re > 0 ? base : null;
  const logarithm = log(base);
  return logarithm === null ? null : exp(times(exponent, logarithm));
}

function callAt(node: Of<"call">, point: Point): Complex | null {
  if (node.known && (node.name === "det" || node.name === "tr")) return matrixFunction(node, point);
  const args: Complex[] = [];
  for (const arg of node.args) {
    const value = valueAt(arg, point);
    if (value === null) return null;
    args.push(value);
  }
  return node.known ? callFunction(node.name, args) : unknownFunction(node.name, args);
}

/**
 * An unknown function is a fixed one that depends on its name: f(x + 1) = f(1 + x), f(x) is neither f(y) nor g(x). It is no polynomial,
 * whose differences vanish, has no symmetry, and is no sum over its arguments.
 */
function unknownFunction(name: string, args: readonly Complex[]): Complex {
  let hash = 2166136261;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619);
  let total = complex(((hash >>> 0) / 2 ** 32) * 3 + 1);
  args.forEach((arg, index) => {
    const weight = complex((((hash >>> (index % 16)) & 1023) + 300) / 512);
    const bent = plus(times(weight, arg), sine(plus(times(complex(1.2 + 0.3 * index), arg), total)));
    total = plus(times(complex(0.7 + 0.1 * index), total), bent);
  });
  return total;
}

function seriesAt(node: Of<"series">, point: Point): Complex | null {
  if (node.name === "integral") {
    const at = (bound: Expression): number | null => {
      const infinite = infinitySign(bound);
      if (infinite !== 0) return infinite * Number.POSITIVE_INFINITY;
      const value = valueAt(bound, point);
      return value !== null && isReal(value) ? value.re : null;
    };
    const [from, to] = [at(node.from), at(node.to)];
    if (from === null || to === null) return null;
    const isNested = some(node.body, (part) => part.kind === "series" && part.name === "integral");
    return integrate((x) => valueAt(node.body, bound(point, node.variable, complex(x))), from, to, isNested);
  }
  const from = valueAt(node.from, point);
  if (infinitySign(node.to) > 0 && node.name === "sum" && from !== null && Number.isInteger(from.re)) {
    return infiniteSum((index) => valueAt(node.body, bound(point, node.variable, complex(index))), from.re);
  }
  const to = valueAt(node.to, point);
  if (
    from === null ||
    to === null ||
    !Number.isInteger(from.re) ||
    !Number.isInteger(to.re) ||
    !isReal(from) ||
    !isReal(to)
  )
    return null;
  // Where the bounds have changed places, a sum has no agreed value.
  if (to.re - from.re > MAX_TERMS || to.re < from.re - 1) return null;
  let total = complex(node.name === "sum" ? 0 : 1);
  for (let index = from.re; index <= to.re; index++) {
    const value = valueAt(node.body, bound(point, node.variable, complex(index)));
    if (value === null) return null;
    total = node.name === "sum" ? plus(total, value) : times(total, value);
  }
  return total;
}

function bound(point: Point, variable: string, value: Complex): Point {
  spend(point.budget, 2);
  return { ...point, symbols: new Map([...point.symbols, [variable, value]]) };
}

/** 1 for infinity, -1 for minus infinity, else 0. */
export function infinitySign(node: Expression): number {
  if (node.kind === "constant") return node.name === "infinity" ? 1 : 0;
  if (node.kind !== "product" || node.factors.length !== 2) return 0;
  const [sign, rest] = node.factors;
  const isMinus = sign!.kind === "number" && sign!.value.numerator === -1n && sign!.value.denominator === 1n;
  return isMinus ? -infinitySign(rest!) : 0;
}

const MAX_MATRIX = 8;

function matrixFunction(node: Of<"call">, point: Point): Complex | null {
  const [matrix] = node.args;
  if (matrix?.kind !== "matrix" || matrix.rows.length !== matrix.rows[0]!.length || matrix.rows.length > MAX_MATRIX)
    return null;
  const rows: Complex[][] = [];
  for (const row of matrix.rows) {
    const values = row.map((entry) => valueAt(entry, point));
    if (values.includes(null)) return null;
    rows.push(values.filter((value) => value !== null));
  }
  if (node.name === "tr") return rows.reduce((total, row, i) => plus(total, row[i]!), complex(0));
  return determinant(rows);
}

/** By elimination with the largest pivot; a pivot that may be zero makes the determinant zero up to its error. */
function determinant(rows: Complex[][]): Complex | null {
  let value = complex(1);
  for (let k = 0; k < rows.length; k++) {
    let best = k;
    for (let i = k + 1; i < rows.length; i++) if (magnitude(rows[i]![k]!) > magnitude(rows[best]![k]!)) best = i;
    if (best !== k) {
      [rows[k], rows[best]] = [rows[best]!, rows[k]!];
      value = times(value, complex(-1));
    }
    const pivot = rows[k]![k]!;
    value = times(value, pivot);
    if (magnitude(pivot) <= 4 * pivot.error) return complex(0, 0, value.error);
    for (let i = k + 1; i < rows.length; i++) {
      const factor = over(rows[i]![k]!, pivot);
      if (factor === null) return null;
      for (let j = k; j < rows.length; j++) rows[i]![j] = minus(rows[i]![j]!, times(factor, rows[k]![j]!));
    }
  }
  return value;
}
