/** One step as numbers: what trends are made of, what metrics show, and what a checkpoint keeps of it. */
import { z } from "zod";
import { type AuditedCompletion, type AuditedStep, meanOf } from "./audit.ts";
import { differencesOf } from "./differences.ts";
import { PATTERNS } from "./patterns.ts";

const spread = z.object({ mean: z.number(), min: z.number(), max: z.number() });

/** As a checkpoint keeps it. */
export const stepNumbers = z.object({
  step: z.int(),
  /** Means over all that was sampled. */
  reward: z.number().nullable(),
  primary: z.number().nullable(),
  totals: spread.nullable(),
  meanTokens: z.number(),
  /** Share that ended at the token limit. */
  cutShare: z.number(),
  /** Sums over groups, of the totals and of each component with the total (differences.ts). */
  variance: z.number(),
  covariances: z.record(z.string(), z.number()),
  /** By pattern: share of the sample that shows it. */
  patterns: z.record(z.string(), z.number()),
  /** By held-out reward, over the completions of the sample that both judged; absent where there is none. */
  shadows: z.record(z.string(), z.object({ primary: spread, shadow: spread, agreement: z.number() })),
});

/** The numbers of one step. */
export type StepNumbers = z.infer<typeof stepNumbers>;
/** Of the scores of one step. */
export type Spread = z.infer<typeof spread>;

/** `step` has at least one completion. */
export function numbersOf({ step, completions, sample, reward, primary }: AuditedStep): StepNumbers {
  const numCut = completions.filter(({ finishReason }) => finishReason === "length").length;
  return {
    ...{ step, reward, primary },
    totals: spreadOf(completions.flatMap(({ total }) => total ?? [])),
    meanTokens: completions.reduce((sum, { numTokens }) => sum + numTokens, 0) / completions.length,
    cutShare: numCut / completions.length,
    ...differencesOf(completions),
    patterns: Object.fromEntries(
      PATTERNS.map(({ name, matches }) => [name, sample.filter(matches).length / sample.length]),
    ),
    shadows: Object.fromEntries(shadowsOf(sample).flatMap((name) => compared(sample, name))),
  };
}

/** Names of the held-out rewards that were asked. */
export function shadowsOf(sample: readonly AuditedCompletion[]): string[] {
  return [...new Set(sample.flatMap(({ shadows }) => Object.keys(shadows)))];
}

/** Score of a held-out reward; null where it has none. */
export function shadowScore({ shadows }: AuditedCompletion, name: string): number | null {
  const outcome = shadows[name];
  return outcome?.status === "scored" ? outcome.score : null;
}

/** Two scores agree when both are above 0.5, which is correct, or neither is. */
function compared(
  sample: readonly AuditedCompletion[],
  name: string,
): [string, { primary: Spread; shadow: Spread; agreement: number }][] {
  const pairs = sample.flatMap((completion) => {
    const [primary, shadow] = [completion.primary, shadowScore(completion, name)];
    return primary === null || shadow === null ? [] : [{ primary, shadow }];
  });
  const primary = spreadOf(pairs.map((pair) => pair.primary));
  const shadow = spreadOf(pairs.map((pair) => pair.shadow));
  if (primary === null || shadow === null) return [];
  const numAgreed = pairs.filter((pair) => pair.primary > 0.5 === pair.shadow > 0.5).length;
  return [[name, { primary, shadow, agreement: numAgreed / pairs.length }]];
}

function spreadOf(values: readonly number[]): Spread | null {
  const mean = meanOf(values);
  if (mean === null) return null;
  // Not spread into arguments: a step may have more completions than a call may have of those.
  const least = values.reduce((a, b) => Math.min(a, b));
  const most = values.reduce((a, b) => Math.max(a, b));
  return { mean, min: least, max: most };
}
