/** Arithmetic of matrices written out: sums, multiples, products, whole powers and transposes become one matrix. */
import { type Budget, spend } from "./budget.ts";
import {
  call,
  type Expression,
  mapChildren,
  negative,
  number,
  type Of,
  product,
  quotient,
  some,
  sum,
} from "./expression.ts";

type Rows = Of<"matrix">["rows"];

const MAX_POWER = 12;
const MAX_ENTRIES = 400;

/** The expression with every matrix sum, product and power worked out; what does not fit together stays as it is. */
export function withMatricesWorkedOut(node: Expression, budget: Budget): Expression {
  if (!some(node, (part) => part.kind === "matrix")) return node;
  const inner = node.kind === "matrix" ? node : mapChildren(node, (part) => withMatricesWorkedOut(part, budget));
  const rows = workedOut(inner, budget);
  return rows === null ? inner : { kind: "matrix", rows };
}

function workedOut(node: Expression, budget: Budget): Rows | null {
  switch (node.kind) {
    case "sum": {
      const terms = node.terms.map((term) => (term.kind === "matrix" ? term.rows : null));
      return reduceRows(terms, (a, b) => addRows(a, b));
    }
    case "product": {
      const scalars = node.factors.filter((factor) => factor.kind !== "matrix");
      const matrices = node.factors.filter((factor) => factor.kind === "matrix").map(({ rows }) => rows);
      if (matrices.length === 0 || scalars.some(isMatrixLike)) return null;
      const rows = reduceRows(matrices, (a, b) => multiplyRows(a, b, budget));
      return rows === null ? null : rows.map((row) => row.map((entry) => product([...scalars, entry])));
    }
    case "power":
      return node.base.kind === "matrix" ? powerOf(node.base.rows, node.exponent, budget) : null;
    default:
      return null;
  }
}

function isMatrixLike(node: Expression): boolean {
  return some(node, (part) => part.kind === "matrix");
}

function reduceRows(matrices: readonly (Rows | null)[], join: (a: Rows, b: Rows) => Rows | null): Rows | null {
  return matrices.reduce((total, next) => (total === null || next === null ? null : join(total, next)));
}

function addRows(a: Rows, b: Rows): Rows | null {
  if (a.length !== b.length || a[0]!.length !== b[0]!.length) return null;
  return a.map((row, i) => row.map((entry, j) => sum([entry, b[i]![j]!])));
}

function multiplyRows(a: Rows, b: Rows, budget: Budget): Rows | null {
  if (a[0]!.length !== b.length || a.length * b.length * b[0]!.length > MAX_ENTRIES) return null;
  spend(budget, a.length * b.length * b[0]!.length);
  return a.map((row) => b[0]!.map((_, j) => sum(row.map((entry, k) => product([entry, b[k]![j]!])))));
}

/** Cofactors over the determinant, for up to three rows. */
function inverseOf(rows: Rows, budget: Budget): Rows | null {
  if (rows.length > 3) return null;
  spend(budget, 40);
  const minor = (i: number, j: number): Expression => {
    const rest = rows.filter((_, at) => at !== i).map((row) => row.filter((_, at) => at !== j));
    const value = rest.length === 0 ? number(1) : call("det", { kind: "matrix", rows: rest });
    return (i + j) % 2 === 0 ? value : negative(value);
  };
  const determinant = call("det", { kind: "matrix", rows });
  return rows.map((row, i) => row.map((_, j) => quotient(minor(j, i), determinant)));
}

/** ^T and ^\top transpose; a whole power up to 12 multiplies. */
function powerOf(rows: Rows, exponent: Expression, budget: Budget): Rows | null {
  if (exponent.kind === "symbol" && /^(?:t|top|intercal)$/i.test(exponent.name)) {
    return rows[0]!.map((_, j) => rows.map((row) => row[j]!));
  }
  if (exponent.kind !== "number" || exponent.value.denominator !== 1n || rows.length !== rows[0]!.length) return null;
  const count = Number(exponent.value.numerator);
  if (count < 0) return count === -1 ? inverseOf(rows, budget) : null;
  if (count > MAX_POWER) return null;
  let result: Rows | null = rows.map((_, i) => rows.map((_, j) => number(i === j ? 1 : 0)));
  for (let k = 0; k < count && result !== null; k++) {
    result = multiplyRows(result, rows, budget);
    // Entries grow with every factor: those of numbers are kept as numbers by the comparison, longer ones are given up.
    if (k > 3 && rows.length > 2) return null;
  }
  return result;
}
