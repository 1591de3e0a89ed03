/**
 * The bound on all work of one comparison. Every loop and every large multiplication spends from it, so that no string, however
 * hostile, costs more than some milliseconds: there is no clock, no signal and no thread in the verifier.
 */

/** Thrown inside this folder when a bound is reached, and caught where a comparison begins. It carries no stack: it is expected. */
export class LimitReached {
  readonly what: string;
  constructor(what: string) {
    this.what = what;
  }
}

/** What is left to spend; one step is about the cost of one complex multiplication. */
export interface Budget {
  steps: number;
}

/** Steps of one comparison: a budget spent to the end takes tens of milliseconds. */
export const MAX_STEPS = 40_000;

export function createBudget(steps = MAX_STEPS): Budget {
  return { steps };
}

/** Takes `cost` steps; throws LimitReached when there are none left. */
export function spend(budget: Budget, cost = 1): void {
  budget.steps -= cost;
  if (budget.steps < 0) throw new LimitReached("steps");
}
