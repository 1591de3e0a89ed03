/**
 * A tokenizer with one token per character, for tiny models: written in the same tokenizer.json format as any other, so that every
 * tool that reads Hugging Face folders reads its models.
 *
 * As BPE without merges every character of the vocabulary is its own token; special tokens are added tokens, matched first.
 */
import { RecipeError } from "../errors.ts";
import { type TokenizerFiles, tokenizerOf } from "./load.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface CharacterTokenizerOptions {
  /** One token for each of these characters (Unicode code points); repeated ones count once. */
  readonly characters: string;
  /** Strings that are one token each, e.g. "<think>". */
  readonly specialTokens?: readonly string[];
}

/** Stands for any character that is not in the vocabulary; it never comes out of a decode. */
const UNKNOWN = "<unk>";
const END = "<|endoftext|>";

export function characterTokenizer(options: CharacterTokenizerOptions): Tokenizer {
  return tokenizerOf(characterTokenizerFiles(options), "the recipe");
}

/** Its tokenizer.json and tokenizer_config.json. */
export function characterTokenizerFiles({ characters, specialTokens = [] }: CharacterTokenizerOptions): TokenizerFiles {
  const distinct = [...new Set(characters)];
  const special = [END, UNKNOWN, ...specialTokens];
  const repeated = special.find((token, i) => special.indexOf(token) !== i || distinct.includes(token));
  if (repeated !== undefined) {
    throw new RecipeError(
      `Expected special tokens that are all different and no single characters of the vocabulary, got ${JSON.stringify(repeated)} twice. Remove one.`,
    );
  }
  // Special tokens come first, so that adding characters later would not move them.
  const vocab = Object.fromEntries([...special, ...distinct].map((token, id) => [token, id]));
  const tokenizer = {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: special.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: content === END || content === UNKNOWN,
    })),
    normalizer: null,
    pre_tokenizer: { type: "Split", pattern: { Regex: "[\\s\\S]" }, behavior: "Isolated", invert: false },
    post_processor: null,
    decoder: { type: "Fuse" },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: UNKNOWN,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab,
      merges: [],
    },
  };
  const config = {
    tokenizer_class: "PreTrainedTokenizerFast",
    eos_token: END,
    pad_token: END,
    unk_token: UNKNOWN,
    bos_token: null,
    clean_up_tokenization_spaces: false,
    model_max_length: 1_000_000,
  };
  return {
    "tokenizer.json": `${JSON.stringify(tokenizer)}\n`,
    "tokenizer_config.json": `${JSON.stringify(config, null, 2)}\n`,
  };
}
