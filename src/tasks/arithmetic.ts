/**
 * Sums, differences and products of whole numbers, as short as "37+45=", for character tokenizers.
 *
 * Sums come with a demonstration that adds digit by digit, the ones first, and may be made ignorant on purpose: digit sums above
 * `demonstrationKnows` are guessed. A model warmed up on them has the form of the reasoning and lacks part of the facts; what
 * reinforcement learning adds can then be seen.
 */
import { z } from "zod";
import type { Random } from "../random.ts";
import { between, defineTask, pick } from "./task.ts";

/** The largest digit sum with a carry: 9 + 9 + 1. */
const LARGEST_DIGIT_SUM = 19;

const params = z.strictObject({
  digits: z.int().min(1).max(9).default(2).describe("Digits of each number; leading zeros are written."),
  operators: z
    .array(z.enum(["+", "-", "*"]))
    .min(1)
    .default(["+"]),
  demonstrationKnows: z
    .int()
    .min(0)
    .max(LARGEST_DIGIT_SUM)
    .default(LARGEST_DIGIT_SUM)
    .describe("Demonstrations guess digit sums above this; 9 = they cannot carry."),
  demonstrationSpread: z
    .int()
    .min(1)
    .max(LARGEST_DIGIT_SUM)
    .default(LARGEST_DIGIT_SUM)
    .describe("Guesses lie at most this far from the right digit sum; 2 = about one guess in four is right."),
  shuffleAnswers: z
    .boolean()
    .default(false)
    .describe("Give every problem the answer of another one: a control that must not be learned."),
});

export const arithmetic = defineTask({
  name: "arithmetic",
  description: "Whole-number arithmetic such as 37+45=; verify with accuracy, method numeric.",
  params,
  generate(random, { digits, operators, demonstrationKnows, demonstrationSpread, shuffleAnswers }) {
    const operator = pick(random, operators);
    const [a, b] = [numberOf(random, digits), numberOf(random, digits)];
    const question = `${padded(a, digits)}${operator}${padded(b, digits)}=`;
    const other = { a: numberOf(random, digits), b: numberOf(random, digits) };
    const answer = shuffleAnswers ? calculate(operator, other.a, other.b) : calculate(operator, a, b);
    const skill = { knows: demonstrationKnows, spread: demonstrationSpread };
    const demonstration = operator === "+" ? addByDigits(random, padded(a, digits), padded(b, digits), skill) : null;
    // 34+12 is no news to a model that was trained on 12+34.
    const ordered = operator === "-" ? [a, b] : [Math.min(a, b), Math.max(a, b)];
    return {
      key: ordered.join(operator),
      question,
      answer: String(answer),
      fields: { operands: [a, b], operator, ...(demonstration === null ? {} : { demonstration }) },
    };
  },
});

function numberOf(random: Random, digits: number): number {
  return between(random, 0, 10 ** digits - 1);
}

function padded(value: number, digits: number): string {
  return String(value).padStart(digits, "0");
}

function calculate(operator: "+" | "-" | "*", a: number, b: number): number {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    default:
      throw new Error(`unknown operator ${operator satisfies never}`);
  }
}

/** e.g. `<think>7+5=12 3+4+1=8</think><answer>82</answer>`; a guessed sum is carried on with, as if it were right. */
function addByDigits(
  random: Random,
  a: string,
  b: string,
  { knows, spread }: { knows: number; spread: number },
): string {
  const steps: string[] = [];
  let carry = 0;
  let result = "";
  for (let place = a.length - 1; place >= 0; place--) {
    const right = Number(a[place]) + Number(b[place]) + carry;
    // Guesses stay on the unknown side, so that known sums are never taught wrongly.
    const [low, high] = [Math.max(knows + 1, right - spread), Math.min(LARGEST_DIGIT_SUM, right + spread)];
    const sum = right <= knows ? right : between(random, low, high);
    steps.push(`${a[place]}+${b[place]}${carry === 1 ? "+1" : ""}=${sum}`);
    result = `${sum % 10}${result}`;
    carry = sum >= 10 ? 1 : 0;
  }
  return `<think>${steps.join(" ")}</think><answer>${carry === 1 ? "1" : ""}${result}</answer>`;
}
