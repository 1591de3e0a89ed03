/**
 * Tokenizers in the Hugging Face format: tokenizer.json, tokenizer_config.json, and the chat template in the latter or in
 * chat_template.jinja. The files are kept as they were and written back byte for byte.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Template } from "@huggingface/jinja";
import { Tokenizer as HubTokenizer } from "@huggingface/tokenizers";
import { z } from "zod";
import { messageOf, RecipeError } from "../errors.ts";
import type { ChatMessage, ChatTemplateOptions, Tokenizer } from "./tokenizer.ts";

/** A token's text, written as a string or as an object. */
const tokenText = z
  .union([z.string(), z.object({ content: z.string() }).transform(({ content }) => content)])
  .nullish();

const configSchema = z.looseObject({
  bos_token: tokenText,
  eos_token: tokenText,
  unk_token: tokenText,
  pad_token: tokenText,
  chat_template: z
    .union([z.string(), z.array(z.object({ name: z.string(), template: z.string() }))])
    .nullish()
    .transform((value) => (Array.isArray(value) ? value.find(({ name }) => name === "default")?.template : value)),
});

const tokenizerSchema = z.looseObject({
  // The entries are checked by `sizeOf`: a schema over 150,000 of them would cost more than the tokenizer itself.
  model: z.looseObject({
    vocab: z.union([z.array(z.unknown()), z.custom<Readonly<Record<string, unknown>>>(isObject, "expected an object")]),
  }),
  added_tokens: z
    .array(z.looseObject({ id: z.int().nonnegative(), content: z.string(), special: z.boolean().optional() }))
    .default([]),
});

const generationSchema = z.looseObject({ eos_token_id: z.union([z.int(), z.array(z.int())]).nullish() });

/** The files of a tokenizer by name, as they are saved. */
export type TokenizerFiles = Readonly<Record<string, string>>;

const OPTIONAL_FILES = [
  "chat_template.jinja",
  "generation_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
];

/** Throws RecipeError naming the file and its fault. */
export async function loadTokenizer(dir: string): Promise<Tokenizer> {
  const files: Record<string, string> = {};
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
    files[name] = await readFile(join(dir, name), "utf8").catch(() => {
      throw new RecipeError(
        `Expected a tokenizer in ${dir}, but ${name} is missing. Give the folder of a Hugging Face tokenizer.`,
      );
    });
  }
  for (const name of OPTIONAL_FILES) {
    const text = await readFile(join(dir, name), "utf8").catch(() => null);
    if (text !== null) files[name] = text;
  }
  return tokenizerOf(files, dir);
}

/** A tokenizer from the texts of its files; `where` names their origin in errors. */
export function tokenizerOf(files: TokenizerFiles, where: string): Tokenizer {
  const json = parse(tokenizerSchema, files, "tokenizer.json", where);
  const config = parse(configSchema, files, "tokenizer_config.json", where);
  const hub = construct(json, config, where);
  const vocabSize = sizeOf(json.model.vocab, json.added_tokens, where);
  const idOf = (token: string | null | undefined) => (token == null ? undefined : hub.token_to_id(token));
  const eosTokenIds = eosTokensOf(idOf(config.eos_token), files, where);
  const template = chatTemplateOf(files, config.chat_template, where);
  const encode = (text: string, addSpecialTokens: boolean) => {
    const { ids, tokens } = hub.encode(text, { add_special_tokens: addSpecialTokens });
    const unknown = ids.findIndex((id: number | undefined) => id === undefined);
    if (unknown === -1) return ids;
    throw new RecipeError(
      `The tokenizer in ${where} has no token for ${JSON.stringify(tokens[unknown])} of ${JSON.stringify(text.slice(0, 80))}, and none for the unknown.`,
    );
  };
  return {
    vocabSize,
    eosTokenId: eosTokenIds[0]!,
    eosTokenIds,
    bosTokenId: idOf(config.bos_token) ?? null,
    specialTokens: json.added_tokens.filter(({ special }) => special === true).map(({ content }) => content),
    encode: (text, { addSpecialTokens = false } = {}) => [...encode(text, addSpecialTokens)],
    decode(tokenIds, { skipSpecialTokens = true } = {}) {
      // The library refuses the empty list.
      if (tokenIds.length === 0) return "";
      return hub.decode([...tokenIds], { skip_special_tokens: skipSpecialTokens, clean_up_tokenization_spaces: false });
    },
    applyChatTemplate: (messages, options = {}) => renderChat(template, messages, options, specialTexts(config), where),
    async save(dir) {
      for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
    },
  };
}

function parse<Schema extends z.ZodType>(
  schema: Schema,
  files: TokenizerFiles,
  name: string,
  where: string,
): z.output<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(files[name] ?? "");
  } catch (error) {
    throw new RecipeError(`Expected JSON in ${join(where, name)}, got something else: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new RecipeError(`${join(where, name)} is not as Hugging Face writes it: ${z.prettifyError(parsed.error)}`);
}

function construct(json: object, config: object, where: string): HubTokenizer {
  try {
    return new HubTokenizer(json, config);
  } catch (error) {
    throw new RecipeError(`The tokenizer in ${where} cannot be used: ${messageOf(error)}`, { cause: error });
  }
}

/** One more than the largest id. */
function sizeOf(
  vocab: readonly unknown[] | Readonly<Record<string, unknown>>,
  addedTokens: readonly { readonly id: number }[],
  where: string,
): number {
  let size = Array.isArray(vocab) ? vocab.length : 0;
  if (!Array.isArray(vocab)) {
    for (const [token, id] of Object.entries(vocab)) {
      if (typeof id !== "number" || !Number.isInteger(id) || id < 0) {
        throw new RecipeError(
          `Expected ids from 0 up in the vocabulary of ${join(where, "tokenizer.json")}, got ${JSON.stringify(id)} for ${JSON.stringify(token)}.`,
        );
      }
      if (id >= size) size = id + 1;
    }
  }
  for (const { id } of addedTokens) if (id >= size) size = id + 1;
  return size;
}

/** A file of its own goes before the config's entry, as it does in transformers. */
function chatTemplateOf(files: TokenizerFiles, fromConfig: string | null | undefined, where: string): Template | null {
  const text = files["chat_template.jinja"] ?? fromConfig ?? null;
  if (text === null) return null;
  try {
    return new Template(text);
  } catch (error) {
    throw new RecipeError(`The chat template in ${where} cannot be parsed: ${messageOf(error)}`, { cause: error });
  }
}

/** What templates write for special tokens. */
function specialTexts(config: z.output<typeof configSchema>): Readonly<Record<string, string>> {
  const names = ["bos_token", "eos_token", "unk_token", "pad_token"] as const;
  return Object.fromEntries(names.map((name) => [name, config[name] ?? ""]));
}

function renderChat(
  template: Template | null,
  messages: readonly ChatMessage[],
  { addGenerationPrompt = true, ...variables }: ChatTemplateOptions,
  tokens: Readonly<Record<string, string>>,
  where: string,
): string {
  if (template === null) {
    throw new RecipeError(
      `The tokenizer in ${where} has no chat template. Use another template in the recipe, e.g. r1-zero, or a tokenizer that has one.`,
    );
  }
  try {
    return template.render({
      ...tokens,
      ...variables,
      messages: [...messages],
      add_generation_prompt: addGenerationPrompt,
    });
  } catch (error) {
    throw new RecipeError(`The chat template in ${where} refuses these messages: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** The config's own token first, then those of generation_config.json. */
function eosTokensOf(own: number | undefined, files: TokenizerFiles, where: string): number[] {
  const generation =
    files["generation_config.json"] === undefined
      ? {}
      : parse(generationSchema, files, "generation_config.json", where);
  const ids = [...new Set([own ?? [], generation.eos_token_id ?? []].flat())];
  if (ids.length > 0) return ids;
  throw new RecipeError(
    `Expected tokenizer_config.json in ${where} to name an eos_token of the vocabulary, got none. Completions could never end.`,
  );
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
