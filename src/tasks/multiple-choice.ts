/** Sums with lettered choices, one of them right and the others near it; the order of the choices is drawn and recorded. */
import { z } from "zod";
import { between, defineTask } from "./task.ts";

const params = z.strictObject({
  digits: z.int().min(1).max(9).default(2).describe("Digits of each number."),
  choices: z.int().min(2).max(10).default(4).describe("How many, the right one among them."),
  spread: z.int().min(5).max(1000).default(12).describe("Wrong choices lie at most this far from the right one."),
});

export const multipleChoice = defineTask({
  name: "multiple-choice",
  description: "Sums with lettered choices; verify with the reward multiple-choice.",
  params,
  generate(random, { digits, choices: numChoices, spread }) {
    const [low, high] = [10 ** (digits - 1), 10 ** digits - 1];
    const [a, b] = [between(random, low, high), between(random, low, high)];
    const wrong = new Set<number>();
    while (wrong.size < numChoices - 1) {
      const off = between(random, 1, spread);
      wrong.add(random.below(2) === 0 ? a + b + off : a + b - off);
    }
    // Before the shuffle the right one is the first.
    const values = [a + b, ...wrong];
    const permutation = values.map((_, index) => index);
    for (let index = permutation.length - 1; index > 0; index--) {
      const other = random.below(index + 1);
      [permutation[index], permutation[other]] = [permutation[other]!, permutation[index]!];
    }
    const choices = permutation.map((from) => String(values[from]));
    const listed = choices.map((text, index) => `${letterOf(index)}) ${text}`);
    return {
      key: [Math.min(a, b), Math.max(a, b)].join("+"),
      question: `What is ${a} + ${b}?\n${listed.join("\n")}`,
      answer: letterOf(permutation.indexOf(0)),
      fields: { choices, permutation },
    };
  },
});

function letterOf(index: number): string {
  return String.fromCharCode(65 + index);
}
