/**
 * Thousands of programs over a file, some at a time, so that a crash costs only the programs that were running.
 *
 * Every result is appended to OUTPUT.partial at once; the end sorts them into OUTPUT, whole. A second call takes over what is there for rows
 * that did not change, under the same limits: the results are those of a call that was never interrupted, times apart. What the sandbox
 * failed at is tried three times, then written down as infrastructure, and tried again by the next call.
 */
import { createHash } from "node:crypto";
import { appendFile, readFile, rm, truncate } from "node:fs/promises";
import { messageOf, RecipeError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import { lastCodeBlock } from "../verify/code.ts";
import { afterThinking } from "../verify/extract.ts";
import { LANGUAGES, type Language, type Limits } from "./protocol.ts";
import { defaultLimits, openSandbox, type RunResult, type SandboxOptions } from "./sandbox.ts";
import { readTests, type Tests } from "./tests.ts";
import { judgeProgram, type TestResult } from "./verdict.ts";

/** `program` or `completion`, `language`, and tests as in tests.ts; without tests `input` is its standard input. */
export type BatchRow = Readonly<Record<string, unknown>>;

export type BatchResult =
  | {
      readonly status: "tested";
      readonly compiles: boolean;
      readonly passed: number;
      readonly tests: readonly TestResult[];
    }
  | ({ readonly status: "run" } & RunResult)
  /** The row holds no program, or tests that cannot be read. */
  | { readonly status: "unusable"; readonly error: string }
  | { readonly status: "infrastructure"; readonly error: string };

/** One line of the output; `row` counts from 0. */
export type BatchLine = { readonly row: number; readonly fingerprint: string } & BatchResult;

export interface BatchOptions extends SandboxOptions {
  readonly output: string;
  /** Wall time of all tests of one program. Default 60,000. */
  readonly totalMs?: number;
  /** Told after every row that was run, and once of those taken over. */
  readonly onProgress?: (numDone: number, numRows: number) => void;
}

export interface BatchSummary {
  readonly numRows: number;
  /** Taken over from an earlier call. */
  readonly numKept: number;
  readonly numByStatus: Readonly<Record<BatchResult["status"], number>>;
  readonly numTests: number;
  readonly numPassed: number;
  /** The first rows that could not be used, and why; five at most. */
  readonly unusable: readonly { readonly row: number; readonly error: string }[];
}

const NUM_TRIES = 3;
const MAX_SHOWN = 5;

/** Throws a RecipeError where the machine lacks what the sandbox needs. */
export async function runBatch(rows: readonly BatchRow[], options: BatchOptions): Promise<BatchSummary> {
  const { output, totalMs = 60_000, parallel = 2, limits = {}, onProgress } = options;
  const partial = `${output}.partial`;
  const allLimits = { ...defaultLimits, ...limits };
  const fingerprints = rows.map((row) => fingerprintOf(row, allLimits, totalMs));
  const lines = new Map<number, BatchLine>();
  for (const line of [...(await readLines(output)), ...(await readLines(partial))]) {
    if (line.status !== "infrastructure" && fingerprints[line.row] === line.fingerprint) lines.set(line.row, line);
  }
  const numKept = lines.size;
  const waiting = rows.map((_, row) => row).filter((row) => !lines.has(row));
  await using sandbox = openSandbox({ ...options, parallel });
  if (waiting.length > 0) await sandbox.check();
  onProgress?.(numKept, rows.length);

  const work = async () => {
    for (let row = waiting.shift(); row !== undefined; row = waiting.shift()) {
      const result = await runRow(rows[row]!, async (program, tests, input) =>
        tests === null
          ? { status: "run", ...(await sandbox.run({ ...program, input })) }
          : testedOf(
              await judgeProgram(sandbox, program, tests.cases, { limits: allLimits, totalMs, checker: tests.checker }),
            ),
      );
      const line: BatchLine = { row, fingerprint: fingerprints[row]!, ...result };
      lines.set(row, line);
      await appendFile(partial, `${JSON.stringify(line)}\n`).catch((error: unknown) => {
        throw new RecipeError(
          `Expected to write results to ${partial}, but: ${messageOf(error)}. Name another output.`,
          { cause: error },
        );
      });
      onProgress?.(lines.size, rows.length);
    }
  };
  await Promise.all(Array.from({ length: parallel }, work));

  const sorted = [...lines.values()].sort((a, b) => a.row - b.row);
  await writeFileAtomic(output, bytesOf(sorted));
  await rm(partial, { force: true });
  return summaryOf(sorted, numKept);
}

/** One line at a time: all of them may be more than a text can hold. */
async function* bytesOf(lines: readonly BatchLine[]): AsyncGenerator<Uint8Array> {
  for (const line of lines) yield Buffer.from(`${JSON.stringify(line)}\n`);
}

type Execute = (
  program: { readonly language: Language; readonly source: string },
  tests: Tests | null,
  input: string,
) => Promise<BatchResult>;

async function runRow(row: BatchRow, execute: Execute): Promise<BatchResult> {
  let tests: Tests | null;
  try {
    tests = readTests(row);
  } catch (error) {
    return { status: "unusable", error: messageOf(error) };
  }
  const language = LANGUAGES.find((known) => known === row["language"]) ?? tests?.language ?? "python";
  const { program, completion, input = "" } = row;
  const source =
    typeof program === "string"
      ? program
      : typeof completion === "string"
        ? lastCodeBlock(afterThinking(completion), language)
        : null;
  if (source === null) return { status: "unusable", error: missingProgram(row, language) };
  if (typeof input !== "string") return { status: "unusable", error: 'expected "input" to be text' };
  let failure = "";
  for (let tries = 0; tries < NUM_TRIES; tries++) {
    try {
      return await execute({ language, source }, tests, input);
    } catch (error) {
      if (error instanceof RecipeError) throw error;
      failure = messageOf(error);
    }
  }
  return { status: "infrastructure", error: failure };
}

function missingProgram({ completion }: BatchRow, language: Language): string {
  return typeof completion === "string"
    ? `the completion has no closed block of ${language} after its thinking`
    : 'expected "program" or "completion" to be text';
}

function testedOf({ compiles, tests }: Awaited<ReturnType<typeof judgeProgram>>): BatchResult {
  return { status: "tested", compiles, passed: tests.filter(({ verdict }) => verdict === "pass").length, tests };
}

/** Of all that decides a result, so that a changed row is run again. */
function fingerprintOf(row: BatchRow, limits: Limits, totalMs: number): string {
  return createHash("sha256")
    .update(JSON.stringify([row, limits, totalMs]))
    .digest("hex")
    .slice(0, 32);
}

/** What a crash cut is dropped, from the file too: the next line must not be glued to it. */
async function readLines(path: string): Promise<BatchLine[]> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw new RecipeError(
      `Expected a file for the results at ${path}, but: ${messageOf(error)}. Name another output.`,
      { cause: error },
    );
  });
  if (bytes === null) return [];
  const lines: BatchLine[] = [];
  let start = 0;
  for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, start)) {
    const line = lineOf(bytes.toString("utf8", start, end));
    if (line === null) throw foreign(path, lines.length + 1);
    lines.push(line);
    start = end + 1;
  }
  if (start < bytes.length) {
    const rest = bytes.toString("utf8", start);
    if (!rest.startsWith(LINE_START) && !LINE_START.startsWith(rest)) throw foreign(path, lines.length + 1);
    await truncate(path, start);
  }
  return lines;
}

/** How every line of ours begins: what else ends a file is somebody's text, and stays. */
const LINE_START = '{"row":';

function foreign(path: string, number: number): RecipeError {
  return new RecipeError(
    `Expected results of this command at ${path}:${number}, got another text. Name another output.`,
  );
}

function lineOf(text: string): BatchLine | null {
  try {
    const line = JSON.parse(text) as Partial<BatchLine> | null;
    const isLine =
      Number.isInteger(line?.row) && typeof line?.fingerprint === "string" && typeof line.status === "string";
    return isLine ? (line as BatchLine) : null;
  } catch {
    return null;
  }
}

function summaryOf(lines: readonly BatchLine[], numKept: number): BatchSummary {
  const numByStatus = { tested: 0, run: 0, unusable: 0, infrastructure: 0 };
  let [numTests, numPassed] = [0, 0];
  for (const line of lines) {
    numByStatus[line.status]++;
    if (line.status !== "tested") continue;
    numTests += line.tests.length;
    numPassed += line.passed;
  }
  const unusable = lines.flatMap((line) => (line.status === "unusable" ? [{ row: line.row, error: line.error }] : []));
  return { numRows: lines.length, numKept, numByStatus, numTests, numPassed, unusable: unusable.slice(0, MAX_SHOWN) };
}
