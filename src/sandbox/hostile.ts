/** All hostile programs, and what a sandbox makes of them: what `grouper sandbox` and the tests run. */
import { conspiracies } from "./hostile/conspiracies.ts";
import { fooling } from "./hostile/fooling.ts";
import { javascript } from "./hostile/javascript.ts";
import { lasting } from "./hostile/lasting.ts";
import { type HostileProgram, SECRET } from "./hostile/program.ts";
import { reaching } from "./hostile/reaching.ts";
import { defaultLimits, type Sandbox } from "./sandbox.ts";
import { judgeProgram, type TestResult } from "./verdict.ts";

export interface HostileResult extends TestResult {
  readonly name: string;
  /** It got the verdict that it should, and the program after it runs as if it had never been. */
  readonly isHeld: boolean;
}

export const hostilePrograms: readonly HostileProgram[] = [
  ...lasting,
  ...fooling,
  ...conspiracies,
  ...reaching,
  ...javascript,
];

/**
 * Runs them in order: less than a second for what is meant to last, ten for the rest, so that a busy machine is no verdict.
 * Throws a SandboxError where the sandbox itself fails.
 */
export async function runHostile(
  sandbox: Sandbox,
  programs: readonly HostileProgram[] = hostilePrograms,
): Promise<HostileResult[]> {
  const results: HostileResult[] = [];
  for (const { name, test, expected, accomplice, ...program } of programs) {
    const limits = {
      ...defaultLimits,
      timeoutMs: expected.includes("timeout") ? 700 : 10_000,
      memoryBytes: 256 * 2 ** 20,
    };
    if (accomplice !== undefined) {
      const source = accomplice.replaceAll("SECRET", SECRET);
      await sandbox.run({ language: "python", source, input: SECRET, limits });
    }
    const { tests } = await judgeProgram(sandbox, program, [test], { limits });
    const result = tests[0]!;
    const harm = await harmTo(sandbox);
    const isHeld = expected.includes(result.verdict) && harm === "";
    results.push({ name, ...result, reason: harm === "" ? result.reason : `left behind: ${harm}`, isHeld });
  }
  return results;
}

/** What the next program in the same interpreter notices; empty when nothing. */
async function harmTo(sandbox: Sandbox): Promise<string> {
  const source = `import builtins, json, os\nprint(6 * 7, os.listdir("."), json.dumps([1, "x"]), hasattr(builtins, "left"))`;
  const { stdout, stderr } = await sandbox.run({ language: "python", source, input: "" });
  return stdout === '42 [] [1, "x"] False\n' ? "" : `${stdout}${stderr}`;
}
