/** `grouper import`: another trainer's config as a recipe, with what was assumed and what has no equal. */
import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { messageOf, RecipeError, UsageError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import { type Imported, importRecipe } from "../import/import.ts";
import { type Trainer, trainers } from "../import/read.ts";
import { sentenceOf } from "../import/write.ts";

export interface ImportArguments {
  readonly file: string;
  readonly from: string | undefined;
  readonly output: string | undefined;
  readonly set: readonly string[];
  readonly numProcesses: number | undefined;
  readonly rows: number | undefined;
  readonly json: boolean;
}

/** The recipe goes to `output`, or is printed; the report goes to `note`, or with an output is printed. */
export async function runImport(
  args: ImportArguments,
  print: (text: string) => void,
  note: (text: string) => void,
): Promise<number> {
  const { file, output, json, set } = args;
  if (output !== undefined && existsSync(output))
    throw new UsageError(`Expected --output to be a new file, but ${output} exists. Choose another name.`);
  const imported = importRecipe(
    readText(file),
    { label: basename(file), from: trainerOf(args.from), set },
    { numProcesses: args.numProcesses ?? null, rows: args.rows ?? null },
  );
  if (output !== undefined) await writeFileAtomic(output, imported.text);
  if (json) {
    const { text, resolved, ...report } = imported;
    print(`${JSON.stringify({ ...report, recipe: text, output: output ?? null, warnings: resolved.warnings })}\n`);
    return 0;
  }
  if (output === undefined) print(imported.text);
  (output === undefined ? note : print)(describe(imported, output));
  return 0;
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new RecipeError(`Expected a config at ${file}, but it cannot be read: ${messageOf(error)}.`, {
      cause: error,
    });
  }
}

function trainerOf(name: string | undefined): Trainer | undefined {
  const trainer = trainers.find((candidate) => candidate === name);
  if (name === undefined || trainer !== undefined) return trainer;
  throw new UsageError(`Expected --from to be trl, verl or openrlhf, got ${JSON.stringify(name)}.`);
}

/** What the header of the file says too, and the warnings of the recipe. */
function describe(
  { assumed, defaults, notRepresented, circumstances, unknown, resolved }: Imported,
  output: string | undefined,
): string {
  const lines = [
    ...section("Assumed", assumed),
    ...section(
      "Not represented",
      notRepresented.map(({ key, reason }) => `${key}: ${reason}`),
    ),
    ...section("Not known, or not readable", unknown.map(sentenceOf)),
    ...section("Known traps of the result", resolved.warnings),
    `${defaults.length} defaults of the trainer are written out. ${circumstances.length} settings say how it was run there, and are named in the file.`,
  ];
  if (output !== undefined) lines.push(`Recipe: ${output}`, `Look at it: grouper check ${output}`);
  return `${lines.join("\n")}\n`;
}

function section(title: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : [`${title}:`, ...items.map((item) => `  ${item}`)];
}
