/**
 * Runs rewards over files of completions, to try a reward before a run depends on it: what it says of each, how long it takes, where
 * it fails. The function behind `grouper reward test`.
 */
import { meanOf } from "../audit/audit.ts";
import { RecipeError } from "../errors.ts";
import { openRewardPool, type RewardPoolStats } from "../reward/pool.ts";
import { type RewardSpec, rewardLabel } from "../reward/reward.ts";
import type { ScoredCompletion } from "../reward/units.ts";
import { totalOf } from "../score.ts";
import { shapeOf } from "./answers.ts";
import {
  batchesOf,
  completionGroupOf,
  estimateTokens,
  groupRows,
  isCompletion,
  type SavedRow,
  savedRows,
} from "./completions.ts";
import { checkGolds, type GoldReport, type GoldRow, goldRowOf } from "./golds.ts";
import { type CallTimes, callTimesOf, PATIENCE } from "./times.ts";

export interface TestRewardsOptions {
  readonly specs: readonly RewardSpec[];
  /** JSON Lines, also gzipped as rollout logs are, JSON arrays or Parquet; read in order. */
  readonly files: readonly string[];
  /** What has been read already, instead of files. */
  readonly rows?: readonly SavedRow[] | undefined;
  /** Rows to read in all; default: every one. */
  readonly limit?: number;
  /** The generation limit that length rewards see. Default 1024. */
  readonly maxTokens?: number;
  /** For rows without numTokens; without it, a token is taken to be 4 characters and `numEstimatedLengths` says how often. */
  readonly countTokens?: (text: string) => number;
  readonly threads?: number;
  readonly deadlineMs?: number;
  /** How a right answer is given, with {answer} in it; default: of several shapes, the one that earns most. */
  readonly gold?: string | undefined;
  /** Column with the answer as a response would give it; default: the row's answer. */
  readonly answerColumn?: string | undefined;
}

export interface RewardReport {
  readonly name: string;
  readonly numScored: number;
  readonly numAbstained: number;
  readonly numFailed: number;
  /** Of the scored; null when there is none. */
  readonly mean: number | null;
  readonly min: number | null;
  readonly max: number | null;
  /** Each value and its count when there are at most ten, else ten bins of equal width from min to max, named by their lower edge. */
  readonly histogram: readonly { readonly from: number; readonly to: number; readonly count: number }[];
  /** Wall time of one call in the worker, in milliseconds. */
  readonly elapsedMs: CallTimes;
  /** The first five. */
  readonly failures: readonly { readonly where: string; readonly error: string }[];
}

export interface RewardTestReport {
  /** 0 for rows that have none: then golds and junk are all that is tried. */
  readonly numCompletions: number;
  readonly numEstimatedLengths: number;
  readonly rewards: readonly RewardReport[];
  /** Of the weighted sums; null when every completion was excluded. */
  readonly meanTotal: number | null;
  /** Completions without a total: a reward failed, or all abstained. */
  readonly numExcluded: number;
  readonly pool: RewardPoolStats;
  /** The rows' own answers against junk; null where no row has an answer. */
  readonly golds: GoldReport | null;
}

const MAX_FAILURES_SHOWN = 5;
/** Questions of which golds and junk are tried. */
const MAX_GOLDS = 256;

/** Throws a RecipeError for a file that is not there or a row that is not a completion, named by file and line. */
export async function testRewards(options: TestRewardsOptions): Promise<RewardTestReport> {
  const { specs, files, limit = Number.POSITIVE_INFINITY, maxTokens = 1024, countTokens } = options;
  const { threads = 2, deadlineMs = 10_000, gold, answerColumn } = options;
  const shape = gold === undefined ? undefined : shapeOf(gold);
  const tallies = specs.map((spec) => new Tally(rewardLabel(spec)));
  const totals: number[] = [];
  const golds = new Map<string, GoldRow>();
  let numCompletions = 0;
  let numEstimatedLengths = 0;
  let first: SavedRow | undefined;
  await using pool = await openRewardPool({ rewards: specs, threads, deadlineMs, giveUpAfter: PATIENCE });
  for await (const rows of batchesOf(options.rows ?? savedRows(files, limit))) {
    first ??= rows[0];
    for (const [row] of groupRows(rows)) {
      const goldRow = golds.size < MAX_GOLDS ? goldRowOf(row!, answerColumn) : null;
      if (goldRow !== null) golds.set(row!.groupKey, goldRow);
    }
    const groups = groupRows(rows.filter(isCompletion));
    numEstimatedLengths += groups
      .flat()
      .filter(({ numTokens }) => numTokens === undefined && countTokens === undefined).length;
    const count = countTokens ?? estimateTokens;
    const scored = await pool.score(groups.map((members) => completionGroupOf(members, maxTokens, count)));
    for (const [index, members] of groups.entries()) {
      for (const [position, completion] of scored[index]!.entries()) {
        for (const [reward, tally] of tallies.entries()) tally.add(completion, reward, members[position]!.where);
        const total = totalOf(completion.outcomes, specs);
        if (total !== null) totals.push(total);
        numCompletions++;
      }
    }
  }
  if (numCompletions === 0 && golds.size === 0)
    throw new RecipeError(
      `Expected rows with a "completion" or an "${answerColumn ?? "answer"}" in ${files.join(", ") || "the data"}, got ${columnsOf(first)}.`,
    );
  if (answerColumn !== undefined && golds.size === 0)
    throw new RecipeError(
      `Expected answers in column "${answerColumn}", but no row of ${files.join(", ") || "the data"} has it.`,
    );
  return {
    numCompletions,
    numEstimatedLengths,
    rewards: tallies.map((tally) => tally.report()),
    meanTotal: meanOf(totals),
    numExcluded: numCompletions - totals.length,
    golds: golds.size === 0 ? null : await checkGolds(pool, specs, [...golds.values()], { shape, maxTokens }),
    pool: pool.stats,
  };
}

/** What a row without an answer has, for who gave it another name. */
function columnsOf(row: SavedRow | undefined): string {
  if (row === undefined) return "no rows";
  const names = Object.keys(row.group.fields);
  return names.length === 0 ? "rows without them" : `rows of other columns: ${names.slice(0, 8).join(", ")}`;
}

/** Collects one reward's outcomes. */
class Tally {
  private readonly name: string;
  private readonly scores: number[] = [];
  private readonly elapsedMs: number[] = [];
  private readonly failures: { where: string; error: string }[] = [];
  private numAbstained = 0;
  private numFailed = 0;

  constructor(name: string) {
    this.name = name;
  }

  add({ outcomes, elapsedMs }: ScoredCompletion, reward: number, where: string): void {
    const outcome = outcomes[this.name]!;
    this.elapsedMs.push(elapsedMs[reward]!);
    if (outcome.status === "scored") this.scores.push(outcome.score);
    if (outcome.status === "abstained") this.numAbstained++;
    if (outcome.status !== "failed") return;
    this.numFailed++;
    if (this.failures.length < MAX_FAILURES_SHOWN) this.failures.push({ where, error: outcome.error });
  }

  report(): RewardReport {
    const sorted = this.scores.toSorted((a, b) => a - b);
    return {
      name: this.name,
      numScored: sorted.length,
      numAbstained: this.numAbstained,
      numFailed: this.numFailed,
      mean: meanOf(sorted),
      min: sorted[0] ?? null,
      max: sorted.at(-1) ?? null,
      histogram: histogramOf(sorted),
      elapsedMs: callTimesOf(this.elapsedMs),
      failures: this.failures,
    };
  }
}

function histogramOf(sorted: readonly number[]): RewardReport["histogram"] {
  const distinct = [...new Set(sorted)];
  if (distinct.length <= 10) {
    return distinct.map((value) => ({
      from: value,
      to: value,
      count: sorted.filter((other) => other === value).length,
    }));
  }
  const [low, high] = [sorted[0]!, sorted.at(-1)!];
  const counts = Array.from({ length: 10 }, () => 0);
  for (const value of sorted) counts[Math.min(9, Math.floor((10 * (value - low)) / (high - low)))]!++;
  const edge = (index: number) => low + (index * (high - low)) / 10;
  return counts.map((count, index) => ({ from: edge(index), to: edge(index + 1), count }));
}
