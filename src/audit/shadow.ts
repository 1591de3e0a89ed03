/**
 * Reward against a held-out reward: the policy is paid more while the held-out one is flat or falls.
 *
 *   gap = (primary - its least) / its range - (shadow - its least) / its range
 *
 * with least and range over the steps that are compared, so that rewards of different scales can be. Alarm when the gap grows, and by more
 * than half of what the primary reward gained: a shadow that follows is none. The gap is of completions that both judged; the primary reward
 * is over all that was sampled, since dynamic sampling trains only groups whose rewards differ.
 */
import { type Alarm, type AuditedCompletion, type AuditedStep, pairsOf } from "./audit.ts";
import { type Comparison, changeOf, type Detector, hasFallen, hasRisen, spanOf } from "./history.ts";
import { type Spread, shadowScore } from "./numbers.ts";

/** How far the primary reward may leave a held-out one behind. */
export interface ShadowOptions {
  /** The reward that the run is about. */
  readonly primary: string;
  /** Probability below which a change is none by chance. */
  readonly chance: number;
  /** Growth of the gap from which on an alarm is due. */
  readonly gap: number;
}

/** Of the held-out reward `name`. */
export function shadowDetector(name: string, { primary, chance, gap }: ShadowOptions): Detector {
  return ({ early, late }: Comparison, { sample }: AuditedStep): Alarm | null => {
    const judged = (steps: Comparison["early"]) => steps.flatMap(({ shadows }) => shadows[name] ?? []);
    const [before, after] = [judged(early), judged(late)];
    const paid = scaleOf([...before, ...after].map((step) => step.primary));
    const held = scaleOf([...before, ...after].map((step) => step.shadow));
    const gapOf = (step: { readonly primary: Spread; readonly shadow: Spread }) =>
      paid(step.primary.mean) - held(step.shadow.mean);
    const grown = changeOf(before.map(gapOf), after.map(gapOf));
    const gained = changeOf(
      early.flatMap((step) => step.primary ?? []),
      late.flatMap((step) => step.primary ?? []),
    );
    const shown = changeOf(
      before.map(({ shadow }) => shadow.mean),
      after.map(({ shadow }) => shadow.mean),
    );
    if (grown === null || gained === null || shown === null) return null;
    const growth = grown.to - grown.from;
    if (!hasRisen(grown, chance) || growth < gap || growth < (paid(gained.to) - paid(gained.from)) / 2) return null;
    // Both fall: the policy gets worse, which is no way to please a reward.
    if (hasFallen(gained, chance)) return null;
    const scoreOf = (completion: AuditedCompletion) => shadowScore(completion, name);
    const rewarded = sample.filter((one) => one.primary !== null && paid(one.primary) > 0.5 && scoreOf(one) !== null);
    const suspects = rewarded.filter((one) => held(scoreOf(one)!) <= 0.5);
    if (suspects.length === 0) return null;
    const agreementOf = (steps: readonly { readonly agreement: number }[]) =>
      ((100 * steps.reduce((sum, { agreement }) => sum + agreement, 0)) / steps.length).toFixed(1);
    return {
      name: `shadow-divergence/${name}`,
      message:
        `From ${spanOf(early)} to ${spanOf(late)} ${primary} goes from ${gained.from.toFixed(3)} to ${gained.to.toFixed(3)} and the held-out ` +
        `${name} from ${shown.from.toFixed(3)} to ${shown.to.toFixed(3)}; they agree on ${agreementOf(after)} % of the completions, ` +
        `${agreementOf(before)} % before.`,
      examples: pairsOf(
        suspects,
        rewarded.filter((one) => held(scoreOf(one)!) > 0.5),
      ),
    };
  };
}

/** Maps the least that was seen to 0 and the most to 1; a score that never changes to 0. */
function scaleOf(spreads: readonly Spread[]): (score: number) => number {
  const least = Math.min(...spreads.map(({ min }) => min));
  const range = Math.max(...spreads.map(({ max }) => max)) - least;
  return (score) => (range > 0 ? (score - least) / range : 0);
}
