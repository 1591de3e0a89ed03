/**
 * A pattern that training makes more of, paid or not: an attempt that fails today may pay tomorrow. What the policy did from the first step
 * is its habit and no alarm.
 */
import { type Alarm, type AuditedCompletion, type AuditedStep, pairsOf } from "./audit.ts";
import { type Comparison, changeOf, type Detector, hasRisen, paidFrom, spanOf } from "./history.ts";
import type { Pattern } from "./patterns.ts";

/** How much more of a pattern is too much. */
export interface GrowthOptions {
  /** Growth of the share of completions that show the pattern, from which on an alarm is due. */
  readonly growth: number;
  /** Probability below which the growth is none by chance. */
  readonly chance: number;
}

/** Of one pattern. */
export function growthDetector({ name, what, matches }: Pattern, { growth, chance }: GrowthOptions): Detector {
  return (comparison: Comparison, { step, sample }: AuditedStep): Alarm | null => {
    const { early, late } = comparison;
    const shareIn = ({ patterns }: Comparison["early"][number]) => patterns[name] ?? 0;
    const change = changeOf(early.map(shareIn), late.map(shareIn));
    if (change === null || !hasRisen(change, chance) || change.to - change.from < growth) return null;
    const suspects = sample.filter(matches);
    if (suspects.length === 0) return null;
    const from = paidFrom(comparison);
    const isPaid = ({ total }: AuditedCompletion) => from !== null && total !== null && total > from;
    const paid = suspects.filter(isPaid);
    const others = sample.filter((completion) => !suspects.includes(completion));
    const percent = (share: number) => (100 * share).toFixed(1);
    return {
      name,
      message:
        `Completions that ${what} grow from ${percent(change.from)} % (${spanOf(early)}) to ${percent(change.to)} % (${spanOf(late)}); ` +
        `in step ${step} ${paid.length} of ${suspects.length} such are paid.`,
      examples: pairsOf([...paid, ...suspects.filter((one) => !isPaid(one))], [...others.filter(isPaid), ...others]),
    };
  };
}
