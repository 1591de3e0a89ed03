import { existsSync, readFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { characterTokenizer } from "../../src/tokenizer/characters.ts";
import { loadTokenizer } from "../../src/tokenizer/load.ts";

const shared = resolve(import.meta.dirname, "../../../shared/data/tokenizers");

describe("Hugging Face tokenizers", () => {
  for (const name of ["qwen2.5", "gpt2"]) {
    const dir = join(shared, name);
    const has = existsSync(dir);
    if (!has) console.warn(`skipped: golden encodings of ${name}, because ${dir} is absent`);
    it.skipIf(!has)(`${name}: 130 golden encodings of the Rust tokenizers, and back${has ? "" : " (skipped: data absent)"}`, async () => {
      const tokenizer = await loadTokenizer(dir);
      const rows = readFileSync(join(dir, "golden.jsonl"), "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
      expect(rows.length).toBe(130);
      for (const { text, ids } of rows) {
        expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(ids);
        expect(tokenizer.encode(tokenizer.decode(ids, { skipSpecialTokens: false })), JSON.stringify(text)).toEqual(ids);
      }
    });
  }

  const qwen = join(shared, "qwen2.5");
  it.skipIf(!existsSync(qwen))("qwen2.5: its chat template opens the assistant's turn", async () => {
    const tokenizer = await loadTokenizer(qwen);
    const text = tokenizer.applyChatTemplate([
      { role: "system", content: "Be brief." },
      { role: "user", content: "1+1?" },
    ]);
    expect(text).toBe("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n1+1?<|im_end|>\n<|im_start|>assistant\n");
  });

  it("a folder without a tokenizer is refused with what to give", async () => {
    const dir = await mkdtemp(join(tmpdir(), "grouper-tokenizer-"));
    await expect(loadTokenizer(dir)).rejects.toThrow(/tokenizer.json is missing. Give the folder of a Hugging Face tokenizer/);
  });
});

describe("the character tokenizer", () => {
  const tokenizer = characterTokenizer({ characters: "0123456789+= \n山é", specialTokens: ["<think>", "</think>"] });

  it("has one token per character, and per special token", () => {
    expect(tokenizer.vocabSize).toBe(4 + 16);
    expect(tokenizer.encode("<think>1+1=2</think>").length).toBe(7);
    expect(tokenizer.encode("山é\n ").length).toBe(4);
  });

  it("decoding an encoding is the text", () => {
    const piece = fc.constantFrom(..."0123456789+= \n山é", "<think>", "</think>");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const text = pieces.join("");
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
        expect(tokenizer.encode(text).length).toBe(pieces.length);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("an unknown character is the unknown token, and the end token is skipped in text", () => {
    expect(tokenizer.encode("1x1")[1]).toBe(tokenizer.encode("<unk>")[0]);
    expect(tokenizer.decode([...tokenizer.encode("12"), tokenizer.eosTokenId])).toBe("12");
  });

  it("saved and loaded it is the same tokenizer", async () => {
    const dir = await mkdtemp(join(tmpdir(), "grouper-tokenizer-"));
    await tokenizer.save(dir);
    const loaded = await loadTokenizer(dir);
    expect(loaded.vocabSize).toBe(tokenizer.vocabSize);
    expect(loaded.eosTokenId).toBe(tokenizer.eosTokenId);
    expect(loaded.encode("<think>3+4=7</think> 山")).toEqual(tokenizer.encode("<think>3+4=7</think> 山"));
  });

  it("a special token given twice is refused", () => {
    expect(() => characterTokenizer({ characters: "ab", specialTokens: ["<x>", "<x>"] })).toThrow(/got "<x>" twice/);
  });
});
