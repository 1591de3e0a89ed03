/**
 * Replies of a judge on disk, one file each, under the hash of all that was asked. A run that is repeated pays nothing, and a file is
 * either whole or absent (writeFileAtomic). What cannot be read counts as absent.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { messageOf, RecipeError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";

const cachedReply = z.object({ key: z.string(), text: z.string() });

export interface ReplyCache {
  readonly folder: string;
  /** null where there is none. */
  read(key: string): Promise<string | null>;
  /** Throws RecipeError where nothing can be written: a reply that is paid for and lost would be paid for again. */
  write(key: string, text: string): Promise<void>;
  /** Safe where there is none. */
  remove(key: string): Promise<void>;
}

/** The key of a question: equal for equal values, whatever process asks. */
export function cacheKey(...asked: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(asked)).digest("hex");
}

/** A folder of replies; made on the first write. */
export function openCache(folder: string): ReplyCache {
  const pathOf = (key: string) => join(folder, key.slice(0, 2), `${key}.json`);
  return {
    folder,
    async read(key) {
      try {
        const { key: stored, text } = cachedReply.parse(JSON.parse(await readFile(pathOf(key), "utf8")));
        return stored === key ? text : null;
      } catch {
        // Absent, damaged or of another version: asked again and overwritten.
        return null;
      }
    },
    async write(key, text) {
      const path = pathOf(key);
      try {
        await mkdir(dirname(path), { recursive: true });
        await writeFileAtomic(path, `${JSON.stringify({ key, text })}\n`);
      } catch (cause) {
        throw unkept(folder, cause);
      }
    },
    async remove(key) {
      await rm(pathOf(key), { force: true });
    },
  };
}

/** What a cache that cannot be written says. */
export function unkept(folder: string, cause: unknown): RecipeError {
  return new RecipeError(
    `Expected to keep a judge's replies in its cache ${folder}, but: ${messageOf(cause)}. Make room, name another folder, or set cache: false.`,
    { cause },
  );
}
