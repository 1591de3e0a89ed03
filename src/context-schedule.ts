/**
 * How long completions may be, where that grows within one stage: weights, optimizer and step go on (DeepScaleR: 8k, 16k, 24k tokens;
 * Skywork-OR1, arXiv 2505.22312: 8k, 16k, 32k). Contexts are entered in order, one at a time, and never left backwards.
 */
import { mean } from "./math/statistics.ts";
import type { RolloutSpec } from "./recipe/schema.ts";

/** Where a stage stands in its contexts; plain JSON. */
export interface ContextState {
  /** Entries of `rollout.contextSchedule` that were entered. */
  readonly numEntered: number;
  /** Share of completions cut off in each step of the present context, as many of the newest as the next entry looks at. */
  readonly truncatedShares: readonly number[];
}

export const firstContext: ContextState = { numEntered: 0, truncatedShares: [] };

export interface Context {
  readonly maxTokens: number;
  /** G */
  readonly groupSize: number;
}

/** The limits in force: those of the last entry that was entered, and what it leaves as it was. */
export function contextOf({ sampling, groupSize, contextSchedule = [] }: RolloutSpec, state: ContextState): Context {
  const entered = contextSchedule.slice(0, state.numEntered);
  return {
    maxTokens: entered.at(-1)?.maxTokens ?? sampling.maxTokens,
    groupSize: entered.findLast((entry) => entry.groupSize !== undefined)?.groupSize ?? groupSize,
  };
}

/** The state after a step: `numSteps` finished, `truncatedShare` of its completions cut off at maxTokens. */
export function advanceContext(
  { contextSchedule = [] }: RolloutSpec,
  state: ContextState,
  { numSteps, truncatedShare }: { readonly numSteps: number; readonly truncatedShare: number },
): ContextState {
  const next = contextSchedule[state.numEntered];
  if (next === undefined) return state;
  const { afterStep, whenTruncated } = next;
  const window = whenTruncated?.overSteps ?? 0;
  const shares = window === 0 ? [] : [...state.truncatedShares, truncatedShare].slice(-window);
  const isDue =
    (afterStep !== undefined && numSteps >= afterStep) ||
    (whenTruncated !== undefined && shares.length === window && mean(shares) > whenTruncated.above);
  return isDue ? { numEntered: state.numEntered + 1, truncatedShares: [] } : { ...state, truncatedShares: shares };
}
