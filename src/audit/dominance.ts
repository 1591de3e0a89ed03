/**
 * Which reward decides who of the siblings is better.
 *
 *   share_k = sum over groups of cov(component_k, total) / sum over groups of var(total)
 *
 * The shares of all components add up to 1; a share below 0 is that of a reward which the others overrule. Only differences within groups
 * count, since nothing else makes advantages.
 */
import {
  type Alarm,
  type AuditedCompletion,
  type AuditedStep,
  type Detector,
  type ExamplePair,
  MAX_PAIRS,
} from "./audit.ts";

export interface DominanceOptions {
  /** The reward that the run is about; it may decide alone. Default accuracy. */
  readonly primary?: string;
  /** From which share on another reward dominates. Default 0.9. */
  readonly share?: number;
}

/** By reward; empty where no group has different totals. */
export function componentShares(completions: readonly AuditedCompletion[]): Record<string, number> {
  const groups = groupsOf(completions);
  const sums = new Map<string, number>();
  let variance = 0;
  for (const members of groups) {
    const mean = members.reduce((sum, { total }) => sum + total, 0) / members.length;
    for (const { total, components } of members) {
      variance += (total - mean) ** 2;
      for (const [name, value] of Object.entries(components)) {
        sums.set(name, (sums.get(name) ?? 0) + value * (total - mean));
      }
    }
  }
  if (variance === 0) return {};
  return Object.fromEntries([...sums].map(([name, sum]) => [name, sum / variance]));
}

/** Looks at the newest step. */
export function dominanceDetector({ primary = "accuracy", share = 0.9 }: DominanceOptions = {}): Detector {
  return (steps: readonly AuditedStep[]): Alarm | null => {
    const newest = steps.at(-1);
    if (newest === undefined) return null;
    const shares = componentShares(newest.completions);
    const [first] = Object.entries(shares).sort((a, b) => b[1] - a[1]);
    // Without the primary reward among them there is nothing that it could be overruled in.
    if (first === undefined || first[0] === primary || first[1] < share || shares[primary] === undefined) return null;
    const [name, value] = first;
    return {
      name: "component-dominance",
      message:
        `Step ${newest.step}: ${name} makes ${(100 * value).toFixed(1)} % of the differences between siblings, ` +
        `${primary} ${(100 * shares[primary]).toFixed(1)} %.`,
      examples: furthestPairs(newest.completions, name),
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

type Scored = AuditedCompletion & { readonly total: number };

function isScored(completion: AuditedCompletion): completion is Scored {
  return completion.total !== null;
}

function groupsOf(completions: readonly AuditedCompletion[]): Scored[][] {
  const groups = new Map<string, Scored[]>();
  for (const completion of completions.filter(isScored)) {
    const key = `${completion.step} ${completion.group}`;
    const members = groups.get(key) ?? [];
    members.push(completion);
    groups.set(key, members);
  }
  return [...groups.values()];
}
