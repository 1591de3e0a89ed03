/** Rewards of form: reasoning steps, Logic-RL, poetry; and of likeness: translation. Values by hand, or sacreBLEU's own. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import logicRl from "../../rewards/logic-rl.ts";
import poetry from "../../rewards/poetry.ts";
import reasoningSteps from "../../rewards/reasoning-steps.ts";
import translation from "../../rewards/translation.ts";
import { BLEU_TOKENS, bleu } from "../../src/verify/bleu.ts";
import { chrf } from "../../src/verify/chrf.ts";
import { inputOf, score } from "./input.ts";

describe("reasoning-steps", () => {
  const rows: readonly [string, number, number][] = [
    // text, every line, first line
    ["", 0, 0],
    ["1. a\n2. b\n3. c", 1, 1 / 3],
    ["Step 1: a Step 2: b", 2 / 3, 2 / 3],
    ["First, a. Second, b. Next, c. Finally, d.", 1, 1],
    ["List:\n- a\n* b", 2 / 3, 2 / 3],
    ["- a", 0, 0],
    ["first, a 1.5 is", 0, 0],
    ["Step one: 2.5", 0, 0],
  ];
  it.each(rows)("%j: %f, as Open-R1 compiles it %f", (text, every, first) => {
    expect(score(reasoningSteps, inputOf(text))).toBeCloseTo(every, 12);
    expect(score(reasoningSteps, inputOf(text), { numbered: "first-line" })).toBeCloseTo(first, 12);
  });

  it("a prefill can hold the first mark, and the target is a parameter", () => {
    expect(score(reasoningSteps, inputOf(" a", { prefill: "Step 1:" }), { target: 1 })).toBe(1);
  });
});

describe("logic-rl", () => {
  const fields = { names: ["Zoey", "Oliver"], solution: [true, false] };
  const of = (text: string, params = {}) => score(logicRl, inputOf(text, { fields }), params);
  const answer = (text: string) => `<think>hm</think> <answer>${text}</answer>`;
  const RIGHT = "(1) Zoey is a knight\n(2) Oliver is a knave";

  it("3 right, -0.5 wrong, -1 unreadable, -3 in a bad format, with its parts", () => {
    expect(of(answer(RIGHT))).toEqual({ score: 3, parts: { format: 1, answer: 2 } });
    expect(of(answer("Zoey is a knave, Oliver is a knave"))).toEqual({
      score: -0.5,
      parts: { format: 1, answer: -1.5 },
    });
    expect(of(answer("Zoey is a knight"))).toEqual({ score: -1, parts: { format: 1, answer: -2 } });
    expect(of(`<answer>${RIGHT}</answer>`)).toEqual({ score: -3, parts: { format: -1, answer: -2 } });
  });

  it.each([
    `</think><think>hm <answer>${RIGHT}</answer>`,
    `<think>hm</think> <answer>${RIGHT}</answer> <answer>${RIGHT}</answer>`,
    `<think><think>hm</think> <answer>${RIGHT}</answer>`,
    `<answer>${RIGHT}</answer><think>hm</think>`,
    `<think>hm <answer>${RIGHT}</answer></think>`,
  ])("tags out of order or twice: -3 (%j)", (text) => expect(of(text)).toMatchObject({ score: -3 }));

  it("text outside the tags is the source's leave, and refused by style r1", () => {
    const text = `Well. ${answer(RIGHT)} Yes.`;
    expect([of(text), of(text, { style: "r1" })]).toMatchObject([{ score: 3 }, { score: -3 }]);
  });

  it("an answer that explains itself is right; the source's count of words fails it", () => {
    const text = answer("Since a knight never lies, Zoey is a knight and Oliver is a knave");
    expect([of(text), of(text, { countWords: true })]).toMatchObject([{ score: 3 }, { score: -1 }]);
    expect(of(answer(RIGHT), { countWords: true })).toMatchObject({ score: 3 });
  });

  it("a prefilled <think> belongs to the format", () => {
    const input = inputOf(`hm</think> <answer>${RIGHT}</answer>`, { fields, prefill: "<think>" });
    expect(score(logicRl, input)).toMatchObject({ score: 3 });
  });

  it("a row without people abstains", () => {
    expect(score(logicRl, inputOf(answer(RIGHT)))).toBeNull();
  });
});

describe("poetry", () => {
  const prompt = "Shall I compare thee to a day\nThou art more lovely, so they say";
  const stanza = (words: string) => [1, 2, 3, 4].map((line) => `The ${words} ${line} walks along the road`).join("\n");
  const of = (text: string, overrides = {}, params = {}) =>
    score(poetry, inputOf(text, { fields: { question: prompt }, ...overrides }), params);
  const partsOf = (text: string, overrides = {}) => (of(text, overrides) as { parts: Record<string, number> }).parts;

  it("lines as long as the prompt's, with capitals, are verse", () => {
    // The prompt's lines have 29 and 33 characters, mean 31: from 21.7 to 40.3 is within 30 %.
    const line = (length: number) => `A${"b".repeat(length - 1)}`;
    expect([21, 22, 40, 41].map((length) => partsOf(line(length))["verse"])).toEqual([0, 1, 1, 0]);
    const lines = (small: number) =>
      Array.from({ length: 5 }, (_, i) => (i < small ? line(30).toLowerCase() : line(30))).join("\n");
    expect([0, 1, 2].map((small) => partsOf(lines(small))["verse"])).toEqual([1, 1, 0]);
    expect(partsOf(`— "${line(28)}`)["verse"]).toBe(1);
    expect(partsOf("")["verse"]).toBe(0);
  });

  it("stanzas of four lines are quatrains; one that the limit cut is not held against them", () => {
    const [one, two] = [stanza("fox"), stanza("owl")];
    const three = one.split("\n").slice(0, 3).join("\n");
    expect(partsOf(one)["quatrain"]).toBe(1);
    expect(partsOf(`${one}\n\n${two}\n`)["quatrain"]).toBe(1);
    expect(partsOf(`${one}\n \n\n${two}`)["quatrain"]).toBe(1);
    expect(partsOf(`${one}\n${two}`)["quatrain"]).toBe(0);
    expect(partsOf(`${one}\n\n${three}`)["quatrain"]).toBe(0);
    expect(partsOf(`${one}\n\n${three}`, { finishReason: "length" })["quatrain"]).toBe(1);
    expect(partsOf(three, { finishReason: "length" })["quatrain"]).toBe(0);
    expect(partsOf("")["quatrain"]).toBe(0);
  });

  it("repetition is the share of distinct n-grams, and nothing to repeat earns nothing", () => {
    // a b c a b c a b c: 7 trigrams, 3 distinct.
    expect(partsOf("a b c a b c a b c")["repetition"]).toBeCloseTo(3 / 7, 12);
    expect(partsOf("a b")["repetition"]).toBe(0);
    expect(partsOf(`${stanza("fox")}\n\n${stanza("fox")}`)["repetition"]).toBeLessThan(0.6);
  });

  it("sums by the weights; a prompt without lines abstains; Chinese verse needs no capitals", () => {
    const text = "A line of verse that is quite long";
    expect(of(text)).toEqual({ score: 2, parts: { repetition: 1, verse: 1, quatrain: 0 } });
    expect(of(text, {}, { repetition: 0.5, verse: 3 })).toMatchObject({ score: 3.5 });
    expect(of(text, { fields: { question: " \n" } })).toBeNull();
    expect(partsOf("床前明月光\n疑是地上霜", { fields: { question: "白日依山尽\n黄河入海流" } })["verse"]).toBe(1);
  });
});

describe("translation", () => {
  const golden = JSON.parse(readFileSync(join(import.meta.dirname, "../golden/translation.json"), "utf8")) as {
    rows: ({ hypothesis: string; reference: string; chrf: number } & Record<(typeof BLEU_TOKENS)[number], number>)[];
  };

  it("chrF and BLEU are sacreBLEU's, under every tokenizer", () => {
    for (const row of golden.rows) {
      const what = JSON.stringify([row.hypothesis, row.reference]);
      expect(chrf(row.hypothesis, row.reference), what).toBeCloseTo(row.chrf, 12);
      for (const tokens of BLEU_TOKENS) {
        expect(bleu(row.hypothesis, row.reference, { tokens }), `${tokens} ${what}`).toBeCloseTo(row[tokens], 12);
      }
    }
    expect(golden.rows.length).toBeGreaterThan(120);
  });

  const of = (text: string, params = {}, answer: string | null = "The cat sat on the mat.") =>
    score(translation, inputOf(text, { answer }), params);

  it("scores the answer, not the thinking, and nothing where there is no answer", () => {
    expect(of("<think>The dog?</think> <answer>The cat sat on the mat.</answer>")).toBe(1);
    expect(of("<think>The dog?</think> The cat sat on the mat.")).toBe(1);
    expect(of("<think>The cat sat on the mat.")).toBe(0);
    expect(of("The cat sat on the mat.", { from: "answer-tag" })).toBe(0);
    expect(of("The cat sat on the mat. ".repeat(1000))).toBe(0);
    expect(of("x", {}, null)).toBeNull();
  });

  it("repeating the reference lowers the score", () => {
    const [once, thrice] = [1, 3].map(
      (times) => of("The cat sat on the mat. ".repeat(times), { metric: "bleu" }) as number,
    );
    expect(once).toBeCloseTo(1, 12);
    expect(thrice).toBeLessThan(0.5);
  });
});
