/**
 * A study's folder, and its first page, study.json: which recipes, which seeds, begun by which code. Whoever runs the same command again
 * goes on with it; whoever changes a recipe is refused, since half of the runs would be of another.
 *
 *   study.json       recipes as resolved, their hashes, seeds, threads of a run, commit
 *   runs/            one run folder for each recipe and seed
 *   shared/          runs of the stages that recipes have in common, one for each seed
 *   samples/         the final models' answers to the same held-out prompts
 *   result.json      the numbers;  compare.html  the page
 *   lock             who is running it
 */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { messageOf, RecipeError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import { recipe as recipeSchema } from "../recipe/schema.ts";
import { takeLock } from "../run-lock.ts";
import { type Arm, hashRecipe } from "./arm.ts";
import { diffRecipes } from "./recipe-diff.ts";

const studySchema = z.strictObject({
  format: z.literal(1),
  arms: z.array(z.strictObject({ label: z.string(), sha256: z.string(), recipe: recipeSchema })),
  seeds: z.array(z.int().nonnegative()).min(1),
  /** How many seeds there were each time more were asked for: whoever adds seeds after a look finds differences too easily. */
  extendedFrom: z.array(z.int()),
  /** engine.numThreads of every run, or null for the recipes' own: fixed, since sums of other threads round differently. */
  numThreads: z.int().nullable(),
  /** What it could find, as it was said before the first run. */
  expectation: z.string(),
  provenance: z.record(z.string(), z.unknown()),
});

export type StudyFile = z.infer<typeof studySchema>;

export interface Study extends AsyncDisposable {
  readonly dir: string;
  readonly arms: readonly Arm[];
  readonly seeds: readonly number[];
  readonly extendedFrom: readonly number[];
  readonly numThreads: number | null;
  /** Said before the first run. */
  readonly expectation: string;
  readonly provenance: Readonly<Record<string, unknown>>;
  /** True when the folder was there already. */
  readonly continued: boolean;
}

export interface OpenStudyOptions {
  readonly dir: string;
  readonly arms: readonly Arm[];
  /** Seeds 1 … numSeeds. */
  readonly numSeeds: number;
  /** Of a new study; one that exists keeps its own. */
  readonly numThreads: number | null;
  /** Of a new study. */
  readonly expectation: string;
  readonly provenance: Readonly<Record<string, unknown>>;
}

/** Makes the study's folder, or opens it to go on; locks it. Throws RecipeError where it is another study's, or in use. */
export async function openStudy(options: OpenStudyOptions): Promise<Study> {
  const { dir } = options;
  await mkdir(dir, { recursive: true }).catch((error: unknown) => {
    throw new RecipeError(
      `Expected a study folder that can be written at ${dir}, but it cannot be made: ${messageOf(error)}. Set outputDir to another place.`,
      { cause: error },
    );
  });
  const release = await takeLock(join(dir, "lock"));
  try {
    const before = await readStudy(dir);
    const file = before === null ? newStudy(options) : continueStudy(before, options);
    if (file !== before) await writeFileAtomic(join(dir, "study.json"), `${JSON.stringify(file, null, 2)}\n`);
    return { ...file, dir, continued: before !== null, [Symbol.asyncDispose]: release };
  } catch (error) {
    await release();
    throw error;
  }
}

/** null where there is no study yet. */
async function readStudy(dir: string): Promise<StudyFile | null> {
  const path = join(dir, "study.json");
  const text = await readFile(path, "utf8").catch(() => null);
  if (text === null) return null;
  const parsed = studySchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new RecipeError(
    `${path} is not a study that this version of Grouper wrote: ${z.prettifyError(parsed.error)}. Give this one another --name.`,
  );
}

function newStudy({ arms, numSeeds, numThreads, expectation, provenance }: OpenStudyOptions): StudyFile {
  return {
    format: 1,
    arms: arms.map(({ label, recipe }) => ({ label, sha256: hashRecipe(recipe), recipe })),
    seeds: seedsTo(numSeeds),
    extendedFrom: [],
    numThreads,
    expectation,
    provenance,
  };
}

function continueStudy(before: StudyFile, { dir, arms, numSeeds }: OpenStudyOptions): StudyFile {
  const elsewhere = "or begin another study with --name NAME";
  const [had, asked] = [before.arms, arms].map((list) => list.map(({ label }) => label).join(", "));
  if (had !== asked)
    throw new RecipeError(
      `Expected the recipes of the study in ${dir} (${had}), got ${asked}. Give those, ${elsewhere}.`,
    );
  before.arms.forEach(({ label, recipe }, i) => {
    // Not the hash as written: a version of Grouper that knows more keys gives them to both.
    if (hashRecipe(arms[i]!.recipe) === hashRecipe(recipe)) return;
    const [first] = diffRecipes([recipe, arms[i]!.recipe]);
    const change =
      first === undefined
        ? ""
        : ` (${first.key}: ${first.values[0] ?? "absent"} then, ${first.values[1] ?? "absent"} now)`;
    throw new RecipeError(
      `Expected ${label} as the study in ${dir} began with it, but it has changed${change}. Restore it, ${elsewhere}.`,
    );
  });
  if (numSeeds < before.seeds.length) {
    throw new RecipeError(
      `Expected --seeds ${before.seeds.length} or more, since the study in ${dir} has so many, got ${numSeeds}. Seeds that are left out after a look would bias it; give that number, ${elsewhere}.`,
    );
  }
  if (numSeeds === before.seeds.length) return before;
  return { ...before, seeds: seedsTo(numSeeds), extendedFrom: [...before.extendedFrom, before.seeds.length] };
}

function seedsTo(numSeeds: number): number[] {
  return Array.from({ length: numSeeds }, (_, i) => i + 1);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
