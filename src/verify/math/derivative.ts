/** Derivatives by the rules of calculus, so that d/dx x^3 is an answer: linear, product, power and chain rule. */
import { type Budget, spend } from "./budget.ts";
import {
  call,
  type Expression,
  freeSymbols,
  negative,
  number,
  power,
  product,
  quotient,
  squareRoot,
  sum,
} from "./expression.ts";
import { substituted } from "./substitute.ts";

/** d node / d name; null where a part has no derivative here. Throws LimitReached when the budget ends. */
export function derivative(node: Expression, name: string, budget: Budget): Expression | null {
  spend(budget, 4);
  if (!freeSymbols(node).has(name)) return number(0);
  switch (node.kind) {
    case "symbol":
      return number(1);
    case "sum":
      return sumOf(node.terms.map((term) => derivative(term, name, budget)));
    case "product":
      return sumOf(
        node.factors.map((factor, index) => {
          const inner = derivative(factor, name, budget);
          return inner === null ? null : product(node.factors.map((other, at) => (at === index ? inner : other)));
        }),
      );
    case "power": {
      // (u^v)' = u^v (v' ln u + v u' / u), and v u^(v-1) u' where the exponent stands still.
      const [base, exponent] = [derivative(node.base, name, budget), derivative(node.exponent, name, budget)];
      if (base === null || exponent === null) return null;
      if (!freeSymbols(node.exponent).has(name)) {
        return product([node.exponent, power(node.base, sum([node.exponent, number(-1)])), base]);
      }
      const growth = product([exponent, call("ln", node.base)]);
      if (!freeSymbols(node.base).has(name)) return product([node, growth]);
      return product([node, sum([growth, product([node.exponent, quotient(base, node.base)])])]);
    }
    case "call": {
      const [inside] = node.args;
      const outer = inside === undefined || !node.known ? null : (OUTER[node.name]?.(inside) ?? null);
      const inner = inside === undefined ? null : derivative(inside, name, budget);
      const isOneArgument = node.args.length === 1 || (node.name === "log" && !freeSymbols(node.args[1]!).has(name));
      if (outer === null || inner === null || !isOneArgument) return null;
      const scale = node.name === "log" ? quotient(outer, call("ln", node.args[1]!)) : outer;
      return product([scale, inner]);
    }
    case "series": {
      // By Leibniz' rule, where the variable stands in the bounds alone.
      if (node.name !== "integral" || node.variable === name || freeSymbols(node.body).has(name)) return null;
      const [from, to] = [derivative(node.from, name, budget), derivative(node.to, name, budget)];
      if (from === null || to === null) return null;
      const at = (end: Expression) => substituted(node.body, node.variable, end);
      return sum([product([at(node.to), to]), negative(product([at(node.from), from]))]);
    }
    default:
      return null;
  }
}

function sumOf(terms: readonly (Expression | null)[]): Expression | null {
  return terms.includes(null) ? null : sum(terms.filter((term) => term !== null));
}

const square = (u: Expression) => power(u, number(2));
const oneMinus = (u: Expression) => sum([number(1), negative(u)]);

/** f'(u) of the functions of one argument. */
const OUTER: Readonly<Record<string, (u: Expression) => Expression>> = {
  sin: (u) => call("cos", u),
  cos: (u) => negative(call("sin", u)),
  tan: (u) => square(call("sec", u)),
  cot: (u) => negative(square(call("csc", u))),
  sec: (u) => product([call("sec", u), call("tan", u)]),
  csc: (u) => negative(product([call("csc", u), call("cot", u)])),
  arcsin: (u) => quotient(number(1), squareRoot(oneMinus(square(u)))),
  arccos: (u) => quotient(number(-1), squareRoot(oneMinus(square(u)))),
  arctan: (u) => quotient(number(1), sum([number(1), square(u)])),
  sinh: (u) => call("cosh", u),
  cosh: (u) => call("sinh", u),
  tanh: (u) => oneMinus(square(call("tanh", u))),
  ln: (u) => quotient(number(1), u),
  log: (u) => quotient(number(1), u),
};
