/** `grouper sandbox`: is it sound on this machine; and, given files of programs, what each of them does. */
import { readRows } from "../dataset/read.ts";
import { RecipeError, UsageError } from "../errors.ts";
import { type BatchRow, type BatchSummary, runBatch } from "../sandbox/batch.ts";
import { type HostileResult, hostilePrograms, runHostile } from "../sandbox/hostile.ts";
import { ISOLATIONS, type Isolation } from "../sandbox/launch.ts";
import { openSandbox } from "../sandbox/sandbox.ts";
import type { Output } from "./reporters.ts";
import { counted } from "./table.ts";

export interface SandboxArguments {
  readonly files: readonly string[];
  readonly output: string | undefined;
  readonly isolation: string;
  readonly parallel: number;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  readonly json: boolean;
}

/** Exit code 0 when every hostile program is held, or the sandbox failed at no row and some could be used; else 1. */
export async function runSandbox(
  args: SandboxArguments,
  { write, isTty }: Output,
  print: (text: string) => void,
): Promise<number> {
  const isolation = ISOLATIONS.find((known) => known === args.isolation);
  if (isolation === undefined) {
    throw new UsageError(`Expected --isolation ${ISOLATIONS.join(" or ")}, got ${JSON.stringify(args.isolation)}.`);
  }
  if (args.files.length === 0) {
    if (isolation === "limits-only") {
      throw new UsageError(
        "Expected files of programs: without namespaces hostile programs would reach your own files and processes.",
      );
    }
    return await testSandbox(isolation, args.json, { write, isTty }, print);
  }
  if (args.output === undefined) throw new UsageError("Expected --output with the file for the results.");
  using _ = sayHowToGoOn(write);
  const { rows, places } = await rowsOf(args.files);
  const summary = await runBatch(rows, {
    output: args.output,
    isolation,
    parallel: args.parallel,
    limits: { timeoutMs: args.timeoutSeconds * 1000, memoryBytes: args.memoryMb * 2 ** 20 },
    onProgress: (numDone, numRows) => {
      if (isTty) write(`\r${numDone} of ${numRows} programs${numDone === numRows ? "\n" : ""}`);
    },
  });
  print(args.json ? `${JSON.stringify(summary)}\n` : describeBatch(summary, args.output, places));
  const { infrastructure, unusable } = summary.numByStatus;
  return infrastructure === 0 && unusable < summary.numRows ? 0 : 1;
}

/** Every result is kept at once, so a stop needs no more than a word, and the end of this process ends all programs. */
function sayHowToGoOn(write: (text: string) => void): Disposable {
  const stopWith = (code: number) => () => {
    write("\nStopped. What was run is kept; the same command goes on.\n");
    process.exit(code);
  };
  const [onInterrupt, onTerminate] = [stopWith(130), stopWith(143)];
  process.on("SIGINT", onInterrupt).on("SIGTERM", onTerminate);
  return { [Symbol.dispose]: () => void process.off("SIGINT", onInterrupt).off("SIGTERM", onTerminate) };
}

async function testSandbox(
  isolation: Isolation,
  json: boolean,
  { write, isTty }: Pick<Output, "write" | "isTty">,
  print: (text: string) => void,
): Promise<number> {
  await using sandbox = openSandbox({ isolation });
  await sandbox.check();
  const results: HostileResult[] = [];
  for (const program of hostilePrograms) {
    results.push(...(await runHostile(sandbox, [program])));
    if (isTty)
      write(
        `\r${results.length} of ${hostilePrograms.length} hostile programs${program === hostilePrograms.at(-1) ? "\n" : ""}`,
      );
  }
  const escaped = results.filter(({ isHeld }) => !isHeld);
  print(json ? `${JSON.stringify({ isolation, results })}\n` : describeTest(isolation, results, escaped));
  return escaped.length === 0 ? 0 : 1;
}

/** `places`: file and line of each. Throws RecipeError where there is no row, or one that cannot be read. */
async function rowsOf(files: readonly string[]): Promise<{ rows: BatchRow[]; places: string[] }> {
  const rows: BatchRow[] = [];
  const places: string[] = [];
  for (const file of files) {
    for await (const read of readRows(file)) {
      if ("fault" in read) throw new RecipeError(`${read.where}: ${read.fault}.`);
      rows.push(read.row);
      places.push(read.where);
    }
  }
  if (rows.length === 0)
    throw new RecipeError(`Expected rows with a program or a completion in ${files.join(", ")}, got none.`);
  return { rows, places };
}

function describeTest(
  isolation: Isolation,
  results: readonly HostileResult[],
  escaped: readonly HostileResult[],
): string {
  const lines = results.map(({ name, verdict, isHeld, reason }) =>
    `${isHeld ? "held    " : "NOT HELD"}  ${name.padEnd(40)} ${verdict.padEnd(8)} ${isHeld ? "" : reason}`.trimEnd(),
  );
  return `${[...lines, "", `${isolation}: ${results.length - escaped.length} of ${results.length} hostile programs are held.`].join("\n")}\n`;
}

function describeBatch(summary: BatchSummary, output: string, places: readonly string[]): string {
  const { numRows, numKept, numByStatus, numTests, numPassed, unusable } = summary;
  const kept = numKept === 0 ? "" : `, ${numKept} of them taken over from ${output}`;
  const lines = [`${counted(numRows, "row")}${kept}; ${numPassed} of ${numTests} tests passed`];
  if (numByStatus.unusable > 0) {
    lines.push(`${counted(numByStatus.unusable, "row")} without a program, or with tests that cannot be read:`);
    lines.push(...unusable.map(({ row, error }) => `  ${places[row]}: ${error}`));
  }
  if (numByStatus.infrastructure > 0) {
    lines.push(
      `${counted(numByStatus.infrastructure, "program")} that the sandbox failed at; the same command tries again`,
    );
  }
  return `${[...lines, `results: ${output}`].join("\n")}\n`;
}
