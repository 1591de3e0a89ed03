import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { openDataset } from "../../src/dataset/dataset.ts";
import { promptsOf } from "../../src/dataset/prompts.ts";
import { data } from "../../src/recipe/schema.ts";
import { loadTokenizer } from "../../src/tokenizer/load.ts";
import { judgeCountdown } from "../../src/verify/countdown.ts";

const shared = resolve(import.meta.dirname, "../../../shared/data");
const has = existsSync(shared);
if (!has) console.warn(`skipped: real rows, because ${shared} is absent`);
const suffix = has ? "" : " (skipped: data absent)";

function file(name: string, more: object = {}) {
  return data.parse({ type: "file", path: join(shared, "train", name), ...more });
}

describe.skipIf(!has)(`real rows${suffix}`, () => {
  it("GSM8K: all 7,473 rows have a number for an answer", async () => {
    const { rows, badRows } = await openDataset(file("gsm8k_train.jsonl", { answerFrom: "gsm8k" }));
    expect([rows.length, badRows.length]).toEqual([7473, 0]);
    expect(rows[0]!.answer).toBe("72");
    expect(rows.filter(({ answer }) => !/^-?[\d,.]+$/.test(answer!))).toEqual([]);
  });

  it("GSM8K: prompts of the Qwen2.5 chat template are its text, token for token", async () => {
    const tokenizer = await loadTokenizer(join(shared, "tokenizers/qwen2.5"));
    const dataset = await openDataset(file("gsm8k_train.jsonl", { answerFrom: "gsm8k", limit: 200 }));
    const { prompts, tooLong } = promptsOf(dataset, "chat", tokenizer, 150);
    expect(tooLong.length).toBeGreaterThan(0);
    expect(prompts.length + tooLong.length).toBe(200);
    const [start] = tokenizer.encode("<|im_start|>");
    for (const { text, tokenIds, fields } of prompts) {
      expect(text).toBe(
        `<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n<|im_start|>user\n${fields["question"]}<|im_end|>\n<|im_start|>assistant\n`,
      );
      expect(tokenizer.decode(tokenIds, { skipSpecialTokens: false })).toBe(text.normalize("NFC"));
      expect(tokenIds.filter((id) => id === start).length).toBe(3);
    }
  });

  it("MATH, SVAMP and knights and knaves: columns by name, without a bad row", async () => {
    const math = await openDataset(
      file("math_train.jsonl", { columns: { question: "problem" }, where: { type: "Geometry" } }),
    );
    expect(math.rows.length).toBeGreaterThan(300);
    const svamp = await openDataset(file("svamp.jsonl"));
    expect([svamp.rows.length, svamp.rows[0]!.answer]).toEqual([1000, "145"]);
    const columns = { question: "quiz", answer: "solution_text" };
    const puzzles = await openDataset(file("knights_knaves_train.jsonl", { columns, where: { people: 3 } }));
    expect(puzzles.rows.every(({ fields }) => (fields["names"] as string[]).length === 3)).toBe(true);
  });

  it("Countdown has no question of its own: the columns fill the template", async () => {
    const columns = { question: "id", answer: null };
    const dataset = await openDataset(file("countdown_train.jsonl", { columns, limit: 3 }));
    const tokenizer = await loadTokenizer(join(shared, "tokenizers/gpt2"));
    const template = { type: "text", text: "Make {target} of {nums}.", prefill: "" } as const;
    expect(promptsOf(dataset, template, tokenizer).prompts[0]!.text).toBe("Make 98 of [44, 19, 35].");
    expect(judgeCountdown("44+19+35", [44, 19, 35], 98)).toBe("right");
  });
});
