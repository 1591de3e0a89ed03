/** Rows out of files: JSON Lines, gzipped JSON Lines, Parquet. A row that cannot be read is named by file and line. */
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createInterface } from "node:readline";
import { createGunzip } from "node:zlib";
import { parquetReadObjects } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { messageOf, RecipeError } from "../errors.ts";

export type Row = Readonly<Record<string, unknown>>;

/** A row with where it stands, e.g. "train.jsonl:17"; or why there is none. */
export type ReadRow = { readonly where: string; readonly row: Row } | { readonly where: string; readonly fault: string };

/** A line longer than this is not a row of a dataset. */
const MAX_LINE_CHARS = 64 * 1024 * 1024;

/** Throws RecipeError when the file is missing, of another kind, or damaged. */
export async function* readRows(path: string): AsyncGenerator<ReadRow> {
  const isFile = await stat(path).then((found) => found.isFile(), () => false);
  if (!isFile) throw new RecipeError(`Expected a data file at ${path}, but there is none.`);
  if (/\.(jsonl|json|ndjson)(\.gz)?$/.test(path)) yield* readJsonLines(path);
  else if (path.endsWith(".parquet")) yield* readParquet(path);
  else throw new RecipeError(`Expected a data file that ends in .jsonl, .jsonl.gz or .parquet, got ${path}.`);
}

async function* readJsonLines(path: string): AsyncGenerator<ReadRow> {
  const file = createReadStream(path);
  const input = path.endsWith(".gz") ? file.compose(createGunzip()) : file;
  let number = 0;
  try {
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      number++;
      if (line.trim() !== "") yield { where: `${path}:${number}`, ...parseLine(line) };
    }
  } catch (error) {
    throw new RecipeError(`Could not read ${path} past line ${number}: ${messageOf(error)}.`, { cause: error });
  } finally {
    file.destroy();
  }
}

function parseLine(line: string): { readonly row: Row } | { readonly fault: string } {
  if (line.length > MAX_LINE_CHARS) return { fault: `the line has ${line.length} characters` };
  try {
    const value: unknown = JSON.parse(line);
    return isRow(value) ? { row: value } : { fault: "expected a JSON object" };
  } catch (error) {
    return { fault: `not JSON (${messageOf(error)})` };
  }
}

function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function* readParquet(path: string): AsyncGenerator<ReadRow> {
  const bytes = await readFile(path);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  let rows: Record<string, unknown>[];
  try {
    rows = await parquetReadObjects({ file, compressors });
  } catch (error) {
    throw new RecipeError(`Could not read ${path} as Parquet: ${messageOf(error)}`, { cause: error });
  }
  for (const [i, row] of rows.entries()) yield { where: `${path} row ${i + 1}`, row: plain(row) as Row };
}

/** 64-bit integers as numbers where that is exact, else as decimal text: JSON has no BigInt. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]));
  }
  return value;
}
