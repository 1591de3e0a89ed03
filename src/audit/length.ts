/** Length that moves without the reward, and completions that are cut at the limit. */
import { type Alarm, type AuditedStep, changeOf, type Detector, earlyAndLate, pairsOf } from "./audit.ts";

export interface LengthDriftOptions {
  /** Late over early mean length, or its inverse, that counts as a drift. Default 1.5. */
  readonly factor?: number;
  /** Standard errors by which length must have moved, and by which the reward must have risen to be a reason. Default 2. */
  readonly errors?: number;
}

/** Compares the first with the last third of the steps. */
export function lengthDriftDetector({ factor = 1.5, errors = 2 }: LengthDriftOptions = {}): Detector {
  return (steps: readonly AuditedStep[]): Alarm | null => {
    const parts = earlyAndLate(steps);
    if (parts === null) return null;
    const { early, late } = parts;
    const length = changeOf(
      early.map(({ numTokens }) => numTokens),
      late.map(({ numTokens }) => numTokens),
    );
    const reward = changeOf(
      early.flatMap(({ total }) => total ?? []),
      late.flatMap(({ total }) => total ?? []),
    );
    if (length === null || reward === null || Math.abs(length.inErrors) < errors || reward.inErrors >= errors)
      return null;
    const ratio = length.to / length.from;
    if (ratio < factor && ratio > 1 / factor) return null;
    const sign = ratio > 1 ? -1 : 1;
    return {
      name: "length-drift",
      message:
        `Completions go from ${length.from.toFixed(0)} to ${length.to.toFixed(0)} tokens while the reward does not rise ` +
        `(${reward.from.toFixed(3)} to ${reward.to.toFixed(3)}), from the first to the last third of steps ${steps[0]!.step} to ${steps.at(-1)!.step}.`,
      examples: pairsOf(
        late.toSorted((a, b) => sign * (a.numTokens - b.numTokens)),
        early,
      ),
    };
  };
}

/** `share`: of the newest step's completions that were cut, from which an alarm is due. Default 0.5. */
export function lengthCliffDetector({ share = 0.5 }: { readonly share?: number } = {}): Detector {
  return (steps: readonly AuditedStep[]): Alarm | null => {
    const newest = steps.at(-1);
    if (newest === undefined) return null;
    const cut = newest.completions.filter(({ finishReason }) => finishReason === "length");
    if (cut.length < 2 || cut.length < share * newest.completions.length) return null;
    return {
      name: "length-cliff",
      message: `Step ${newest.step}: ${cut.length} of ${newest.completions.length} completions end at the token limit.`,
      examples: pairsOf(
        cut,
        newest.completions.filter(({ finishReason }) => finishReason === "stop"),
      ),
    };
  };
}
