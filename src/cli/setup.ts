/** `grouper setup`: five lines about what was done, or one error that holds the command to type. */
import { packageRoot } from "../paths.ts";
import { type SetupReport, setUp } from "../setup/setup.ts";

export interface RunSetupOptions {
  /** Print the report as JSON instead of five lines. */
  readonly json?: boolean;
  readonly env?: NodeJS.ProcessEnv;
  readonly print?: (text: string) => void;
}

/** The exit code; throws RecipeError where something is missing. */
export async function runSetup({
  json = false,
  env = process.env,
  print = printLine,
}: RunSetupOptions = {}): Promise<number> {
  const report: SetupReport = await setUp({ env, packageRoot, onProgress: reportProgress });
  if (json) print(JSON.stringify({ ...report, lines: undefined }));
  else for (const line of report.lines) print(line);
  return 0;
}

function reportProgress(text: string): void {
  process.stderr.write(`${text}\n`);
}

function printLine(text: string): void {
  process.stdout.write(`${text}\n`);
}
