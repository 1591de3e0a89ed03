/** All detectors together: what a step adds to the history, and the alarms that are due. */
import type { AuditSpec } from "../recipe/audit-schema.ts";
import { type Alarm, type AuditedCompletion, type AuditedStep, pairsOf } from "./audit.ts";
import { componentShares } from "./differences.ts";
import { dominanceDetector } from "./dominance.ts";
import { growthDetector } from "./growth.ts";
import { type AuditState, comparisonsOf, type Detector, noAudit, remember } from "./history.ts";
import { lengthCliffDetector, lengthDriftDetector } from "./length.ts";
import { numbersOf, type StepNumbers, shadowsOf } from "./numbers.ts";
import { PATTERNS } from "./patterns.ts";
import { shadowDetector } from "./shadow.ts";

/** What of a recipe's audit the detectors need. */
export type AuditOptions = Pick<AuditSpec, "windowSteps" | "repeatAfterSteps" | "thresholds"> & {
  /** The reward that the run is about. */
  readonly primary: string;
};

/** What a step makes of an audit. */
export interface AuditResult {
  readonly state: AuditState;
  /** Those that are to be told now. */
  readonly alarms: readonly Alarm[];
  /** Under audit/. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** Pure. `step` comes after all steps of `state`. */
export function auditStep(before: AuditState, step: AuditedStep, options: AuditOptions): AuditResult {
  if (step.completions.length === 0) return { state: before, alarms: [], metrics: {} };
  const numbers = numbersOf(step);
  const state = remember(before, numbers, options.windowSteps);
  const due = [...failuresOf(step), ...alarmsOf(state, step, options)];
  const { told, alarms } = withBackoff(state.told, due, step.step, options.repeatAfterSteps);
  return { state: { ...state, told }, alarms, metrics: { ...metricsOf(step, numbers), "audit/alarms": due.length } };
}

/** The alarms that steps, in order, raise one after the other. Pure. */
export function auditSteps(steps: readonly AuditedStep[], options: AuditOptions): Alarm[] {
  let state = noAudit;
  return steps.flatMap((step) => {
    const result = auditStep(state, step, options);
    state = result.state;
    return result.alarms;
  });
}

/** In the order in which alarms are told. */
function alarmsOf(state: AuditState, step: AuditedStep, { primary, thresholds }: AuditOptions): Alarm[] {
  const options = { ...thresholds, primary };
  const detectors: Detector[] = [
    ...shadowsOf(step.sample).map((name) => shadowDetector(name, options)),
    dominanceDetector(options),
    lengthDriftDetector(options),
    lengthCliffDetector(options),
    ...PATTERNS.map((pattern) => growthDetector(pattern, options)),
  ];
  const comparisons = comparisonsOf(state);
  return detectors.flatMap((detect) => {
    for (const comparison of comparisons) {
      const alarm = detect(comparison, step);
      if (alarm !== null) return [alarm];
    }
    return [];
  });
}

/** Held-out rewards that fail are told like what they look for: a verifier that does not answer watches nothing. */
function failuresOf({ step, sample }: AuditedStep): Alarm[] {
  return shadowsOf(sample).flatMap((name) => {
    const errorOf = ({ shadows }: AuditedCompletion) => {
      const outcome = shadows[name];
      return outcome?.status === "failed" ? outcome.error : null;
    };
    const failed = sample.filter((completion) => errorOf(completion) !== null);
    if (failed.length === 0) return [];
    return [
      {
        name: `shadow-failure/${name}`,
        message: `In step ${step} the held-out reward ${name} failed on ${failed.length} of ${sample.length} completions, and nothing was changed by it: ${errorOf(failed[0]!)}`,
        examples: pairsOf(failed, []),
      },
    ];
  });
}

/** An alarm that lasts is told again after some steps, then after twice as many; one that was away for as long begins anew. */
function withBackoff(
  before: AuditState["told"],
  due: readonly Alarm[],
  step: number,
  repeatAfterSteps: number,
): { readonly told: AuditState["told"]; readonly alarms: Alarm[] } {
  const told = { ...before };
  const alarms = due.filter(({ name }) => {
    const last = told[name];
    const pause = last === undefined ? 0 : repeatAfterSteps * 2 ** (last.numTold - 1);
    const isNew = last === undefined || step - last.dueAt > pause;
    const isDue = isNew || step - last.toldAt >= pause;
    told[name] = isDue
      ? { numTold: isNew ? 1 : last.numTold + 1, toldAt: step, dueAt: step }
      : { ...last, dueAt: step };
    return isDue;
  });
  return { told, alarms };
}

/**
 * audit/pattern/NAME: share of the sample. audit/decides/REWARD: share of the differences between siblings. audit/shadow/NAME/mean, and
 * agreement with the primary reward on which completions score above 0.5; failed and abstained are counts. audit/alarms: those that hold.
 */
function metricsOf({ sample }: AuditedStep, numbers: StepNumbers): Record<string, number> {
  const metrics: Record<string, number> = {};
  for (const [name, share] of Object.entries(numbers.patterns)) metrics[`audit/pattern/${name}`] = share;
  for (const [name, share] of Object.entries(componentShares([numbers]))) metrics[`audit/decides/${name}`] = share;
  for (const name of shadowsOf(sample)) {
    const compared = numbers.shadows[name];
    if (compared !== undefined) {
      metrics[`audit/shadow/${name}/mean`] = compared.shadow.mean;
      metrics[`audit/shadow/${name}/agreement`] = compared.agreement;
    }
    const count = (status: string) => sample.filter(({ shadows }) => shadows[name]?.status === status).length;
    metrics[`audit/shadow/${name}/failed`] = count("failed");
    metrics[`audit/shadow/${name}/abstained`] = count("abstained");
  }
  return metrics;
}
