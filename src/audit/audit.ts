/**
 * Signs that a policy learns to please its reward instead of its task. Every detector is a pure function from the completions of the last
 * steps to an alarm or nothing; an alarm shows pairs of completions, a suspect beside one of the same kind that is not.
 */
import type { FinishReason } from "../types.ts";

export interface AuditedCompletion {
  readonly step: number;
  /** Index of its group in the step; siblings share it. */
  readonly group: number;
  readonly index: number;
  readonly prompt: string;
  readonly answer: string | null;
  /** Prefill and completion. */
  readonly response: string;
  readonly numTokens: number;
  readonly finishReason: FinishReason;
  /** null where it was excluded. */
  readonly total: number | null;
  /** By reward: weight times score, where it scored and has a weight. */
  readonly components: Readonly<Record<string, number>>;
  /** What a verifier that nobody trains on says; null where it was not asked. */
  readonly shadow: number | null;
}

/** The completions of one step, in the order of groups. */
export interface AuditedStep {
  readonly step: number;
  readonly completions: readonly AuditedCompletion[];
}

export interface ExamplePair {
  readonly suspect: AuditedCompletion;
  /** null where there is none. */
  readonly control: AuditedCompletion | null;
}

export interface Alarm {
  readonly name: string;
  /** One sentence with the numbers. */
  readonly message: string;
  /** Three at most. */
  readonly examples: readonly ExamplePair[];
}

/** `steps` in order, the newest last. */
export type Detector = (steps: readonly AuditedStep[]) => Alarm | null;

export const MAX_PAIRS = 3;

/** Early and late part of a window: its first and last third. Null for fewer than six steps: a trend needs something to stand on. */
export function earlyAndLate(
  steps: readonly AuditedStep[],
): { readonly early: AuditedCompletion[]; readonly late: AuditedCompletion[] } | null {
  if (steps.length < 6) return null;
  const third = Math.floor(steps.length / 3);
  return {
    early: steps.slice(0, third).flatMap(({ completions }) => completions),
    late: steps.slice(-third).flatMap(({ completions }) => completions),
  };
}

export interface Change {
  readonly from: number;
  readonly to: number;
  /** The change in standard errors of the difference of the two means; infinite for a change without any scatter. */
  readonly inErrors: number;
}

/** Null where one side has fewer than two values. */
export function changeOf(early: readonly number[], late: readonly number[]): Change | null {
  if (early.length < 2 || late.length < 2) return null;
  const [a, b] = [momentsOf(early), momentsOf(late)];
  const error = Math.sqrt(a.variance / early.length + b.variance / late.length);
  const change = b.mean - a.mean;
  // A mean over equal numbers is exact to the last bits only.
  const isChange = Math.abs(change) > 1e-12 * Math.max(Math.abs(a.mean), Math.abs(b.mean));
  return { from: a.mean, to: b.mean, inErrors: isChange ? change / error : 0 };
}

/** Mean and sample variance. */
export function momentsOf(values: readonly number[]): { readonly mean: number; readonly variance: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, variance: values.length < 2 ? 0 : squares / (values.length - 1) };
}

/** Where being paid begins: the middle between the lowest and the highest total. Null where all are the same. */
export function paidFrom(completions: readonly AuditedCompletion[]): number | null {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { total } of completions) {
    if (total === null) continue;
    low = Math.min(low, total);
    high = Math.max(high, total);
  }
  return high > low ? (low + high) / 2 : null;
}

/** Each suspect with a control: a sibling if one qualifies, else any other completion that does. */
export function pairsOf(suspects: readonly AuditedCompletion[], controls: readonly AuditedCompletion[]): ExamplePair[] {
  return suspects.slice(0, MAX_PAIRS).map((suspect) => {
    const sibling = controls.find(({ step, group }) => step === suspect.step && group === suspect.group);
    return { suspect, control: sibling ?? controls[0] ?? null };
  });
}
