/**
 * From runs to verdicts. A test is passed when the program ended by itself with exit code 0 and what it said is what was expected; so an
 * exit code alone proves nothing, and a program that crashes after the right output has not passed.
 *
 *   pass, fail            it ended, and said the right or another thing, or too much
 *   timeout, memory       it was ended at its limit, or was refused the memory
 *   crash                 exception, signal, exit code, or an end before the value was there
 *
 * The sixth case, infrastructure, is SandboxError: it is thrown, because it must never become a score.
 */
import { isAccepted } from "./checker.ts";
import { type Comparison, exactLines, sameText, sameValue } from "./compare.ts";
import { type Language, type Limits, MAX_OUTPUT_BYTES } from "./protocol.ts";
import { defaultLimits, type RunResult, type Sandbox } from "./sandbox.ts";
import type { TestCase } from "./tests.ts";

export type Verdict = "pass" | "fail" | "timeout" | "memory" | "crash";

export interface TestResult {
  readonly verdict: Verdict;
  /** One line for people: what it said, or how it ended. */
  readonly reason: string;
  readonly wallMs: number;
}

export interface ProgramResult {
  /** [tests] */
  readonly tests: readonly TestResult[];
  /** False where the program is not a program of its language. */
  readonly compiles: boolean;
}

export interface JudgeOptions {
  readonly limits?: Partial<Limits>;
  /** Wall time of all tests together; those that it does not reach are timeouts. Default 60,000. */
  readonly totalMs?: number;
  /** End at the first test that is not passed: the rest gets its verdict. Default false. */
  readonly stopAtFailure?: boolean;
  /** Of outputs; default: by lines. */
  readonly comparison?: Comparison;
  /** Judges outputs instead of a comparison (checker.ts). */
  readonly checker?: string | null;
}

/** Runs the tests one after the other. Throws a SandboxError, or a RecipeError where the machine lacks what the sandbox needs. */
export async function judgeProgram(
  sandbox: Sandbox,
  program: { readonly language: Language; readonly source: string },
  tests: readonly TestCase[],
  options: JudgeOptions = {},
): Promise<ProgramResult> {
  const { limits = {}, totalMs = 60_000, stopAtFailure = false } = options;
  const results: TestResult[] = [];
  let leftMs = totalMs;
  for (const test of tests) {
    const rest = (verdict: Verdict, reason: string): TestResult[] =>
      tests.slice(results.length).map(() => ({ verdict, reason, wallMs: 0 }));
    if (leftMs < 1) return { tests: [...results, ...rest("timeout", "no time was left")], compiles: true };
    const timeoutMs = Math.min(limits.timeoutMs ?? 10_000, leftMs);
    const { input } = test;
    const call = test.kind === "function" ? test.function : null;
    const outputBytes = Math.max(limits.outputBytes ?? defaultLimits.outputBytes, roomFor(test));
    const run = await sandbox.run({ ...program, function: call, input, limits: { ...limits, timeoutMs, outputBytes } });
    // Not the clock's time: what the sandbox took to get ready is not the program's.
    leftMs -= run.wallMs;
    if (!compiles(run, program.language)) {
      return { tests: [...results, ...rest("crash", lastLine(run.stderr))], compiles: false };
    }
    const ended = verdictOnEnd(run);
    const verdict = ended ?? ((await isRight(sandbox, run, test, options)) ? PASS : verdictOnAnswer(run, test));
    const result = { ...verdict, wallMs: run.wallMs };
    results.push(result);
    if (stopAtFailure && result.verdict !== "pass") {
      return { tests: [...results, ...rest(result.verdict, "not run")], compiles: true };
    }
  }
  return { tests: results, compiles: true };
}

/** Twice the longest output that is right, as a program says it: a value of one digit is spelled in twenty bytes. */
function roomFor({ kind, outputs }: TestCase): number {
  const lengths = outputs.map((output) =>
    kind === "stdin"
      ? 3 * String(output).length
      : 20 * JSON.stringify(output, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)).length,
  );
  return Math.min(MAX_OUTPUT_BYTES, 2 * Math.max(...lengths));
}

type VerdictWithReason = Omit<TestResult, "wallMs">;

const PASS: VerdictWithReason = { verdict: "pass", reason: "" };

/** null where it ended by itself with exit code 0, so that what it said decides. */
function verdictOnEnd({ ended, exit, signal, stderr, error }: RunResult): VerdictWithReason | null {
  if (ended === "timeout" || ended === "memory") return { verdict: ended, reason: `ended at its ${ended} limit` };
  if (ended === "output") return { verdict: "fail", reason: "said too much" };
  if (ended === "broke") return { verdict: "crash", reason: `ended its interpreter: ${error}` };
  if (exit === 0) return null;
  // Whoever writes such a line lies about how it failed, not about whether.
  if (/(^|\n)MemoryError\b|JavaScript heap out of memory/.test(stderr)) {
    return { verdict: "memory", reason: "was refused memory" };
  }
  return { verdict: "crash", reason: signal === undefined ? `exit ${exit}: ${lastLine(stderr)}` : `signal ${signal}` };
}

async function isRight(
  sandbox: Sandbox,
  { stdout, result }: RunResult,
  test: TestCase,
  { comparison = exactLines, checker = null }: JudgeOptions,
): Promise<boolean> {
  if (test.kind === "function") return test.outputs.some((output) => isExpected(output, result));
  if (checker !== null) return await isAccepted(sandbox, checker, test, stdout);
  return test.outputs.some((output) => sameText(output, stdout, comparison));
}

function verdictOnAnswer({ stdout, result }: RunResult, { kind }: TestCase): VerdictWithReason {
  if (kind === "stdin") return { verdict: "fail", reason: `said ${JSON.stringify(stdout.slice(0, 200))}` };
  if (result === "") return { verdict: "crash", reason: "ended before its value was there" };
  return { verdict: "fail", reason: `returned ${result.slice(0, 200)}` };
}

function isExpected(expected: Parameters<typeof sameValue>[0], result: string): boolean {
  try {
    return sameValue(expected, JSON.parse(result));
  } catch {
    // The program wrote to the descriptor itself.
    return false;
  }
}

/** Python says so from outside the program; node only in its message, where the stack names the loader. */
function compiles({ ended, exit, syntax, stderr }: RunResult, language: Language): boolean {
  if (language === "python") return syntax !== true;
  const isSyntax =
    /\nSyntaxError: [\s\S]*\n {4}at (?:wrapSafe|compileSourceTextModule|compileSource|new Script|Object\.runInThisContext)/;
  return !(ended === "left" && exit !== 0 && isSyntax.test(stderr));
}

/** What people want to read of a stack: the error itself, which Python says last, and node before the stack and its own version. */
function lastLine(text: string): string {
  const lines = text.trimEnd().split("\n");
  const error = lines.findLast((line) => /^(?:Uncaught )?[A-Za-z_.]*(?:Error|Exception)\b/.test(line));
  return (error ?? lines.at(-1) ?? "").slice(0, 200);
}
