/** What a lint rule is, and what it sees. */
import type { Recipe, RlStage, SftStage } from "../schema.ts";
import type { Path } from "../source.ts";
import type { WarningName } from "./names.ts";

/** One known trap: a recipe that runs, and may not do what was meant. */
export interface Rule {
  readonly name: WarningName;
  /** The paper, trainer or measurement that it is known from. */
  readonly source: string;
  /** What to write instead: the end of the sentence. */
  readonly fix: string;
  readonly rl?: (stage: RlStage, around: Surroundings) => Finding | null;
  readonly sft?: (stage: SftStage) => Finding | null;
}

export interface Finding {
  /** Inside the stage. */
  readonly path: Path;
  /** What will happen, with its numbers: the beginning of the sentence. */
  readonly message: string;
}

export interface Surroundings {
  readonly recipe: Recipe;
  /** Of the stage; absent before anything was sampled. */
  readonly measured: Measured | undefined;
}

/** What the rollout logs of a stage show. */
export interface Measured {
  /** The run folder, for the sentence. */
  readonly run: string;
  readonly numCompletions: number;
  /** Tokens; a truncated completion counts with what it has, so the true median is at least this. */
  readonly medianTokens: number;
  /** Share of completions that hit the limit, from 0 to 1. */
  readonly truncatedShare: number;
  /** Groups whose reward totals differ. */
  readonly numMixedGroups: number;
  /** By reward name: how many of them have one score of that reward throughout. */
  readonly numEqualBy: Readonly<Record<string, number>>;
}

/**
 * An algorithm by its options: an objective that is added later is judged by the options that it has. What an objective has not
 * is undefined.
 */
export interface ObjectiveOptions {
  readonly type: string;
  readonly clipLow?: number | null;
  readonly clipHigh?: number;
  readonly dualClip?: number | null;
  readonly std?: string;
  readonly rewards?: string;
  readonly aggregation?: string;
  readonly kl?: { readonly coefficient: number; readonly estimator: string; readonly placement: string };
}

/** Optimizer steps of the stage. */
export function countUpdates({ steps, updatesPerBatch, epochsPerBatch }: RlStage): number {
  return steps * updatesPerBatch * epochsPerBatch;
}

/** e.g. 46 %. */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
