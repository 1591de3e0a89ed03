/**
 * Held-out rewards, asked in workers of their own. Whatever they do is an outcome: a shadow that throws, hangs or ends its worker fails on the
 * completions that it was asked about, and the step goes on.
 */
import { setTimeout } from "node:timers/promises";
import { messageOf, RecipeError } from "../errors.ts";
import type { AuditSpec, ShadowSpec } from "../recipe/audit-schema.ts";
import { openRewardPool, type RewardPool } from "../reward/pool.ts";
import type { RewardSpec } from "../reward/reward.ts";
import { completionGroupOf } from "../score.ts";
import type { Group, RewardOutcome } from "../types.ts";

type Outcomes = Readonly<Record<string, RewardOutcome>>;

function rewardSpecOf(spec: ShadowSpec): RewardSpec {
  return typeof spec === "string" ? { name: spec, weight: 0 } : { ...spec, weight: 0 };
}

/** Throws RecipeError for rewards that do not load, and for one that compares siblings. */
export async function openShadowRewards(spec: AuditSpec): Promise<ShadowRewards> {
  const pool = await openRewardPool({
    rewards: spec.shadow.map(rewardSpecOf),
    threads: spec.threads,
    deadlineMs: 1000 * spec.deadlineSeconds,
  });
  const compares = pool.rewards.find(({ kind }) => kind === "group");
  if (compares === undefined) return new ShadowRewards(pool, spec.stepSeconds);
  await pool.close();
  throw new RecipeError(
    `Expected held-out rewards that score a completion by itself, but ${compares.label} compares siblings, of which the audit sees a sample. Leave it out of audit.shadow.`,
  );
}

/** The workers of all held-out rewards of a stage. */
export class ShadowRewards implements AsyncDisposable {
  private readonly pool: RewardPool;
  private readonly stepSeconds: number;
  /** True while workers are at a step that took too long. */
  private isBusy = false;

  constructor(pool: RewardPool, stepSeconds: number) {
    this.pool = pool;
    this.stepSeconds = stepSeconds;
  }

  /** [sample] outcomes by held-out reward, for group and index of completions in the order of groups. Never rejects. */
  async ask(
    groups: readonly Group[],
    sample: readonly (readonly [group: number, index: number])[],
    maxTokens: number,
  ): Promise<Outcomes[]> {
    const indices = new Map<number, number[]>();
    for (const [group, index] of sample) indices.set(group, [...(indices.get(group) ?? []), index]);
    const asked = [...indices].map(([group, chosen]) => {
      const whole = completionGroupOf(groups[group]!, maxTokens);
      return { ...whole, completions: chosen.map((index) => whole.completions[index]!) };
    });
    if (this.isBusy) return this.failed(sample.length, "It is still at an earlier step.");
    this.isBusy = true;
    const scoring = this.pool
      .score(asked)
      .then(
        (scored) => scored.flat().map(({ outcomes }) => outcomes),
        (error: unknown) => this.failed(sample.length, messageOf(error)),
      )
      .finally(() => {
        this.isBusy = false;
      });
    const cancel = new AbortController();
    const late = setTimeout(1000 * this.stepSeconds, null, { signal: cancel.signal }).catch(() => null);
    const outcomes = await Promise.race([scoring, late]);
    cancel.abort();
    return (
      outcomes ?? this.failed(sample.length, `The step's held-out rewards took longer than ${this.stepSeconds} s.`)
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.close();
  }

  private failed(count: number, error: string): Outcomes[] {
    const outcomes = Object.fromEntries(
      this.pool.labels.map((label): [string, RewardOutcome] => [label, { status: "failed", error }]),
    );
    return Array.from({ length: count }, () => outcomes);
  }
}
