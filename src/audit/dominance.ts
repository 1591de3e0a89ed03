/** Another reward than the one that the run is about decides who of the siblings is better. */
import { type Alarm, type AuditedCompletion, type AuditedStep, type ExamplePair, MAX_PAIRS } from "./audit.ts";
import { componentShares, groupsOf } from "./differences.ts";
import { type Comparison, type Detector, spanOf } from "./history.ts";

/** When another reward decides. */
export interface DominanceOptions {
  /** The reward that the run is about; it may decide alone. */
  readonly primary: string;
  /** From which share on another reward dominates. */
  readonly dominance: number;
}

/** Looks at the late steps alone: a reward that decides from the start is no less in the way of the primary one. */
export function dominanceDetector({ primary, dominance }: DominanceOptions): Detector {
  return ({ late }: Comparison, { completions }: AuditedStep): Alarm | null => {
    const shares = componentShares(late);
    const [first] = Object.entries(shares).sort((a, b) => b[1] - a[1]);
    // Without the primary reward among them there is nothing that it could be overruled in.
    if (first === undefined || first[0] === primary || first[1] < dominance || shares[primary] === undefined)
      return null;
    const [name, share] = first;
    const examples = furthestPairs(completions, name);
    if (examples.length === 0) return null;
    const percent = (value: number) => (100 * value).toFixed(1);
    return {
      name: "component-dominance",
      message:
        `In ${spanOf(late)} the reward ${name} makes ${percent(share)} % of the differences between siblings, ` +
        `and ${primary} ${percent(shares[primary])} %.`,
      examples,
    };
  };
}

/** Siblings that `name` sets apart most, the one that it prefers first. */
function furthestPairs(completions: readonly AuditedCompletion[], name: string): ExamplePair[] {
  const partOf = ({ components }: AuditedCompletion) => components[name] ?? 0;
  return groupsOf(completions)
    .flatMap((members) => {
      const sorted = members.toSorted((a, b) => partOf(b) - partOf(a));
      const [suspect, control] = [sorted[0]!, sorted.at(-1)!];
      const distance = partOf(suspect) - partOf(control);
      return distance > 0 ? [{ suspect, control, distance }] : [];
    })
    .toSorted((a, b) => b.distance - a.distance)
    .slice(0, MAX_PAIRS)
    .map(({ suspect, control }) => ({ suspect, control }));
}
