/** Length that moves without the reward, and completions that come to be cut at the limit. */
import { type Alarm, type AuditedCompletion, type AuditedStep, pairsOf } from "./audit.ts";
import { type Comparison, changeOf, type Detector, hasRisen, spanOf } from "./history.ts";

/** How far length may move by itself. */
export interface LengthDriftOptions {
  /** Late over early mean length, or its inverse, that counts as a drift. */
  readonly lengthFactor: number;
  /** Probability below which length has moved. */
  readonly chance: number;
}

/** A reward that rises is a reason for another length, and needs less proof than an alarm. */
const EXCUSE = 0.05;

/** Length that moves while the reward does not rise. */
export function lengthDriftDetector({ lengthFactor, chance }: LengthDriftOptions): Detector {
  return ({ early, late }: Comparison, { completions }: AuditedStep): Alarm | null => {
    const length = changeOf(
      early.map(({ meanTokens }) => meanTokens),
      late.map(({ meanTokens }) => meanTokens),
    );
    const reward = changeOf(
      early.flatMap((step) => step.reward ?? []),
      late.flatMap((step) => step.reward ?? []),
    );
    if (length === null || reward === null || length.chance >= chance || hasRisen(reward, EXCUSE)) return null;
    const ratio = length.to / length.from;
    if (ratio < lengthFactor && ratio > 1 / lengthFactor) return null;
    const sign = ratio > 1 ? -1 : 1;
    const distance = ({ numTokens }: AuditedCompletion) => Math.abs(numTokens - length.from);
    const furthest = completions.toSorted((a, b) => sign * (a.numTokens - b.numTokens));
    return {
      name: "length-drift",
      message:
        `From ${spanOf(early)} to ${spanOf(late)} completions go from ${length.from.toFixed(0)} to ${length.to.toFixed(0)} tokens ` +
        `while the reward does not rise (${reward.from.toFixed(3)} to ${reward.to.toFixed(3)}).`,
      // Beside them those that are most as they were.
      examples: pairsOf(
        furthest,
        completions
          .filter((one) => distance(one) < distance(furthest[0]!))
          .toSorted((a, b) => distance(a) - distance(b)),
      ),
    };
  };
}

/** How many completions may come to be cut off. */
export interface LengthCliffOptions {
  /** Share of cut completions from which on an alarm is due, and the growth to it. */
  readonly cutShare: number;
  readonly growth: number;
  readonly chance: number;
}

/** Completions that come to be cut off at the limit. */
export function lengthCliffDetector({ cutShare, growth, chance }: LengthCliffOptions): Detector {
  return ({ early, late }: Comparison, { completions }: AuditedStep): Alarm | null => {
    const change = changeOf(
      early.map((step) => step.cutShare),
      late.map((step) => step.cutShare),
    );
    const cut = completions.filter(({ finishReason }) => finishReason === "length");
    if (change === null || change.to < cutShare || cut.length === 0) return null;
    if (!hasRisen(change, chance) || change.to - change.from < growth) return null;
    return {
      name: "length-cliff",
      message:
        `Completions that end at the token limit grow from ${(100 * change.from).toFixed(1)} % (${spanOf(early)}) ` +
        `to ${(100 * change.to).toFixed(1)} % (${spanOf(late)}).`,
      examples: pairsOf(
        cut,
        completions.filter(({ finishReason }) => finishReason === "stop"),
      ),
    };
  };
}
