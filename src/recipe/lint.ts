/**
 * Known traps, named before they cost a run: recipes that are valid and may not do what was meant. One small function per trap, each
 * with where it is known from and what to write instead. A recipe that means it silences one by name: `ignoreWarnings`.
 */
import { leaveOneOutStd, noBaseline, pairStd, whitenedSolvedGroups } from "./lint/advantage.ts";
import {
  clipRange,
  frozenReference,
  klK1InLoss,
  lengthBias,
  lengthConstant,
  tightDualClip,
  unclippedUpdates,
  unusedReference,
} from "./lint/loss.ts";
import { capBelowMedian, maskedMajority, stdOfDetails } from "./lint/measured.ts";
import type { WarningName } from "./lint/names.ts";
import { evalContext, fixedRewardLength, neverBegins, onlineWindowHoldsAll } from "./lint/prompts.ts";
import { rewardDeadline } from "./lint/rewards.ts";
import type { Finding, Measured, Rule } from "./lint/rule.ts";
import {
  dynamicSamplingDetails,
  offPolicy,
  overlongCap,
  samplingFilters,
  samplingTemperature,
  sequenceProduct,
  uncorrectedServer,
} from "./lint/sampling.ts";
import { learningRate, warmupNeverEnds } from "./lint/training.ts";
import type { Recipe } from "./schema.ts";
import type { Path } from "./source.ts";

/** Every rule, in the order in which its warnings appear. */
export const rules: readonly Rule[] = [
  samplingTemperature,
  samplingFilters,
  offPolicy,
  uncorrectedServer,
  sequenceProduct,
  overlongCap,
  dynamicSamplingDetails,
  onlineWindowHoldsAll,
  neverBegins,
  fixedRewardLength,
  evalContext,
  rewardDeadline,
  noBaseline,
  leaveOneOutStd,
  pairStd,
  whitenedSolvedGroups,
  unclippedUpdates,
  clipRange,
  tightDualClip,
  klK1InLoss,
  unusedReference,
  frozenReference,
  lengthBias,
  lengthConstant,
  learningRate,
  warmupNeverEnds,
  capBelowMedian,
  maskedMajority,
  stdOfDetails,
];

/** A recipe that runs but may not do what was meant. */
export interface Warning {
  readonly name: WarningName;
  readonly path: Path;
  /** What will happen, and what to write instead; no full stop. */
  readonly message: string;
}

/** By stage name. */
export type MeasuredStages = Readonly<Record<string, Measured>>;

/** The warnings of a valid recipe that it does not silence, stage by stage. */
export function lintRecipe(recipe: Recipe, measured: MeasuredStages = {}): Warning[] {
  return recipe.stages.flatMap((stage, i) =>
    rules
      .filter(({ name }) => !recipe.ignoreWarnings.includes(name))
      .flatMap(({ name, fix, rl, sft }) => {
        let finding: Finding | null | undefined = null;
        if (stage.type === "rl") finding = rl?.(stage, { recipe, measured: measured[stage.name ?? stage.type] });
        if (stage.type === "sft") finding = sft?.(stage);
        if (finding == null) return [];
        return [{ name, path: ["stages", i, ...finding.path], message: `${finding.message}; ${fix}` }];
      }),
  );
}
