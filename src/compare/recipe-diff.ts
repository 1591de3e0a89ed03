/** Which keys of resolved recipes differ, one row each, stages under their names: `rl.algorithm.type`. */
import { isMapping } from "../recipe/override.ts";
import type { Recipe } from "../recipe/schema.ts";

export interface DifferingKey {
  readonly key: string;
  /** One per recipe, as JSON; null where the recipe does not have the key. */
  readonly values: readonly (string | null)[];
}

/** What names a run and says nothing of how it trains. */
const NAMES: ReadonlySet<string> = new Set(["name", "description", "outputDir", "seed", "ignoreWarnings"]);

/** Only keys in which not all recipes agree, in the order of the first recipe that has them. */
export function diffRecipes(recipes: readonly Recipe[]): DifferingKey[] {
  const flat = recipes.map(flatten);
  const keys = new Set(flat.flatMap((entries) => [...entries.keys()]));
  return [...keys]
    .map((key) => ({ key, values: flat.map((entries) => entries.get(key) ?? null) }))
    .filter(({ values }) => values.some((value) => value !== values[0]));
}

/** A recipe without what names it: two that are equal here train the same. */
export function trainingPart(recipe: Recipe): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(recipe).filter(([key]) => !NAMES.has(key)));
}

function flatten(recipe: Recipe): Map<string, string> {
  const entries = new Map<string, string>();
  const add = (value: unknown, path: string) => {
    if (value === undefined) return;
    const children = isMapping(value)
      ? Object.entries(value)
      : Array.isArray(value) && value.some(isMapping)
        ? value.map((item, i): [string, unknown] => [String(i), item])
        : [];
    if (children.length === 0) entries.set(path, JSON.stringify(value));
    for (const [key, child] of children) add(child, `${path}.${key}`);
  };
  const { stages, ...rest } = recipe;
  for (const [key, value] of Object.entries(rest)) if (!NAMES.has(key)) add(value, key);
  for (const stage of stages) {
    const { name, ...fields } = stage;
    for (const [key, value] of Object.entries(fields)) add(value, `${name ?? stage.type}.${key}`);
  }
  return entries;
}
