/** Another trainer's config as a recipe: the same numbers where there are equals, and in words what is not the same. */
import { messageOf, RecipeError } from "../errors.ts";
import { parseRecipe, type ResolvedRecipe } from "../recipe/load.ts";
import { Draft } from "./draft.ts";
import { importOpenrlhf, openrlhfSnapshot } from "./openrlhf.ts";
import type { ImportOptions } from "./parts.ts";
import { readForeign, type Trainer } from "./read.ts";
import { Settings } from "./settings.ts";
import { importTrl, trlSnapshot } from "./trl.ts";
import { importVerl, verlSnapshot } from "./verl.ts";
import { type Report, writeRecipe } from "./write.ts";

export interface Imported extends Report {
  readonly trainer: Trainer;
  /** The recipe file: valid YAML that `parseRecipe` accepts. */
  readonly text: string;
  readonly resolved: ResolvedRecipe;
}

export interface ImportSource {
  /** What messages call the file. */
  readonly label: string;
  readonly from?: Trainer | undefined;
  /** What the file leaves open, in the trainer's own names: "key=value". */
  readonly set?: readonly string[];
}

const TRAINERS = {
  trl: { name: "TRL", convert: importTrl, snapshot: trlSnapshot },
  verl: { name: "verl", convert: importVerl, snapshot: verlSnapshot },
  openrlhf: { name: "OpenRLHF", convert: importOpenrlhf, snapshot: openrlhfSnapshot },
} as const;

/** Throws RecipeError where the text is no config, or says what no recipe can. */
export function importRecipe(text: string, source: ImportSource, options: ImportOptions): Imported {
  const { trainer, settings } = readForeign(text, source);
  const { name, convert, snapshot } = TRAINERS[trainer];
  const all = new Settings(settings);
  const draft = new Draft(name, all);
  convert(draft, options);
  const report: Report = {
    assumed: draft.assumed,
    defaults: draft.defaults,
    notRepresented: draft.left,
    withoutEffect: draft.withoutEffect(),
    circumstances: draft.circumstances,
    unknown: [...all.rest(), ...all.replaced.map((setting) => ({ ...setting, unreadable: "it is said again later" }))],
  };
  const title = `Imported from ${source.label} (${name}). Defaults: ${snapshot}.`;
  const written = writeRecipe(draft, title, report);
  return { trainer, text: written, resolved: validated(written, source.label), ...report };
}

function validated(text: string, label: string): ResolvedRecipe {
  try {
    return parseRecipe(text, { label: "the recipe" });
  } catch (error) {
    if (!(error instanceof RecipeError)) throw error;
    throw new RecipeError(`${label} says what no recipe can: ${messageOf(error)}`, { cause: error });
  }
}
