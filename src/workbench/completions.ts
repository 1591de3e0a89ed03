/**
 * Saved completions out of files, or questions that nobody has answered yet.
 *
 * A row is {"completion": …, "prompt"?, "prefill"?, "answer"?, "numTokens"?, "finishReason"?, …}; other columns are the fields that
 * rewards may read. Without a prompt, a `question` or `problem` is one. Consecutive rows with the same `group`, or else the same prompt, are
 * scored as one group. Rows of datasets have no completion: then none may have one.
 */
import { readRows } from "../dataset/read.ts";
import { RecipeError } from "../errors.ts";
import type { CompletionGroup } from "../reward/units.ts";
import type { FinishReason } from "../types.ts";

/** One row of a file, read. */
export interface SavedRow {
  /** File and line. */
  readonly where: string;
  readonly groupKey: string;
  readonly group: Omit<CompletionGroup, "completions" | "maxTokens">;
  /** null for a question without a completion. */
  readonly text: string | null;
  /** undefined where the row does not say. */
  readonly numTokens: number | undefined;
  readonly finishReason: FinishReason;
}

/** A row that has a completion. */
export type SavedCompletion = SavedRow & { readonly text: string };

/** True of a row that has a completion. */
export function isCompletion(row: SavedRow): row is SavedCompletion {
  return row.text !== null;
}

/** Rows of a file are read and scored so many at a time: memory does not grow with the file. */
const ROWS_AT_ONCE = 1024;

/**
 * At most `limit` rows, in order. Throws RecipeError for a file that is not there, or a row that is none, by file and line; so is a row without
 * a completion after one that has it, and the other way round.
 */
export async function* savedRows(files: readonly string[], limit: number): AsyncGenerator<SavedRow> {
  let first: SavedRow | undefined;
  let numRows = 0;
  for (const file of files) {
    for await (const read of readRows(file)) {
      if (numRows >= limit) return;
      if ("fault" in read) throw new RecipeError(`${read.where}: ${read.fault}.`);
      numRows++;
      const row = savedRow(read.row, read.where);
      first ??= row;
      if (isCompletion(row) !== isCompletion(first)) {
        const [expected, has] = isCompletion(first)
          ? ['expected "completion" to be text, got nothing', "has one"]
          : ['expected no "completion", got one', "has none"];
        throw new RecipeError(`${row.where}: ${expected}; ${first.where} ${has}.`);
      }
      yield row;
    }
  }
}

/** All of them at once. Throws RecipeError as savedRows does, and where there is no row. */
export async function readSavedRows(files: readonly string[], limit: number): Promise<SavedRow[]> {
  const rows: SavedRow[] = [];
  for await (const row of savedRows(files, limit)) rows.push(row);
  if (rows.length > 0) return rows;
  throw new RecipeError(`Expected completions in ${files.join(", ") || "a file"}, got no rows.`);
}

/** The same of rows that must have completions. */
export async function readCompletions(files: readonly string[], limit: number): Promise<SavedCompletion[]> {
  return (await readSavedRows(files, limit)).map((row) => {
    if (isCompletion(row)) return row;
    throw new RecipeError(`${row.where}: expected "completion" to be text, got nothing.`);
  });
}

function savedRow(row: Readonly<Record<string, unknown>>, where: string): SavedRow {
  const {
    completion = null,
    prompt = row["question"] ?? row["problem"] ?? "",
    prefill = "",
    answer = null,
    numTokens = numTokensOf(row["tokenIds"]),
    finishReason = "stop",
    group,
    ...fields
  } = row;
  if (completion !== null && typeof completion !== "string")
    throw new RecipeError(`${where}: expected "completion" to be text, got ${JSON.stringify(completion)}.`);
  if (typeof prompt !== "string" || typeof prefill !== "string")
    throw new RecipeError(`${where}: expected "prompt" and "prefill" to be text.`);
  if (finishReason !== "stop" && finishReason !== "length")
    throw new RecipeError(`${where}: expected "finishReason" to be stop or length.`);
  if (numTokens !== undefined && (!Number.isInteger(numTokens) || Number(numTokens) < 0)) {
    throw new RecipeError(`${where}: expected "numTokens" to be a whole number, got ${JSON.stringify(numTokens)}.`);
  }
  const answerText = typeof answer === "number" ? String(answer) : answer;
  if (answerText !== null && typeof answerText !== "string")
    throw new RecipeError(`${where}: expected "answer" to be text, a number or null.`);
  return {
    where,
    groupKey: JSON.stringify(group ?? [prompt, answerText, fields]),
    group: { prompt, prefill, answer: answerText, fields },
    text: completion,
    numTokens: numTokens as number | undefined,
    finishReason,
  };
}

/** Rollout logs have the tokens themselves, as base64 of an Int32Array; others may have them as a list. */
function numTokensOf(tokenIds: unknown): number | undefined {
  if (Array.isArray(tokenIds)) return tokenIds.length;
  return typeof tokenIds === "string" ? Buffer.byteLength(tokenIds, "base64") / 4 : undefined;
}

/** Rows in batches to score together: a group is never cut in two, so a batch may be longer than asked. */
export async function* batchesOf(rows: AsyncIterable<SavedRow> | Iterable<SavedRow>): AsyncGenerator<SavedRow[]> {
  let batch: SavedRow[] = [];
  for await (const row of rows) {
    if (batch.length >= ROWS_AT_ONCE && batch.at(-1)!.groupKey !== row.groupKey) {
      yield batch;
      batch = [];
    }
    batch.push(row);
  }
  if (batch.length > 0) yield batch;
}

/** Neighbours with one key. */
export function groupRows<Row extends SavedRow>(rows: readonly Row[]): Row[][] {
  const groups: Row[][] = [];
  for (const row of rows) {
    const last = groups.at(-1);
    if (last !== undefined && last[0]!.groupKey === row.groupKey) last.push(row);
    else groups.push([row]);
  }
  return groups;
}

/** What rewards see of one group of rows; `count` counts the tokens of rows that do not say. */
export function completionGroupOf(
  rows: readonly SavedCompletion[],
  maxTokens: number,
  count: (text: string) => number,
): CompletionGroup {
  const completions = rows.map(({ text, numTokens, finishReason }) => ({
    text,
    numTokens: numTokens ?? count(text),
    finishReason,
  }));
  return { ...rows[0]!.group, maxTokens, completions };
}

/** A token is taken to be 4 characters. */
export function estimateTokens(text: string): number {
  return Math.ceil(text.length / 4);
}
