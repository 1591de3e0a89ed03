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
const tokenText = z.union([z.string(), z.object({ content: z.string() }).transform(({ content }) => content)]).nullish();

const configSchema = z.looseObject({
  bos_token: tokenText,
  eos_token: tokenText,
  chat_template: z
    .union([z.string(), z.array(z.object({ name: z.string(), template: z.string() }))])
    .nullish()
    .transform((value) => (Array.isArray(value) ? value.find(({ name }) => name === "default")?.template : value)),
});

const tokenizerSchema = z.looseObject({
  model: z.looseObject({ vocab: z.union([z.record(z.string(), z.number()), z.array(z.unknown())]) }),
  added_tokens: z.array(z.looseObject({ id: z.int(), content: z.string(), special: z.boolean().optional() })).default([]),
});

/** The files of a tokenizer by name, as they are saved. */
export type TokenizerFiles = Readonly<Record<string, string>>;

const OPTIONAL_FILES = ["chat_template.jinja", "generation_config.json", "special_tokens_map.json", "added_tokens.json"];

/** Throws RecipeError naming the file and its fault. */
export async function loadTokenizer(dir: string): Promise<Tokenizer> {
  const files: Record<string, string> = {};
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
    files[name] = await readFile(join(dir, name), "utf8").catch(() => {
      throw new RecipeError(`Expected a tokenizer in ${dir}, but ${name} is missing. Give the folder of a Hugging Face tokenizer.`);
    });
  }
  for (const name of OPTIONAL_FILES) {
    const text = await readFile(join(dir, name), "utf8").catch(() => null);
    if (text !== null) files[name] = text;
  }
  return tokenizerOf(files, dir);
}

export function tokenizerOf(files: TokenizerFiles, where: string): Tokenizer {
  const json = parse(tokenizerSchema, files, "tokenizer.json", where);
  const config = parse(configSchema, files, "tokenizer_config.json", where);
  const generation = files["generation_config.json"];
  const hub = construct(json, config, where);
  const special = json.added_tokens.filter((token) => token.special === true);
  const vocabulary = json.model.vocab;
  const largest = (Array.isArray(vocabulary) ? vocabulary.length : maxOf(Object.values(vocabulary)) + 1) || 0;
  const vocabSize = Math.max(largest, ...json.added_tokens.map(({ id }) => id + 1));
  const idOf = (token: string | null | undefined) => (token == null ? undefined : hub.token_to_id(token));
  const eosTokenId = idOf(config.eos_token);
  if (eosTokenId === undefined) {
    throw new RecipeError(
      `Expected tokenizer_config.json in ${where} to name an eos_token of the vocabulary, got ${JSON.stringify(config.eos_token ?? null)}. Completions could never end.`,
    );
  }
  const bosToken = config.bos_token ?? null;
  const chatTemplate = files["chat_template.jinja"] ?? config.chat_template ?? null;
  const template = chatTemplate === null ? null : parseTemplate(chatTemplate, where);
  const others = generation === undefined ? [] : eosTokensOf(generation);
  return {
    vocabSize,
    eosTokenId,
    eosTokenIds: [...new Set([eosTokenId, ...others])].filter((id) => id < vocabSize),
    bosTokenId: idOf(bosToken) ?? null,
    specialTokens: special.map(({ content }) => content),
    encode: (text, { addSpecialTokens = false } = {}) => [
      ...hub.encode(text, { add_special_tokens: addSpecialTokens }).ids,
    ],
    decode(tokenIds, { skipSpecialTokens = true } = {}) {
      if (tokenIds.length === 0) return "";
      return hub.decode([...tokenIds], { skip_special_tokens: skipSpecialTokens, clean_up_tokenization_spaces: false });
    },
    applyChatTemplate: (messages, options = {}) =>
      renderChat(template, messages, options, { bos_token: bosToken ?? "", eos_token: config.eos_token ?? "" }, where),
    async save(dir) {
      for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text);
    },
  };
}

function parse<Schema extends z.ZodType>(schema: Schema, files: TokenizerFiles, name: string, where: string): z.output<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(files[name] ?? "");
  } catch (error) {
    throw new RecipeError(`Expected JSON in ${join(where, name)}, got something else: ${messageOf(error)}`, { cause: error });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new RecipeError(`${join(where, name)} is not a Hugging Face tokenizer file: ${z.prettifyError(parsed.error)}`);
}

function construct(json: object, config: object, where: string): HubTokenizer {
  try {
    return new HubTokenizer(json, config);
  } catch (error) {
    throw new RecipeError(`The tokenizer in ${where} cannot be used: ${messageOf(error)}`, { cause: error });
  }
}

function parseTemplate(text: string, where: string): Template {
  try {
    return new Template(text);
  } catch (error) {
    throw new RecipeError(`The chat template in ${where} cannot be parsed: ${messageOf(error)}`, { cause: error });
  }
}

function renderChat(
  template: Template | null,
  messages: readonly ChatMessage[],
  { addGenerationPrompt = true, ...variables }: ChatTemplateOptions,
  tokens: Readonly<Record<string, string>>,
  where: string,
): string {
  if (template === null) {
    throw new RecipeError(`The tokenizer in ${where} has no chat template. Use another template in the recipe, e.g. r1-zero, or a tokenizer that has one.`);
  }
  try {
    return template.render({ ...tokens, ...variables, messages: [...messages], add_generation_prompt: addGenerationPrompt });
  } catch (error) {
    throw new RecipeError(`The chat template in ${where} refuses these messages: ${messageOf(error)}`, { cause: error });
  }
}

function eosTokensOf(generationConfig: string): number[] {
  try {
    const schema = z.looseObject({ eos_token_id: z.union([z.int(), z.array(z.int())]).nullish() });
    const { eos_token_id: ids } = schema.parse(JSON.parse(generationConfig));
    return ids == null ? [] : [ids].flat();
  } catch (error) {
    throw new RecipeError(`generation_config.json cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

function maxOf(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b), -1);
}
