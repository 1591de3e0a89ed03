/** The key of a server: out of a file, or out of an environment variable that the recipe names. It is written nowhere. */
import { readFileSync } from "node:fs";
import { messageOf, RecipeError } from "../errors.ts";

export interface KeySource {
  readonly apiKeyFile?: string | undefined;
  readonly apiKeyEnv?: string | undefined;
}

/** undefined where neither is named. Throws RecipeError for a source that holds no key. */
export function keyOf({ apiKeyFile, apiKeyEnv }: KeySource): string | undefined {
  if (apiKeyFile !== undefined && apiKeyEnv !== undefined) {
    throw new RecipeError("Expected apiKeyFile or apiKeyEnv, got both. Name one.");
  }
  if (apiKeyFile !== undefined) return oneWord(readKey(apiKeyFile), `the file ${apiKeyFile}`);
  if (apiKeyEnv !== undefined) return oneWord(process.env[apiKeyEnv] ?? "", `the environment variable ${apiKeyEnv}`);
  return undefined;
}

function readKey(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new RecipeError(`Expected apiKeyFile to name a readable file, got ${file}: ${messageOf(cause)}.`, { cause });
  }
}

function oneWord(text: string, where: string): string {
  const key = text.trim();
  if (key === "") throw new RecipeError(`Expected ${where} to hold a key, but it is empty.`);
  if (!/^[\x21-\x7e]+$/.test(key)) throw new RecipeError(`Expected ${where} to hold one key and nothing else.`);
  return key;
}
