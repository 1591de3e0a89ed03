/** What an audit remembers of a stage, as a checkpoint keeps it, and which steps of it are compared. */
import { z } from "zod";
import { twoSidedP } from "../math/student-t.ts";
import type { Alarm, AuditedStep } from "./audit.ts";
import { type StepNumbers, stepNumbers } from "./numbers.ts";

/** As a checkpoint keeps it. */
export const auditState = z.object({
  /** The stage's first steps, a third of a window. */
  first: z.array(stepNumbers),
  /** The newest steps, a window, in order. */
  recent: z.array(stepNumbers),
  /** By alarm: how often it was told since it began, and the steps in which it was last told and last due. */
  told: z.record(z.string(), z.object({ numTold: z.int(), toldAt: z.int(), dueAt: z.int() })),
});

/** What the audit of a stage remembers. */
export type AuditState = z.infer<typeof auditState>;

/** Before the first step. */
export const noAudit: AuditState = { first: [], recent: [], told: {} };

/** The state with one step more. */
export function remember(state: AuditState, numbers: StepNumbers, windowSteps: number): AuditState {
  const isFirst = state.first.length < Math.floor(windowSteps / 3);
  return {
    ...state,
    first: isFirst ? [...state.first, numbers] : state.first,
    recent: [...state.recent, numbers].slice(-windowSteps),
  };
}

/** As many early steps as late ones. */
export interface Comparison {
  readonly early: readonly StepNumbers[];
  readonly late: readonly StepNumbers[];
}

/** Looks at one comparison; `newest` is the last of the late steps, with its completions. */
export type Detector = (comparison: Comparison, newest: AuditedStep) => Alarm | null;

/** Fewer steps have no scatter to speak of. */
const MIN_STEPS = 5;

/** The last third of the window beside its first, which sees what is sudden, and beside the stage's first steps, which sees what is slow. */
export function comparisonsOf({ first, recent }: AuditState): Comparison[] {
  const third = Math.floor(recent.length / 3);
  if (third < MIN_STEPS) return [];
  const late = recent.slice(-third);
  const sudden = { early: recent.slice(0, third), late };
  // Until the window is full it begins with the stage.
  return first[0]!.step === recent[0]!.step ? [sudden] : [sudden, { early: first.slice(0, third), late }];
}

/** From the mean of early values to that of late ones. */
export interface Change {
  readonly from: number;
  readonly to: number;
  /** Probability of so large a change in either direction without a cause: Welch's t test; 0 for a change without any scatter. */
  readonly chance: number;
}

/** Of means of steps: completions of one step are too alike to count one by one. Null where one side has fewer than two values. */
export function changeOf(early: readonly number[], late: readonly number[]): Change | null {
  if (early.length < 2 || late.length < 2) return null;
  const [a, b] = [momentsOf(early), momentsOf(late)];
  const change = b.mean - a.mean;
  // A mean over equal numbers is exact to the last bits only.
  const isChange = Math.abs(change) > 1e-12 * Math.max(Math.abs(a.mean), Math.abs(b.mean));
  const [ofA, ofB] = [a.variance / early.length, b.variance / late.length];
  // Welch (1947) and Satterthwaite (1946).
  const freedom = (ofA + ofB) ** 2 / (ofA ** 2 / (early.length - 1) + ofB ** 2 / (late.length - 1));
  const t = change / Math.sqrt(ofA + ofB);
  return { from: a.mean, to: b.mean, chance: !isChange ? 1 : ofA + ofB === 0 ? 0 : twoSidedP(t, freedom) };
}

/** True of a change upwards that is less probable than `chance` without a cause. */
export function hasRisen({ from, to, chance }: Change, limit: number): boolean {
  return to > from && chance < limit;
}

/** The same downwards. */
export function hasFallen({ from, to, chance }: Change, limit: number): boolean {
  return to < from && chance < limit;
}

/** Mean and sample variance. */
function momentsOf(values: readonly number[]): { readonly mean: number; readonly variance: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, variance: squares / (values.length - 1) };
}

/** "steps 21 to 30" */
export function spanOf(steps: readonly StepNumbers[]): string {
  return `steps ${steps[0]!.step} to ${steps.at(-1)!.step}`;
}

/** Where being paid begins: the middle between the lowest and the highest total. Null where all are the same. */
export function paidFrom({ early, late }: Comparison): number | null {
  const totals = [...early, ...late].flatMap((step) => step.totals ?? []);
  const low = Math.min(...totals.map(({ min }) => min));
  const high = Math.max(...totals.map(({ max }) => max));
  return high > low ? (low + high) / 2 : null;
}
