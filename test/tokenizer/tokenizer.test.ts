import { existsSync, readFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecipeError } from "../../src/errors.ts";
import { characterTokenizer, characterTokenizerFiles } from "../../src/tokenizer/characters.ts";
import { loadTokenizer, tokenizerOf } from "../../src/tokenizer/load.ts";
import type { ChatMessage } from "../../src/tokenizer/tokenizer.ts";

const shared = resolve(import.meta.dirname, "../../../shared/data/tokenizers");

/** Made by test/golden/make_chat.py. */
const chats: {
  readonly cases: readonly {
    readonly tokenizer: string;
    readonly messages: readonly ChatMessage[];
    readonly options: { readonly add_generation_prompt?: boolean; readonly [name: string]: unknown };
    readonly text: string;
  }[];
} = JSON.parse(readFileSync(resolve(import.meta.dirname, "../golden/chat.json"), "utf8"));

describe("Hugging Face tokenizers", () => {
  for (const name of ["qwen2.5", "gpt2"]) {
    const dir = join(shared, name);
    const has = existsSync(dir);
    if (!has) console.warn(`skipped: golden encodings of ${name}, because ${dir} is absent`);
    it.skipIf(!has)(
      `${name}: 130 golden encodings of the Rust tokenizers, and back${has ? "" : " (skipped: data absent)"}`,
      async () => {
        const tokenizer = await loadTokenizer(dir);
        const rows = readFileSync(join(dir, "golden.jsonl"), "utf8")
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line));
        expect(rows.length).toBe(130);
        for (const { text, ids } of rows) {
          expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(ids);
          // Qwen normalises to NFC before it encodes; a lone surrogate has no bytes.
          const normal = name === "gpt2" ? text : text.normalize("NFC");
          expect(tokenizer.decode(ids, { skipSpecialTokens: false })).toBe(normal.toWellFormed());
        }
      },
    );
  }

  for (const name of ["qwen2.5", "qwen3"]) {
    const dir = join(shared, name);
    const has = existsSync(dir);
    if (!has) console.warn(`skipped: chat templates of ${name}, because ${dir} is absent`);
    it.skipIf(!has)(`${name}: chats as transformers renders them${has ? "" : " (skipped: data absent)"}`, () => {
      const config = readFileSync(join(dir, "tokenizer_config.json"), "utf8");
      const { eos_token: eos } = JSON.parse(config);
      // Rendering needs the template alone: any vocabulary does.
      const files = characterTokenizerFiles({ characters: "a", specialTokens: [eos] });
      const tokenizer = tokenizerOf({ ...files, "tokenizer_config.json": config }, dir);
      const mine = chats.cases.filter((chat) => chat.tokenizer === name);
      expect(mine.length).toBe(6);
      for (const { messages, options, text } of mine) {
        const { add_generation_prompt: addGenerationPrompt = true, ...variables } = options;
        expect(tokenizer.applyChatTemplate(messages, { addGenerationPrompt, ...variables })).toBe(text);
      }
    });
  }

  const qwen = join(shared, "qwen2.5");
  it.skipIf(!existsSync(qwen))(
    "qwen2.5: ids beyond the vocabulary, which a padded embedding may sample, decode to nothing",
    async () => {
      const tokenizer = await loadTokenizer(qwen);
      expect(tokenizer.vocabSize).toBe(151_665);
      expect(tokenizer.decode([9707, 151_935, 1879])).toBe("Hello world");
      expect(tokenizer.decode([])).toBe("");
      expect(tokenizer.decode([9707, tokenizer.eosTokenId])).toBe("Hello");
      expect(tokenizer.decode([9707, tokenizer.eosTokenId], { skipSpecialTokens: false })).toBe("Hello<|im_end|>");
    },
  );

  const character = characterTokenizerFiles({ characters: "ab" });

  it("every id of generation_config.json ends a text, the tokenizer's own first", () => {
    const generation = (ids: unknown) => ({
      ...character,
      "generation_config.json": JSON.stringify({ eos_token_id: ids }),
    });
    expect(tokenizerOf(generation([3, 0]), "here").eosTokenIds).toEqual([0, 3]);
    expect(tokenizerOf(generation(3), "here").eosTokenIds).toEqual([0, 3]);
    const config = { ...JSON.parse(character["tokenizer_config.json"]!), eos_token: null };
    const without = { ...generation([2]), "tokenizer_config.json": JSON.stringify(config) };
    expect(tokenizerOf(without, "here").eosTokenId).toBe(2);
  });

  it("chat_template.jinja goes before the config's template", () => {
    const config = { ...JSON.parse(character["tokenizer_config.json"]!), chat_template: "old" };
    const files = { ...character, "tokenizer_config.json": JSON.stringify(config) };
    expect(tokenizerOf(files, "here").applyChatTemplate([])).toBe("old");
    expect(tokenizerOf({ ...files, "chat_template.jinja": "new{{ eos_token }}" }, "here").applyChatTemplate([])).toBe(
      "new<|endoftext|>",
    );
  });

  it("files that are no tokenizer get one sentence that names the file", () => {
    const json = JSON.parse(character["tokenizer.json"]!);
    const faults: [string, string, RegExp][] = [
      ["tokenizer.json", "{", /Expected JSON in here.tokenizer.json/],
      ["tokenizer.json", "{}", /here.tokenizer.json is not as Hugging Face writes it/],
      ["tokenizer.json", JSON.stringify({ ...json, model: { ...json.model, vocab: { a: "x" } } }), /got "x" for "a"/],
      [
        "tokenizer.json",
        JSON.stringify({ ...json, pre_tokenizer: { type: "Nope" } }),
        /tokenizer in here cannot be used/,
      ],
      ["tokenizer_config.json", '{"eos_token": "<end>"}', /to name an eos_token of the vocabulary/],
      ["chat_template.jinja", "{% if %}", /chat template in here cannot be parsed/],
      [
        "generation_config.json",
        '{"eos_token_id": "x"}',
        /here.generation_config.json is not as Hugging Face writes it/,
      ],
    ];
    for (const [name, text, message] of faults) {
      const open = () => tokenizerOf({ ...character, [name]: text }, "here");
      expect(open, `${name}: ${text}`).toThrow(message);
      expect(open).toThrow(RecipeError);
    }
    const refusing = tokenizerOf({ ...character, "chat_template.jinja": "{{ raise_exception('no system') }}" }, "here");
    expect(() => refusing.applyChatTemplate([])).toThrow(/chat template in here refuses these messages: no system/);
    expect(() => tokenizerOf(character, "here").applyChatTemplate([])).toThrow(
      /has no chat template. Use another template/,
    );
  });

  it("a text that has no tokens is refused, not given undefined ids", () => {
    const json = JSON.parse(character["tokenizer.json"]!);
    json.model = { type: "WordPiece", vocab: { a: 2, b: 3 }, unk_token: "<none>", continuing_subword_prefix: "##" };
    const tokenizer = tokenizerOf({ ...character, "tokenizer.json": JSON.stringify(json) }, "here");
    expect(tokenizer.encode("ab")).toEqual([2, 3]);
    expect(() => tokenizer.encode("axb")).toThrow(/The tokenizer in here has no token for "<none>" of "axb"/);
  });

  it("a folder without a tokenizer is refused with what to give", async () => {
    const dir = await mkdtemp(join(tmpdir(), "grouper-tokenizer-"));
    await expect(loadTokenizer(dir)).rejects.toThrow(
      /tokenizer.json is missing. Give the folder of a Hugging Face tokenizer/,
    );
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
