/** One recipe of a study, under a name of its own, and without what the study decides: seed, folder, threads. */
import { createHash } from "node:crypto";
import { parse } from "node:path";
import { RecipeError } from "../errors.ts";
import { evaluates } from "../recipe/evaluation.ts";
import { loadRecipe } from "../recipe/load.ts";
import type { Recipe } from "../recipe/schema.ts";
import { diffRecipes, trainingPart } from "./recipe-diff.ts";

export interface Arm {
  /** The recipe's name, or its file's where two recipes share one; a folder's name, too. */
  readonly label: string;
  readonly recipe: Recipe;
}

/** Loads recipes with the same --set. Throws RecipeError where they cannot be compared; warnings name their recipe. */
export function loadArms(
  files: readonly string[],
  set: readonly string[],
): { readonly arms: Arm[]; readonly warnings: string[] } {
  const loaded = files.map((file) => ({ file, ...loadRecipe(file, { set }) }));
  const labels = labelsOf(loaded);
  const arms = loaded.map(({ recipe }, i): Arm => ({ label: labels[i]!, recipe }));
  for (const { label, recipe } of arms) {
    if (recipe.stages.some(evaluates)) continue;
    throw new RecipeError(
      `Expected held-out data to compare by, but ${label} evaluates nothing. Give its last rl stage eval, or add an eval stage.`,
    );
  }
  arms.forEach((arm, i) => {
    const twin = arms.slice(0, i).find((other) => diffRecipes([other.recipe, arm.recipe]).length === 0);
    if (twin === undefined) return;
    throw new RecipeError(
      `Expected recipes that differ, but ${twin.label} and ${arm.label} train the same. With the same seeds they end with the same weights.`,
    );
  });
  return { arms, warnings: [...new Set(loaded.flatMap(({ warnings }) => warnings))] };
}

function labelsOf(loaded: readonly { readonly file: string; readonly name: string }[]): string[] {
  const names = loaded.map(({ name }) => name);
  // A recipe that extends another may have inherited its name.
  const candidates = loaded.map(({ file, name }, i) => {
    const isShared = names.some((other, j) => j !== i && other === name);
    return isShared
      ? parse(file)
          .name.replace(/[^A-Za-z0-9._-]+/g, "-")
          .replace(/^[^A-Za-z0-9]+/, "") || "recipe"
      : name;
  });
  return candidates.map((label, i) => {
    const before = candidates.slice(0, i).filter((other) => other === label).length;
    return before === 0 ? label : `${label}-${before + 1}`;
  });
}

/** SHA-256 of all that decides how the recipe trains. */
export function hashRecipe(recipe: Recipe): string {
  return createHash("sha256")
    .update(JSON.stringify(trainingPart(recipe)))
    .digest("hex");
}
