/** Two rewards, or two versions of one, on the same completions. The function behind `grouper reward diff`. */
import { meanOf } from "../audit/audit.ts";
import { openRewardPool } from "../reward/pool.ts";
import type { RewardSpec } from "../reward/reward.ts";
import type { RewardOutcome } from "../types.ts";
import { isDifferent, isReordered, type WholePair } from "./agreement.ts";
import { completionGroupOf, estimateTokens, groupRows, readCompletions } from "./completions.ts";
import { type CallTimes, callTimesOf, PATIENCE } from "./times.ts";

export interface DiffOptions {
  readonly old: RewardSpec;
  readonly new: RewardSpec;
  readonly files: readonly string[];
  /** Rows to read; default: every one. */
  readonly limit?: number;
  readonly maxTokens?: number;
  readonly threads?: number;
  readonly deadlineMs?: number;
}

export interface DiffExample {
  readonly where: string;
  readonly completion: string;
  readonly answer: string | null;
  readonly old: RewardOutcome;
  readonly new: RewardOutcome;
}

export interface DiffReport {
  readonly numCompletions: number;
  /** Scored by both, with the same score, a higher one, a lower one. */
  readonly numSame: number;
  readonly numRose: number;
  readonly numFell: number;
  /** Outcomes of another kind, as "scored to failed", and how many; and those that are abstained or failed in both. */
  readonly becameOther: Readonly<Record<string, number>>;
  readonly numUnscoredInBoth: number;
  /** Over completions that both score; null when there is none. */
  readonly meanOld: number | null;
  readonly meanNew: number | null;
  /** Groups of two or more that both score throughout, and those in which a pair of siblings changes its order or its tie. */
  readonly numGroups: number;
  readonly numReordered: number;
  readonly elapsedMs: { readonly old: CallTimes; readonly new: CallTimes };
  /** Other kinds of outcome first, then the largest changes of score: ten at most. */
  readonly examples: readonly DiffExample[];
}

const MAX_EXAMPLES = 10;

/** Throws a RecipeError for files without completions, or a reward that cannot be loaded (named old or new). */
export async function diffRewards(options: DiffOptions): Promise<DiffReport> {
  const { files, limit = Number.POSITIVE_INFINITY, maxTokens = 4096, threads = 2, deadlineMs = 10_000 } = options;
  const rows = groupRows(await readCompletions(files, limit));
  const rewards = [
    { ...options.old, as: "old" },
    { ...options.new, as: "new" },
  ];
  await using pool = await openRewardPool({ rewards, threads, deadlineMs, giveUpAfter: PATIENCE });
  const scored = await pool.score(rows.map((members) => completionGroupOf(members, maxTokens, estimateTokens)));
  const all = rows.map((members, g) =>
    members.map(({ where, text, group }, i): DiffExample => {
      const { outcomes } = scored[g]![i]!;
      return { where, completion: text, answer: group.answer, old: outcomes["old"]!, new: outcomes["new"]! };
    }),
  );
  const flat = all.flat();
  const both = flat.flatMap((one) => (isScoredPair(one) ? [one] : []));
  const change = ({ old: before, new: after }: ScoredPair) => after.score - before.score;
  const becameOther: Record<string, number> = {};
  for (const { old: before, new: after } of flat) {
    if (before.status === after.status) continue;
    const key = `${before.status} to ${after.status}`;
    becameOther[key] = (becameOther[key] ?? 0) + 1;
  }
  const changed = both.filter((one) => isDifferent(pairOf(one)));
  const comparable = all.flatMap((group) => {
    const pairs = group.filter(isScoredPair).map(pairOf);
    return group.length > 1 && pairs.length === group.length ? [pairs] : [];
  });
  return {
    numCompletions: flat.length,
    numSame: both.length - changed.length,
    numRose: changed.filter((one) => change(one) > 0).length,
    numFell: changed.filter((one) => change(one) < 0).length,
    becameOther,
    numUnscoredInBoth: flat.filter(({ old: a, new: b }) => a.status === b.status && a.status !== "scored").length,
    meanOld: meanOf(both.map(({ old: before }) => before.score)),
    meanNew: meanOf(both.map(({ new: after }) => after.score)),
    numGroups: comparable.length,
    numReordered: comparable.filter(isReordered).length,
    elapsedMs: {
      old: callTimesOf(scored.flat().map(({ elapsedMs }) => elapsedMs[0]!)),
      new: callTimesOf(scored.flat().map(({ elapsedMs }) => elapsedMs[1]!)),
    },
    examples: [
      ...flat.filter(({ old: before, new: after }) => before.status !== after.status),
      ...changed.toSorted((a, b) => Math.abs(change(b)) - Math.abs(change(a))),
    ].slice(0, MAX_EXAMPLES),
  };
}

type Scored = Extract<RewardOutcome, { status: "scored" }>;
type ScoredPair = DiffExample & { readonly old: Scored; readonly new: Scored };

function isScoredPair(one: DiffExample): one is ScoredPair {
  return one.old.status === "scored" && one.new.status === "scored";
}

function pairOf({ old: before, new: after }: ScoredPair): WholePair {
  return { before: before.score, after: after.score };
}
