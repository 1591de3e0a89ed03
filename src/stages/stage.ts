/** What every kind of stage gets from the pipeline, and gives back. */
import type { Checkpoint } from "../checkpoint.ts";
import type { Reporter } from "../progress.ts";
import type { Recipe, Stage } from "../recipe/schema.ts";
import type { RunDirectory } from "../run-directory.ts";

export interface StageContext<Kind extends Stage = Stage> {
  readonly recipe: Recipe;
  readonly stage: Kind;
  readonly name: string;
  /** Model folder that the stage starts from; null: the recipe's own model. */
  readonly startDir: string | null;
  readonly run: RunDirectory;
  /** Checkpoint to go on from, verified; null at the start of a stage. */
  readonly resumed: Checkpoint | null;
  readonly reporter: Reporter;
  readonly stopRequested: () => boolean;
}

export interface StageResult {
  readonly interrupted: boolean;
  /** The stage's result as a checkpoint relative to the run; null for stages that train nothing. */
  readonly checkpoint: string | null;
  readonly weightsHash: string | null;
  /** What the stage read, for the lineage: names and content hashes. */
  readonly inputs: Readonly<Record<string, string>>;
}
