/** Which rewards `grouper reward` tries, and on what: names and files of the command line, or a recipe's. */
import { basename } from "node:path";
import YAML from "yaml";
import { UsageError } from "../errors.ts";
import type { RewardSpec } from "../reward/reward.ts";
import { rewardLabel } from "../reward/reward.ts";
import type { SavedRow } from "../workbench/completions.ts";
import { recipeRewards } from "../workbench/recipe-rewards.ts";

/** What the commands over saved completions have in common. */
export interface RewardChoice {
  /** Names of shipped rewards or paths of files, each with optional parameters: accuracy, ./mine.ts, accuracy:{method: numeric}. */
  readonly reward: readonly string[] | undefined;
  readonly data: readonly string[] | undefined;
  /** Its rewards are tried where none is named, on its questions where no data are. */
  readonly recipe: string | undefined;
  /** Name of an rl stage of the recipe; default: the last one. */
  readonly stage: string | undefined;
  readonly limit: number | undefined;
  readonly maxTokens: number | undefined;
  /** Seconds. */
  readonly deadline: number | undefined;
  readonly json: boolean;
}

export interface ChosenRewards {
  readonly specs: readonly RewardSpec[];
  readonly files: readonly string[];
  readonly rows?: readonly SavedRow[];
  readonly limit?: number;
  readonly maxTokens?: number;
  readonly threads?: number;
  readonly deadlineMs?: number;
}

/** So many of a recipe's questions are read. */
const MAX_QUESTIONS = 256;

/** Throws UsageError where there is no reward, or nothing to try it on; RecipeError for a recipe that has faults. */
export async function rewardsToTry(
  command: "test" | "bench" | "fuzz",
  { reward = [], data = [], recipe: path, stage, limit, maxTokens, deadline }: RewardChoice,
): Promise<ChosenRewards> {
  if (path === undefined && stage !== undefined) throw new UsageError("Expected --recipe beside --stage.");
  const recipe = path === undefined ? undefined : recipeRewards(path, stage);
  if (reward.length === 0 && recipe === undefined) {
    throw new UsageError(
      `Expected a reward: grouper reward ${command} REWARD --data FILE; or the rewards of a recipe: --recipe FILE.`,
    );
  }
  // A recipe has questions; times are those of completions.
  if (data.length === 0 && (recipe === undefined || command === "bench"))
    throw new UsageError("Expected --data with a file of completions.");
  return {
    specs: reward.length === 0 && recipe !== undefined ? recipe.specs : rewardSpecsOf(reward),
    files: data,
    ...(data.length === 0 && recipe !== undefined ? { rows: await recipe.readQuestions(limit ?? MAX_QUESTIONS) } : {}),
    ...(recipe === undefined ? {} : { threads: recipe.threads, deadlineMs: recipe.deadlineMs }),
    ...(deadline === undefined ? {} : { deadlineMs: 1000 * deadline }),
    ...(limit === undefined ? {} : { limit }),
    ...(maxTokens === undefined && recipe === undefined ? {} : { maxTokens: maxTokens ?? recipe!.maxTokens }),
  };
}

/** With names of their own: a second accuracy is accuracy-2. Throws UsageError as rewardSpecOf does. */
export function rewardSpecsOf(texts: readonly string[]): RewardSpec[] {
  const taken = new Map<string, number>();
  return texts.map((text) => {
    const spec = rewardSpecOf(text);
    const label = rewardLabel(spec);
    const count = (taken.get(label) ?? 0) + 1;
    taken.set(label, count);
    return count === 1 ? spec : { ...spec, as: `${label}-${count}` };
  });
}

/** accuracy, ./mine.ts, accuracy:{method: numeric}. Throws UsageError for parameters that are no mapping. */
export function rewardSpecOf(text: string): RewardSpec {
  const brace = text.indexOf(":{");
  const source = brace === -1 ? text : text.slice(0, brace);
  const params = brace === -1 ? {} : mappingOf(text.slice(brace + 1));
  if (params === null) {
    throw new UsageError(`Expected parameters like accuracy:{method: numeric}, got ${JSON.stringify(text)}.`);
  }
  const isFile = /\.[cm]?[jt]s$|[/\\]/.test(source);
  const named = isFile ? { file: source, as: basename(source).replace(/\.[cm]?[jt]s$/, "") } : { name: source };
  return { ...named, weight: 1, params };
}

/** Null where the text is not a YAML mapping. */
function mappingOf(text: string): Record<string, unknown> | null {
  const document = YAML.parseDocument(text, { schema: "core", logLevel: "silent" });
  const value: unknown = document.errors.length === 0 ? document.toJS() : null;
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : null;
}
