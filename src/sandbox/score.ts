/** What the rewards of code share: where the program and its tests stand, and the limits that they run under. */
import { z } from "zod";
import { lastCodeBlock } from "../verify/code.ts";
import { afterThinking } from "../verify/extract.ts";
import { COMPARISONS } from "./compare.ts";
import { ISOLATIONS } from "./launch.ts";
import { LANGUAGES, type Language } from "./protocol.ts";
import { sharedSandbox } from "./shared.ts";
import { readTests } from "./tests.ts";
import { judgeProgram, type ProgramResult } from "./verdict.ts";

export const codeParams = z.object({
  language: z.enum(LANGUAGES).optional().describe("Default: what the row says, else python."),
  column: z
    .string()
    .optional()
    .describe("Where the tests stand; default: verification_info, test_cases, input_output, official_tests or tests."),
  timeoutSeconds: z.number().positive().max(3600).default(4).describe("Wall time of one test."),
  totalSeconds: z
    .number()
    .positive()
    .max(3600)
    .default(8)
    .describe(
      "Wall time of all tests of a completion; keep it below the rewards' deadlineSeconds, which ends the thread.",
    ),
  memoryMb: z.number().min(64).max(65_536).default(1024).describe("Memory of a program and its processes."),
  compare: z
    .enum(COMPARISONS)
    .default("lines")
    .describe("Of outputs: whole lines, words, or words of which numbers may differ by the tolerance."),
  tolerance: z.number().min(0).max(1).default(1e-6).describe("Of numbers: |a - b| <= tolerance max(1, |expected|)."),
  isolation: z
    .enum(ISOLATIONS)
    .default("bubblewrap")
    .describe(
      "limits-only: no wall around files; for machines without user namespaces, and for programs that one trusts.",
    ),
});
export type CodeParams = z.output<typeof codeParams>;

/** What a reward may know of a completion's program. */
export interface CodeInput {
  readonly response: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export type CodeResult =
  /** The row has no tests: nothing can be said. */
  | { readonly status: "untested" }
  /** No closed block of the language after the thinking. */
  | { readonly status: "no-code" }
  | ({ readonly status: "run" } & ProgramResult);

/** What a reward of code does before a run: its interpreter is started, and what the machine lacks is said. */
export async function prepareCode({ isolation }: Pick<CodeParams, "isolation">): Promise<void> {
  await sharedSandbox(isolation).check();
}

/** Throws where the tests cannot be read and where the sandbox fails: a reward that passes it on is a failed outcome and no number. */
export async function runCode(
  { response, fields }: CodeInput,
  { language, column, timeoutSeconds, totalSeconds, memoryMb, compare, tolerance, isolation }: CodeParams,
  { stopAtFailure = false }: { readonly stopAtFailure?: boolean } = {},
): Promise<CodeResult> {
  const tests = readTests(fields, column);
  if (tests === null) return { status: "untested" };
  const ofRow = LANGUAGES.find((known) => known === fields["language"]);
  const spoken: Language = language ?? tests.language ?? ofRow ?? "python";
  const source = lastCodeBlock(afterThinking(response), spoken);
  if (source === null || source.trim() === "") return { status: "no-code" };
  const result = await judgeProgram(sharedSandbox(isolation), { language: spoken, source }, tests.cases, {
    limits: { timeoutMs: timeoutSeconds * 1000, memoryBytes: memoryMb * 2 ** 20 },
    totalMs: totalSeconds * 1000,
    stopAtFailure,
    comparison: { by: compare, tolerance },
    checker: tests.checker,
  });
  return { status: "run", ...result };
}

/** Passed tests over all tests, 0 to 1. */
export function passedShare({ tests }: ProgramResult): number {
  return tests.filter(({ verdict }) => verdict === "pass").length / tests.length;
}
