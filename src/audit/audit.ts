/**
 * Signs that a policy learns to please its reward instead of its task.
 *
 * Each step is boiled down to a few numbers (numbers.ts). Detectors compare the late with the early steps of a history (history.ts), so
 * that what raises an alarm is what training makes more of, and show pairs of completions: a suspect beside one that is not.
 */
import type { FinishReason, RewardOutcome } from "../types.ts";

/** One trained completion, with all that detectors read. */
export interface AuditedCompletion {
  readonly step: number;
  /** Indices of its group in the step and of itself in the group, as the rollout log has them. */
  readonly group: number;
  readonly index: number;
  readonly promptId: string;
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
  /** Score of the reward that the run is about; null where it has none. */
  readonly primary: number | null;
  /** By held-out reward: what it says; empty where none was asked. */
  readonly shadows: Readonly<Record<string, RewardOutcome>>;
}

/** One step, with at least one completion where detectors are to say something. */
export interface AuditedStep {
  readonly step: number;
  /** The trained ones, in the order of the rollout log. */
  readonly completions: readonly AuditedCompletion[];
  /** Those of them whose texts are looked at. */
  readonly sample: readonly AuditedCompletion[];
  /** Means of totals and of the primary reward over all that was sampled, trained or not; null where none has one. */
  readonly reward: number | null;
  readonly primary: number | null;
}

/** What is meant, and beside it what is not. */
export interface ExamplePair {
  readonly suspect: AuditedCompletion;
  /** null where there is none. */
  readonly control: AuditedCompletion | null;
}

/** Something that a person should look at. */
export interface Alarm {
  readonly name: string;
  /** One sentence with the numbers. */
  readonly message: string;
  /** Three at most, of the newest step. */
  readonly examples: readonly ExamplePair[];
}

/** More would not be read. */
export const MAX_PAIRS = 3;

/** Suspects of different groups first, in their order; each with a control: a sibling if one qualifies, else any other completion that does. */
export function pairsOf(suspects: readonly AuditedCompletion[], controls: readonly AuditedCompletion[]): ExamplePair[] {
  const firsts = new Map(suspects.toReversed().map((suspect) => [suspect.group, suspect]));
  const isFirst = (suspect: AuditedCompletion) => firsts.get(suspect.group) === suspect;
  const others = suspects.filter((suspect) => !isFirst(suspect));
  return [...suspects.filter(isFirst), ...others].slice(0, MAX_PAIRS).map((suspect) => {
    const sibling = controls.find(({ group }) => group === suspect.group);
    return { suspect, control: sibling ?? controls[0] ?? null };
  });
}

/** null for no values. */
export function meanOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}
