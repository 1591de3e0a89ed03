/**
 * A row's own judge, for problems of which many outputs are right: a Python program, called as
 *
 *   checker.py input.txt correct_output.txt solution_output.txt
 *
 * which says 1 when the solution's output is right, and 0 when it is not; Open-R1's Codeforces rows have such programs. It runs in the sandbox,
 * in a process of its own: the program that it judges has ended, and never sees it. A checker is trusted with its verdict: one that evaluates what
 * it reads can be talked into any.
 */
import { type Sandbox, SandboxError } from "./sandbox.ts";

const CALL = `
import json, sys
given = json.load(sys.stdin)
sys.argv = ["checker.py", "input.txt", "correct_output.txt", "solution_output.txt"]
for name in sys.argv[1:]:
    with open(name, "w", encoding="utf-8", errors="surrogatepass") as file: file.write(given[name])
exec(compile(given["checker.py"], "checker.py", "exec"), {"__name__": "__main__"})
`;

const TIMEOUT_MS = 10_000;

/**
 * What the checker says of `actual`. A checker that fails at an output, and takes the expected one, has rejected it.
 * Throws a SandboxError where the checker does not take the expected output either: such a row can judge nothing.
 */
export async function isAccepted(
  sandbox: Sandbox,
  checker: string,
  { input, outputs }: { readonly input: string; readonly outputs: readonly string[] },
  actual: string,
): Promise<boolean> {
  const expected = outputs[0] ?? "";
  const verdict = await ask(sandbox, checker, input, expected, actual);
  if (verdict !== "failed") return verdict === "right";
  const control = await ask(sandbox, checker, input, expected, expected);
  if (control === "right") return false;
  throw new SandboxError(`The row's checker does not take the expected output either: ${control}.`);
}

async function ask(
  sandbox: Sandbox,
  checker: string,
  input: string,
  expected: string,
  actual: string,
): Promise<"right" | "wrong" | "failed"> {
  const files = {
    "checker.py": checker,
    "input.txt": input,
    "correct_output.txt": expected,
    "solution_output.txt": actual,
  };
  const limits = { timeoutMs: TIMEOUT_MS };
  const run = await sandbox.run({ language: "python", source: CALL, input: JSON.stringify(files), limits });
  const said = run.ended === "left" && run.exit === 0 ? Number(run.stdout.trim() || Number.NaN) : Number.NaN;
  return said === 1 ? "right" : said === 0 ? "wrong" : "failed";
}
