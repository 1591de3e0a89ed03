import { describe, expect, it } from "vitest";
import { solutionsOf } from "../../src/tasks/knights-knaves.ts";
import { splitOf, TASKS, taskRows } from "../../src/tasks/tasks.ts";
import { judgeCountdown } from "../../src/verify/countdown.ts";
import { parseKnightsKnaves } from "../../src/verify/knights-knaves.ts";

function rows(
  task: string,
  params: Record<string, unknown> = {},
  split: "train" | "eval" = "train",
  size = 60,
  seed = 1,
) {
  return taskRows({ task, params, size, split, seed });
}

describe("tasks", () => {
  it.each(TASKS.map((task) => task.name))("%s: the same seed gives the same problems, another seed others", (name) => {
    expect(rows(name)).toEqual(rows(name));
    expect(rows(name, {}, "train", 60, 2)).not.toEqual(rows(name));
  });

  it.each(TASKS.map((task) => task.name))("%s: train and eval share no problem, whatever the seeds", (name) => {
    const train = new Set(rows(name, {}, "train", 300, 1).map((row) => row.key));
    const evaluated = rows(name, {}, "eval", 60, 2);
    const held = evaluated.map((row) => row.key);
    expect(held.filter((key) => train.has(key))).toEqual([]);
    expect(new Set(evaluated.map((row) => row.question)).size).toBe(60);
    expect(held.every((key) => splitOf(key) === "eval")).toBe(true);
  });

  it("arithmetic: answers are right, for every operator", () => {
    for (const { question, answer } of rows("arithmetic", { operators: ["+", "-", "*"], digits: 3 }, "train", 200)) {
      const [, a, operator, b] = /^(\d{3})([+*-])(\d{3})=$/.exec(question) ?? [];
      const [x, y] = [Number(a), Number(b)];
      expect(Number(answer)).toBe(operator === "+" ? x + y : operator === "-" ? x - y : x * y);
    }
  });

  it("multiple-choice: one choice is right, its letter is the answer, and letters come equally often", () => {
    const counts = new Map<string, number>();
    for (const { question, answer, fields } of rows("multiple-choice", {}, "train", 800)) {
      const [, a, b] = /^What is (\d{2}) \+ (\d{2})\?\n/.exec(question)!;
      const choices = fields["choices"] as string[];
      const right = choices.indexOf(String(Number(a) + Number(b)));
      expect(answer).toBe("ABCD"[right]);
      expect(new Set(choices).size).toBe(4);
      expect(question).toContain(`\n${answer}) ${choices[right]}`);
      // The permutation says where each choice stood; the right one was the first.
      expect((fields["permutation"] as number[]).indexOf(0)).toBe(right);
      counts.set(answer, (counts.get(answer) ?? 0) + 1);
    }
    // 800 draws of four: 200 each, standard deviation 12.2.
    for (const letter of "ABCD") expect(Math.abs(counts.get(letter)! - 200)).toBeLessThan(61);
  });

  it("arithmetic: a demonstration that knows everything is right, one that cannot carry is right exactly where nothing carries", () => {
    const final = (row: { fields: Readonly<Record<string, unknown>> }) =>
      Number(/<answer>(\d+)</.exec(String(row.fields["demonstration"]))?.[1]);
    const carries = (question: string) =>
      Number(question[1]) + Number(question[4]) >= 10 || Number(question[0]) + Number(question[3]) >= 10;
    const [skilled, ignorant] = [
      rows("arithmetic", {}, "train", 300),
      rows("arithmetic", { demonstrationKnows: 9 }, "train", 300),
    ];
    expect(skilled.filter((row) => final(row) !== Number(row.answer))).toEqual([]);
    const without = ignorant.filter((row) => !carries(row.question));
    expect(without.length).toBeGreaterThan(50);
    expect(without.filter((row) => final(row) !== Number(row.answer))).toEqual([]);
    const withCarry = ignorant.filter((row) => carries(row.question));
    const guessedRight = withCarry.filter((row) => final(row) === Number(row.answer)).length;
    expect(guessedRight / withCarry.length).toBeLessThan(0.2);
  });

  it("arithmetic: guesses stay within the spread, and known sums are never guessed", () => {
    let guesses = 0;
    for (const { fields } of rows(
      "arithmetic",
      { digits: 3, demonstrationKnows: 9, demonstrationSpread: 1 },
      "train",
      200,
    )) {
      for (const [, a, b, carry, sum] of String(fields["demonstration"]).matchAll(/(\d)\+(\d)(\+1)?=(\d+)/g)) {
        const right = Number(a) + Number(b) + (carry === undefined ? 0 : 1);
        if (right > 9) guesses++;
        expect(Math.abs(Number(sum) - right)).toBeLessThanOrEqual(right > 9 ? 1 : 0);
        if (right > 9) expect(Number(sum)).toBeGreaterThan(9);
      }
    }
    expect(guesses).toBeGreaterThan(200);
  });

  it("arithmetic: shuffled answers belong to other problems, and the problems stay the same", () => {
    const [right, shuffled] = [rows("arithmetic"), rows("arithmetic", { shuffleAnswers: true })];
    expect(shuffled.map((row) => row.question)).toEqual(right.map((row) => row.question));
    expect(shuffled.filter((row, i) => row.answer === right[i]!.answer).length).toBeLessThan(5);
  });

  it("arithmetic: a demonstration reads digit by digit, the ones first", () => {
    const row =
      rows("arithmetic", {}, "train", 400).find(({ question }) => question === "37+45=") ?? rows("arithmetic")[0]!;
    expect(row.fields["demonstration"]).toMatch(/^<think>\d\+\d=\d+ \d\+\d(\+1)?=\d+<\/think><answer>\d+<\/answer>$/);
  });

  it("countdown: the solution uses every number once and reaches the target, by the verifier", () => {
    for (const { fields } of rows("countdown", { numNumbers: 4, maxTarget: 1000 }, "train", 100)) {
      const { nums, target, solution } = fields as { nums: number[]; target: number; solution: string };
      expect(judgeCountdown(solution, nums, target), solution).toBe("right");
    }
  });

  it("knights-knaves: the answer parses to the solution", () => {
    for (const { answer, fields } of rows("knights-knaves", { people: 4 }, "train", 100)) {
      const { names, solution } = fields as { names: string[]; solution: boolean[] };
      expect(parseKnightsKnaves(answer, names)).toEqual(solution);
    }
  });

  it("knights-knaves: brute force finds all assignments: two who accuse each other have two, a self-denier none", () => {
    const accuse = (other: number) => ({ holds: (roles: readonly boolean[]) => roles[other] === false });
    expect(solutionsOf([accuse(1), accuse(0)])).toEqual([
      [true, false],
      [false, true],
    ]);
    expect(solutionsOf([accuse(0)])).toEqual([]);
  });

  it("arithmetic: a sum and the same sum turned round are on one side of the split", () => {
    const turned = (question: string) => question.replace(/(\d+)\+(\d+)=/, "$2+$1=");
    const train = new Set(rows("arithmetic", {}, "train", 4000).map((row) => row.question));
    const held = rows("arithmetic", {}, "eval", 400, 5).map((row) => row.question);
    expect(held.filter((question) => train.has(turned(question)))).toEqual([]);
    expect([...train].some((question) => train.has(turned(question)))).toBe(true);
  });

  it("knights-knaves: the same statements under other names are the same problem", () => {
    const key = ({ question, fields }: { question: string; fields: Readonly<Record<string, unknown>> }) =>
      (fields["names"] as string[]).reduce((text, name, i) => text.replaceAll(name, `<${i}>`), question);
    const train = new Set(rows("knights-knaves", { people: 2 }, "train", 2000).map(key));
    const held = rows("knights-knaves", { people: 2 }, "eval", 200, 3).map(key);
    expect(held.filter((structure) => train.has(structure))).toEqual([]);
    expect(new Set(held).size).toBeLessThan(held.length);
  });

  it("knights-knaves: from 2 to 8 people, and both roles occur", () => {
    for (let people = 2; people <= 8; people++) {
      const solutions = rows("knights-knaves", { people }, "train", 40).flatMap(
        (row) => row.fields["solution"] as boolean[],
      );
      expect(solutions.length).toBe(40 * people);
      expect(solutions).toContain(true);
      expect(solutions).toContain(false);
    }
  });

  it("parameters that allow no problem end in a sentence, not in a loop", () => {
    expect(() => rows("countdown", { numNumbers: 2, maxNumber: 1, operators: ["-"] }, "train", 1)).toThrow(
      /Expected 1 different train problems of task countdown, but only 0 were found/,
    );
  });

  it("a wrong name, a wrong parameter and too many problems are refused by name", () => {
    expect(() => rows("sudoku")).toThrow(/one of arithmetic, countdown, knights-knaves, multiple-choice, got "sudoku"/);
    expect(() => rows("arithmetic", { digit: 2 })).toThrow(/Parameters of task arithmetic: .*digit/s);
    expect(() => rows("arithmetic", { digits: 1 }, "eval", 90)).toThrow(
      /Expected 90 different eval problems of task arithmetic, but only \d+ were found/,
    );
  });
});
