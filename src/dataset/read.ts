/** Rows out of files: JSON Lines, JSON arrays, both also gzipped, and Parquet. A row that cannot be read is named by file and line. */
import { isUtf8 } from "node:buffer";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { messageOf, RecipeError } from "../errors.ts";

export type Row = Readonly<Record<string, unknown>>;

/** A row with where it stands, e.g. "train.jsonl:17"; or why there is none. */
export type ReadRow =
  | { readonly where: string; readonly row: Row }
  | { readonly where: string; readonly fault: string };

/** A longer line is no row of a dataset; a file that inflates to one must not fill the memory. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;
const MAX_JSON_FILE_BYTES = 512 * 1024 * 1024;

/** Throws RecipeError when the file is missing, of another kind, or damaged. */
export async function* readRows(path: string): AsyncGenerator<ReadRow> {
  await demandFile(path);
  if (/\.(jsonl|ndjson)(\.gz)?$/.test(path)) yield* readJsonLines(path);
  else if (/\.json(\.gz)?$/.test(path)) yield* readJson(path);
  else if (path.endsWith(".parquet")) yield* readParquet(path);
  else throw new RecipeError(`Expected a data file that ends in .jsonl, .json, .parquet or .jsonl.gz, got ${path}.`);
}

/** Throws RecipeError where no file is. */
export async function demandFile(path: string): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (found === null) throw new RecipeError(`Expected a data file at ${path}, but there is none.`);
  if (!found.isFile())
    throw new RecipeError(
      `Expected a data file at ${path}, but it is ${found.isDirectory() ? "a folder" : "no file"}.`,
    );
}

async function* readJsonLines(path: string): AsyncGenerator<ReadRow> {
  let number = 0;
  for await (const line of linesOf(path)) {
    number++;
    const where = `${path}:${number}`;
    const text = textOf(line);
    if (text === null) yield { where, fault: "not UTF-8; convert the file, e.g. with iconv -t UTF-8" };
    else if (text.trim() !== "") yield { where, ...parseRow(text) };
  }
}

/** A file that ends in .json is one array of rows, or JSON Lines by another name. */
async function* readJson(path: string): AsyncGenerator<ReadRow> {
  const first = await linesOf(path).next();
  const isArray = first.done !== true && (textOf(first.value)?.trimStart().startsWith("[") ?? false);
  if (!isArray) {
    yield* readJsonLines(path);
    return;
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of bytesOf(path)) {
    size += chunk.length;
    if (size > MAX_JSON_FILE_BYTES) {
      throw new RecipeError(
        `Expected ${path} to be at most ${MAX_JSON_FILE_BYTES} bytes of JSON. Convert it to JSON Lines.`,
      );
    }
    chunks.push(chunk);
  }
  let rows: unknown;
  try {
    rows = JSON.parse(
      Buffer.concat(chunks)
        .toString("utf8")
        .replace(/^\uFEFF/, ""),
    );
  } catch (error) {
    throw new RecipeError(`Could not read ${path} as JSON: ${messageOf(error)}.`, { cause: error });
  }
  if (!Array.isArray(rows)) throw new RecipeError(`Expected ${path} to hold an array of rows.`);
  for (const [i, row] of rows.entries()) {
    const where = `${path} row ${i + 1}`;
    yield isRow(row) ? { where, row } : { where, fault: "expected a JSON object" };
  }
}

/**
 * The lines of a file, without their ends. Only a line feed ends a line: `node:readline` also cuts at U+2028, which JSON allows
 * within a string.
 */
async function* linesOf(path: string): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let length = 0;
  let number = 1;
  for await (const chunk of bytesOf(path)) {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      yield Buffer.concat([...parts, chunk.subarray(start, end)]);
      number++;
      parts = [];
      length = 0;
      start = end + 1;
    }
    parts.push(chunk.subarray(start));
    length += chunk.length - start;
    if (length > MAX_LINE_BYTES) {
      throw new RecipeError(`Expected lines of at most ${MAX_LINE_BYTES} bytes, but ${path}:${number} is longer.`);
    }
  }
  if (length > 0) yield Buffer.concat(parts);
}

async function* bytesOf(path: string): AsyncGenerator<Buffer> {
  const file = createReadStream(path);
  const unzip = path.endsWith(".gz") ? createGunzip() : null;
  const bytes = unzip ?? file;
  // The callback takes the error a second time; without it a cut file would be an uncaught exception as well.
  if (unzip !== null) pipeline(file, unzip, () => undefined);
  try {
    yield* bytes;
  } catch (error) {
    throw new RecipeError(`Could not read ${path}: ${messageOf(error)}.`, { cause: error });
  } finally {
    bytes.destroy();
    file.destroy();
  }
}

/** null where the bytes are not UTF-8: a replacement character would be trained on. */
function textOf(line: Buffer): string | null {
  return isUtf8(line) ? line.toString("utf8").replace(/^\uFEFF/, "") : null;
}

function parseRow(line: string): { readonly row: Row } | { readonly fault: string } {
  try {
    const value: unknown = JSON.parse(line);
    return isRow(value) ? { row: value } : { fault: "expected a JSON object" };
  } catch (error) {
    return { fault: `not JSON (${messageOf(error).replaceAll(/\p{Cc}+/gu, " ")})` };
  }
}

function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function* readParquet(path: string): AsyncGenerator<ReadRow> {
  let rows: Record<string, unknown>[];
  try {
    rows = await parquetReadObjects({ file: await asyncBufferFromFile(path), compressors });
  } catch (error) {
    throw new RecipeError(`Could not read ${path} as Parquet: ${messageOf(error)}.`, { cause: error });
  }
  for (const [i, row] of rows.entries()) yield { where: `${path} row ${i + 1}`, row: plain(row) as Row };
}

/** JSON's types alone. 64-bit integers become numbers where that is exact, else decimal text. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>, plain);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]));
  }
  return value;
}
