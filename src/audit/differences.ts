/**
 * Which reward decides who of the siblings is better.
 *
 *   share_k = sum over groups of cov(component_k, total) / sum over groups of var(total)
 *
 * The shares of all components add up to 1; a share below 0 is that of a reward which the others overrule. Only differences within groups
 * count, since nothing else makes advantages; and only groups in which the primary reward has something left to decide: where all siblings
 * are right (above 0.5), the others are welcome to.
 */
import type { AuditedCompletion } from "./audit.ts";

/** The sums of a step. */
export interface Differences {
  readonly variance: number;
  /** By reward. */
  readonly covariances: Readonly<Record<string, number>>;
}

/** Of one step. */
export function differencesOf(completions: readonly AuditedCompletion[]): Differences {
  const sums = new Map<string, number>();
  let variance = 0;
  for (const members of groupsOf(completions)) {
    if (members.every(({ primary }) => primary !== null && primary > 0.5)) continue;
    const mean = members.reduce((sum, { total }) => sum + total, 0) / members.length;
    for (const { total, components } of members) {
      variance += (total - mean) ** 2;
      for (const [name, value] of Object.entries(components)) {
        sums.set(name, (sums.get(name) ?? 0) + value * (total - mean));
      }
    }
  }
  return { variance, covariances: Object.fromEntries(sums) };
}

/** By reward, over several steps; empty where no group has different totals. */
export function componentShares(steps: readonly Differences[]): Record<string, number> {
  const variance = steps.reduce((sum, step) => sum + step.variance, 0);
  if (variance === 0) return {};
  const names = new Set(steps.flatMap(({ covariances }) => Object.keys(covariances)));
  const sumOf = (name: string) => steps.reduce((sum, { covariances }) => sum + (covariances[name] ?? 0), 0);
  return Object.fromEntries([...names].map((name) => [name, sumOf(name) / variance]));
}

type Scored = AuditedCompletion & { readonly total: number };

function isScored(completion: AuditedCompletion): completion is Scored {
  return completion.total !== null;
}

/** Siblings that have a total. */
export function groupsOf(completions: readonly AuditedCompletion[]): Scored[][] {
  const groups = new Map<number, Scored[]>();
  for (const completion of completions.filter(isScored)) {
    const members = groups.get(completion.group) ?? [];
    members.push(completion);
    groups.set(completion.group, members);
  }
  return [...groups.values()];
}
