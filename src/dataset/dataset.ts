/**
 * The rows of a recipe's `data`: read, mapped, filtered, split. A row without its question or answer is a bad row: named by file and
 * line, counted, and past the limit the end of the run; never silently dropped.
 */
import { createHash } from "node:crypto";
import { RecipeError } from "../errors.ts";
import { permutation, seedFrom } from "../random.ts";
import type { DataSpec } from "../recipe/schema.ts";
import { taskRows } from "../tasks/tasks.ts";
import { afterHash, lastBoxed } from "../verify/extract.ts";
import { downloadSplit, type HubOptions } from "./hub.ts";
import { type ReadRow, type Row, readRows } from "./read.ts";

export interface DataRow {
  /** Hash of question and answer: stable over files and orders. */
  readonly id: string;
  readonly question: string;
  readonly answer: string | null;
  /** All columns of the row, the mapped ones included. */
  readonly fields: Row;
}

export interface Dataset {
  readonly rows: readonly DataRow[];
  /** SHA-256 over the rows in order. */
  readonly hash: string;
  /** One sentence per row that was left out. */
  readonly badRows: readonly string[];
}

/** Throws RecipeError when nothing can be read, or more rows are bad than `maxBadRows`. */
export async function openDataset(spec: DataSpec, hub: HubOptions = {}): Promise<Dataset> {
  const rows: DataRow[] = [];
  const badRows: string[] = [];
  for await (const read of sourceRows(spec, hub)) {
    if (!("fault" in read) && !matches(read.row, spec.where)) continue;
    const mapped = "fault" in read ? read.fault : mapRow(read.row, spec);
    if (typeof mapped !== "string") {
      rows.push(mapped);
      continue;
    }
    badRows.push(`${read.where}: ${mapped}`);
    if (badRows.length > spec.maxBadRows) {
      throw new RecipeError(
        `Expected at most ${spec.maxBadRows} bad rows, but this is number ${badRows.length}: ${badRows.at(-1)}. Mend the row, or raise data.maxBadRows to leave such rows out.`,
      );
    }
  }
  if (rows.length === 0)
    throw new RecipeError(
      `Expected rows from ${describeSource(spec)}, but there are none${spec.where === undefined || Object.keys(spec.where).length === 0 ? "" : " that match `where`"}.`,
    );
  const chosen = (spec.holdout === undefined ? rows : partOf(rows, spec.holdout)).slice(0, spec.limit);
  const hash = createHash("sha256");
  for (const { id, fields } of chosen) hash.update(`${id} ${JSON.stringify(fields)}\n`);
  return { rows: chosen, hash: hash.digest("hex"), badRows };
}

async function* sourceRows(spec: DataSpec, hub: HubOptions): AsyncGenerator<ReadRow> {
  switch (spec.type) {
    case "task":
      for (const { question, answer, fields } of taskRows(spec))
        yield { where: spec.task, row: { ...fields, question, answer } };
      return;
    case "file":
      for (const path of [spec.path].flat()) yield* readRows(path);
      return;
    case "hub":
      for (const path of await downloadSplit(spec, hub)) yield* readRows(path);
      return;
    default:
      throw new Error(`unknown data ${JSON.stringify(spec satisfies never)}`);
  }
}

function describeSource(spec: DataSpec): string {
  if (spec.type === "task") return `task ${spec.task}`;
  return spec.type === "hub" ? `dataset ${spec.dataset}` : [spec.path].flat().join(", ");
}

function matches(row: Row, where: DataSpec["where"]): boolean {
  return Object.entries(where).every(([column, value]) => cellOf(row, column) === value);
}

/** The row, or in words what is wrong with it. */
function mapRow(row: Row, { columns, answerFrom }: DataSpec): DataRow | string {
  const question = cellOf(row, columns.question);
  if (typeof question !== "string" || question.trim() === "") {
    return `expected text in column "${columns.question}", got ${shown(question, row)}`;
  }
  const cell = columns.answer === null ? null : cellOf(row, columns.answer);
  const answer = columns.answer === null ? null : answerOf(cell, answerFrom);
  if (answer === undefined) {
    return `expected an answer (${answerFrom}) in column "${columns.answer}", got ${shown(cell, row)}`;
  }
  const id = createHash("sha256")
    .update(JSON.stringify([question, answer]))
    .digest("hex")
    .slice(0, 16);
  return { id, question, answer, fields: { ...row, question, ...(answer === null ? {} : { answer }) } };
}

/** A column by its name, or a value within one by its path: "reward_model.ground_truth", "prompt.0.content". */
export function cellOf(row: Row, column: string): unknown {
  if (Object.hasOwn(row, column)) return row[column];
  let value: unknown = row;
  for (const key of column.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[key];
  }
  return value;
}

function shown(cell: unknown, row: Row): string {
  if (cell === undefined) return `none (columns: ${Object.keys(row).join(", ")})`;
  return JSON.stringify(cell).slice(0, 80);
}

/** undefined: the cell holds no answer. Numbers and truth values count as their text. */
function answerOf(cell: unknown, from: DataSpec["answerFrom"]): string | undefined {
  if (typeof cell === "number" || typeof cell === "boolean") return String(cell);
  if (typeof cell !== "string") return undefined;
  const answer = from === "gsm8k" ? afterHash(cell) : from === "boxed" ? lastBoxed(cell) : cell.trim();
  return answer === null || answer === "" ? undefined : answer;
}

/** Two parts that never share a row, nor one of two equal rows: the same shuffle, cut at the same place. */
function partOf(rows: readonly DataRow[], { part, count, seed }: NonNullable<DataSpec["holdout"]>): DataRow[] {
  if (count >= rows.length) {
    throw new RecipeError(
      `Expected holdout.count below the ${rows.length} rows of the data, got ${count}. Nothing would be left to train on.`,
    );
  }
  const order = permutation(rows.length, seedFrom(seed, "holdout"));
  const heldOut = new Set(Array.from(order.subarray(0, count), (index) => rows[index]!.id));
  return rows.filter(({ id }) => heldOut.has(id) === (part === "eval"));
}
