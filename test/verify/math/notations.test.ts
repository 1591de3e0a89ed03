/**
 * Random expressions, written as LaTeX, as plain text with * and **, and with the signs of Unicode: all are the same answer, alone
 * and inside tuples, sets, equations, inequalities and matrices. One change to one leaf makes another, if the values at three points
 * say so, which this file computes for itself.
 */
import { describe, expect, it } from "vitest";
import { createRandom, type Random } from "../../../src/random.ts";
import { verify } from "../../../src/verify/verify.ts";

type Node =
  | { readonly op: "number"; readonly value: number }
  | { readonly op: "symbol"; readonly name: string }
  | { readonly op: "pi" }
  | { readonly op: "+" | "-" | "*" | "/"; readonly a: Node; readonly b: Node }
  | { readonly op: "^"; readonly a: Node; readonly exponent: number }
  | { readonly op: "sqrt" | "sin" | "cos" | "exp" | "ln"; readonly a: Node };

const FUNCTIONS = ["sqrt", "sin", "cos", "exp", "ln"] as const;

function pick<T>(items: readonly T[], random: Random): T {
  return items[random.below(items.length)]!;
}

function draw(depth: number, names: readonly string[], random: Random): Node {
  const kind = depth === 0 ? random.below(4) : 4 + random.below(8);
  const next = () => draw(depth - 1 - random.below(Math.min(depth, 2)), names, random);
  if (kind === 0 && random.below(3) === 0) return { op: "pi" };
  if (kind < 2) return { op: "number", value: 1 + random.below(12) };
  if (kind < 4)
    return names.length === 0
      ? { op: "number", value: 2 + random.below(9) }
      : { op: "symbol", name: pick(names, random) };
  if (kind < 6) return { op: "+", a: next(), b: next() };
  if (kind < 7) return { op: "-", a: next(), b: next() };
  if (kind < 9) return { op: "*", a: next(), b: next() };
  if (kind < 10) return { op: "/", a: next(), b: next() };
  if (kind < 11) return { op: "^", a: next(), exponent: 2 + random.below(2) };
  return { op: pick(FUNCTIONS, random), a: next() };
}

function valueAt(node: Node, point: Readonly<Record<string, number>>): number {
  switch (node.op) {
    case "number":
      return node.value;
    case "symbol":
      return point[node.name]!;
    case "pi":
      return Math.PI;
    case "+":
      return valueAt(node.a, point) + valueAt(node.b, point);
    case "-":
      return valueAt(node.a, point) - valueAt(node.b, point);
    case "*":
      return valueAt(node.a, point) * valueAt(node.b, point);
    case "/":
      return valueAt(node.a, point) / valueAt(node.b, point);
    case "^":
      return valueAt(node.a, point) ** node.exponent;
    case "ln":
      return Math.log(valueAt(node.a, point));
    default:
      return Math[node.op](valueAt(node.a, point));
  }
}

const POINTS = [
  { x: 0.7391, y: 1.3127, a: 2.1713 },
  { x: 1.6131, y: 0.4177, a: 0.9319 },
  { x: 2.3719, y: 2.9131, a: 1.1237 },
] as const;

/** Real, of ordinary size, and no stranger to the eyes of a double: what can be told from its neighbours. */
function isTame(node: Node): boolean {
  const values = POINTS.map((point) => valueAt(node, point));
  if (!values.every((value) => Number.isFinite(value) && Math.abs(value) > 1e-3 && Math.abs(value) < 1e4)) return false;
  return "a" in node ? isTame(node.a) && (!("b" in node) || isTame(node.b)) : true;
}

function isFarFrom(a: Node, b: Node): boolean {
  return POINTS.every((point) => {
    const [x, y] = [valueAt(a, point), valueAt(b, point)];
    return Number.isFinite(y) && Math.abs(x - y) > 1e-3 * Math.max(Math.abs(x), Math.abs(y));
  });
}

/** The node with one leaf or one sign changed. */
function changed(node: Node, names: readonly string[], random: Random): Node {
  if (node.op === "number") return { ...node, value: node.value + 1 };
  if (node.op === "pi") return { op: "number", value: 3 };
  if (node.op === "symbol") return { ...node, name: names.find((name) => name !== node.name) ?? node.name };
  if (node.op === "^" && random.below(3) === 0) return { ...node, exponent: node.exponent + 1 };
  if (node.op === "+" && random.below(3) === 0) return { ...node, op: "-" };
  if (node.op === "/" && random.below(3) === 0) return { ...node, op: "*" };
  if (node.op === "sin" && random.below(3) === 0) return { ...node, op: "cos" };
  if ("b" in node && random.below(2) === 0) return { ...node, b: changed(node.b, names, random) };
  return { ...node, a: changed(node.a, names, random) };
}

type Write = (node: Node, random: Random) => string;

/** How tightly an operator binds its sides. */
function level({ op }: Node): number {
  if (op === "+" || op === "-") return 1;
  return op === "*" || op === "/" ? 2 : op === "^" ? 3 : 4;
}

const latex: Write = (node, random) => {
  const write = (part: Node) => latex(part, random);
  const bracketed = (part: Node, least: number) =>
    level(part) >= least ? write(part) : pick([`(${write(part)})`, `\\left(${write(part)}\\right)`], random);
  switch (node.op) {
    case "number":
      return `${node.value}`;
    case "symbol":
      return node.name;
    case "pi":
      return "\\pi ";
    case "+":
      return `${write(node.a)}${pick(["+", " + "], random)}${write(node.b)}`;
    case "-":
      return `${write(node.a)}-${bracketed(node.b, 2)}`;
    case "*":
      return `${bracketed(node.a, 2)}${pick(["\\cdot ", "\\times ", " \\cdot\\, "], random)}${bracketed(node.b, 2)}`;
    case "/":
      return `${pick(["\\frac", "\\dfrac", "\\tfrac"], random)}{${write(node.a)}}{${write(node.b)}}`;
    case "^":
      return `${node.a.op === "exp" ? `(${write(node.a)})` : bracketed(node.a, 4)}^{${node.exponent}}`;
    case "sqrt":
      return `\\sqrt{${write(node.a)}}`;
    case "exp":
      return `e^{${write(node.a)}}`;
    default:
      return `\\${node.op}${pick([`(${write(node.a)})`, `\\left(${write(node.a)}\\right)`], random)}`;
  }
};

const plain: Write = (node, random) => {
  const write = (part: Node) => plain(part, random);
  const bracketed = (part: Node, least: number) => (level(part) >= least ? write(part) : `(${write(part)})`);
  switch (node.op) {
    case "number":
      return `${node.value}`;
    case "symbol":
      return node.name;
    case "pi":
      return "pi";
    case "+":
      return `${write(node.a)} + ${write(node.b)}`;
    case "-":
      return `${write(node.a)} - ${bracketed(node.b, 2)}`;
    case "*":
      return `${bracketed(node.a, 2)}*${bracketed(node.b, 3)}`;
    case "/":
      return `${bracketed(node.a, 2)}/${bracketed(node.b, 3)}`;
    case "^":
      return `${bracketed(node.a, 4)}${pick(["^", "**"], random)}${node.exponent}`;
    default:
      return `${node.op}(${write(node.a)})`;
  }
};

const unicode: Write = (node, random) => {
  const write = (part: Node) => unicode(part, random);
  const bracketed = (part: Node, least: number) => (level(part) >= least ? write(part) : `(${write(part)})`);
  switch (node.op) {
    case "number":
      return `${node.value}`;
    case "symbol":
      return node.name;
    case "pi":
      return "π";
    case "+":
      return `${write(node.a)} + ${write(node.b)}`;
    case "-":
      return `${write(node.a)} − ${bracketed(node.b, 2)}`;
    case "*":
      return `${bracketed(node.a, 2)}${pick(["·", "×"], random)}${bracketed(node.b, 3)}`;
    case "/":
      return `${bracketed(node.a, 2)}/${bracketed(node.b, 3)}`;
    case "^":
      return `${bracketed(node.a, 4)}${"⁰¹²³⁴⁵"[node.exponent]}`;
    case "sqrt":
      return `√(${write(node.a)})`;
    default:
      return `${node.op}(${write(node.a)})`;
  }
};

const WRITERS = { latex, plain, unicode } as const;

/** A tame expression and one that differs from it; the seeds of those that are wild are skipped. */
function* cases(numCases: number, names: readonly string[], from: number) {
  let found = 0;
  for (let seed = from; found < numCases; seed++) {
    const random = createRandom(seed);
    const node = draw(1 + random.below(3), names, random);
    const other = changed(node, names, random);
    if (!isTame(node) || !isTame(other) || !isFarFrom(node, other)) continue;
    found++;
    yield { seed, random, node, other };
  }
}

function expectVerdict(gold: string, pred: string, equal: boolean, seed: number): void {
  expect(verify(gold, `so that \\(\\boxed{${pred}}\\).`).equal, `seed ${seed}: ${gold} ~ ${pred}`).toBe(equal);
}

describe.each(Object.entries(WRITERS))("%s", (_, write) => {
  it.each([
    ["numbers", [], 1_000],
    ["functions of x and y", ["x", "y"], 500_000],
    ["functions of a", ["a"], 900_000],
  ] as const)("%s", (_name, names, from) => {
    for (const { seed, random, node, other } of cases(80, names, from)) {
      const gold = latex(node, random);
      expectVerdict(gold, write(node, random), true, seed);
      expectVerdict(gold, write(other, random), false, seed);
    }
  });

  it("tuples keep their order, sets do not", () => {
    for (const { seed, random, node, other } of cases(40, ["x", "y"], 2_000_000)) {
      const [first, second] = [latex(node, random), latex(other, random)];
      const [a, b] = [write(node, random), write(other, random)];
      expectVerdict(`(${first},${second},1)`, `(${a}, ${b}, 1)`, true, seed);
      expectVerdict(`(${first},${second},1)`, `(${b}, ${a}, 1)`, false, seed);
      expectVerdict(`\\{${first},${second}\\}`, `\\{${b}, ${a}\\}`, true, seed);
      expectVerdict(`\\{${first},${second}\\}`, `\\{${b}\\}`, false, seed);
    }
  });

  it("equations by their multiples, inequalities by their positive ones", () => {
    for (const { seed, random, node, other } of cases(40, ["x", "y"], 3_000_000)) {
      const [left, right] = [latex(node, random), latex(other, random)];
      const [a, b] = [write(node, random), write(other, random)];
      expectVerdict(`z=${left}`, `z = ${a}`, true, seed);
      expectVerdict(`z=${left}`, `z = ${b}`, false, seed);
      expectVerdict(`${left}=z+${right}`, `3*(${a}) - 3*(${b}) = 3*z`, true, seed);
      expectVerdict(`${left}=z+${right}`, `3*(${a}) + 3*(${b}) = 3*z`, false, seed);
      expectVerdict(`${left}<z+${right}`, `2*(${b}) + 2*z > 2*(${a})`, true, seed);
      expectVerdict(`${left}<z+${right}`, `2*(${b}) + 2*z < 2*(${a})`, false, seed);
      expectVerdict(`${left}<z+${right}`, `-(${b}) - z < -(${a})`, true, seed);
    }
  });

  it("matrices entry by entry", () => {
    for (const { seed, random, node, other } of cases(30, ["x"], 4_000_000)) {
      const gold = `\\begin{pmatrix}${latex(node, random)}&1\\\\0&${latex(other, random)}\\end{pmatrix}`;
      const [a, b] = [write(node, random), write(other, random)];
      expectVerdict(gold, `\\begin{bmatrix} ${a} & 1 \\\\ 0 & ${b} \\end{bmatrix}`, true, seed);
      expectVerdict(gold, `\\begin{bmatrix} ${b} & 1 \\\\ 0 & ${a} \\end{bmatrix}`, false, seed);
      expectVerdict(gold, `\\begin{bmatrix} ${a} & 0 \\\\ 1 & ${b} \\end{bmatrix}`, false, seed);
    }
  });
});
