/** Reward against a verifier that is held out: the reward rises while what it stands for falls. */
import {
  type Alarm,
  type AuditedCompletion,
  type AuditedStep,
  changeOf,
  type Detector,
  earlyAndLate,
  paidFrom,
  pairsOf,
} from "./audit.ts";

export interface ShadowOptions {
  /** Standard errors that both changes must exceed. Default 2. */
  readonly errors?: number;
}

/** Compares the first with the last third of the steps, over completions that both judged. */
export function shadowDetector({ errors = 2 }: ShadowOptions = {}): Detector {
  return (steps: readonly AuditedStep[]): Alarm | null => {
    const judged = steps.map(({ step, completions }) => ({ step, completions: completions.filter(isJudged) }));
    const parts = earlyAndLate(judged);
    if (parts === null) return null;
    const { early, late } = parts;
    const reward = changeOf(early.map(totalOf), late.map(totalOf));
    const shadow = changeOf(early.map(shadowOf), late.map(shadowOf));
    if (reward === null || shadow === null || reward.inErrors < errors || shadow.inErrors > -errors) return null;
    const all = [...early, ...late];
    const paid = paidFrom(all) ?? Number.POSITIVE_INFINITY;
    const approved = paidFrom(all.map((one) => ({ ...one, total: one.shadow }))) ?? Number.POSITIVE_INFINITY;
    const rewarded = late.filter((one) => totalOf(one) > paid).toReversed();
    return {
      name: "shadow-divergence",
      message:
        `The reward rises from ${reward.from.toFixed(3)} to ${reward.to.toFixed(3)} while the held-out verifier falls from ` +
        `${shadow.from.toFixed(3)} to ${shadow.to.toFixed(3)}, from the first to the last third of steps ${steps[0]!.step} to ${steps.at(-1)!.step}.`,
      examples: pairsOf(
        rewarded.filter((one) => shadowOf(one) <= approved),
        rewarded.filter((one) => shadowOf(one) > approved),
      ),
    };
  };
}

function isJudged({ total, shadow }: AuditedCompletion): boolean {
  return total !== null && shadow !== null;
}

function totalOf({ total }: AuditedCompletion): number {
  return total ?? Number.NaN;
}

function shadowOf({ shadow }: AuditedCompletion): number {
  return shadow ?? Number.NaN;
}
