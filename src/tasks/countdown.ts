/** Countdown: combine all given numbers with + - * / to reach a target. Every problem has a solution by construction. */
import { z } from "zod";
import type { Random } from "../random.ts";
import { between, defineTask, pick } from "./task.ts";

const params = z
  .strictObject({
    numNumbers: z.int().min(2).max(6).default(3),
    maxNumber: z.int().min(1).max(999).default(99),
    maxTarget: z.int().min(1).max(99_999).default(100),
    operators: z
      .array(z.enum(["+", "-", "*", "/"]))
      .min(1)
      .default(["+", "-", "*", "/"]),
    style: z.enum(["words", "compact"]).default("words").describe("compact: 44 19 35=98 for character tokenizers."),
    demonstrationSkill: z
      .number()
      .min(0)
      .max(1)
      .default(1)
      .describe("Share of demonstrations that reach the target; the others combine the numbers at random."),
  })
  .describe("Parameters of countdown.");

interface Expression {
  readonly text: string;
  readonly value: number;
}

export const countdown = defineTask({
  name: "countdown",
  description: "Reach a target with all given numbers and + - * /; verify with the reward countdown.",
  params,
  generate(random, { numNumbers, maxNumber, maxTarget, operators, style, demonstrationSkill }) {
    const nums = Array.from({ length: numNumbers }, () => between(random, 1, maxNumber));
    const solution = combine(random, nums, operators);
    if (solution === null || solution.value < 1 || solution.value > maxTarget) return null;
    const demonstrated = random.next() < demonstrationSkill ? solution : (combine(random, nums, operators) ?? solution);
    const target = solution.value;
    const question =
      style === "compact"
        ? `${nums.join(" ")}=${target}`
        : `Using the numbers [${nums.join(", ")}], write an expression that equals ${target}. Use + - * / and brackets, and every number exactly once. Give the expression in <answer> </answer> tags.`;
    return {
      key: `${nums.toSorted((a, b) => a - b).join(",")}=${target}`,
      question,
      answer: String(target),
      fields: {
        nums,
        target,
        solution: solution.text,
        demonstration: `<think>${demonstrated.text}=${demonstrated.value}</think><answer>${demonstrated.text}</answer>`,
      },
    };
  },
});

/** Joins two random parts until one is left; null when a division does not come out whole. */
function combine(
  random: Random,
  nums: readonly number[],
  operators: readonly ("+" | "-" | "*" | "/")[],
): Expression | null {
  const parts: Expression[] = nums.map((value) => ({ text: String(value), value }));
  while (parts.length > 1) {
    const [a] = parts.splice(random.below(parts.length), 1);
    const [b] = parts.splice(random.below(parts.length), 1);
    const joined = join(a!, pick(random, operators), b!, parts.length === 0);
    if (joined === null) return null;
    parts.push(joined);
  }
  return parts[0]!;
}

function join(a: Expression, operator: "+" | "-" | "*" | "/", b: Expression, isWhole: boolean): Expression | null {
  const value = calculate(operator, a.value, b.value);
  if (!Number.isInteger(value)) return null;
  const text = `${a.text}${operator}${b.text}`;
  return { text: isWhole ? text : `(${text})`, value };
}

function calculate(operator: "+" | "-" | "*" | "/", a: number, b: number): number {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return b === 0 ? Number.NaN : a / b;
    default:
      throw new Error(`unknown operator ${operator satisfies never}`);
  }
}
