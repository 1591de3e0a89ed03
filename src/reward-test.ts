/**
 * Runs rewards over files of completions, to try a reward before a run depends on it: what it says of each, how long it takes, where
 * it fails. The function behind `grouper reward test`.
 *
 * A row is {"completion": …, "prompt"?, "prefill"?, "answer"?, "numTokens"?, "finishReason"?, …}; other columns are the fields that
 * rewards may read. Consecutive rows with the same `group`, or else the same prompt, are scored as one group.
 */
import { readRows } from "./dataset/read.ts";
import { RecipeError } from "./errors.ts";
import { openRewardPool, type RewardPoolStats } from "./reward/pool.ts";
import { type RewardSpec, rewardLabel } from "./reward/reward.ts";
import type { CompletionGroup, ScoredCompletion } from "./reward/units.ts";
import { totalOf } from "./score.ts";
import type { FinishReason } from "./types.ts";

export interface TestRewardsOptions {
  readonly specs: readonly RewardSpec[];
  /** JSON Lines, also gzipped as rollout logs are, JSON arrays or Parquet; read in order. */
  readonly files: readonly string[];
  /** Rows to read in all; default: every one. */
  readonly limit?: number;
  /** The generation limit that length rewards see. Default 1024. */
  readonly maxTokens?: number;
  /** For rows without numTokens; without it, a token is taken to be 4 characters and `numEstimatedLengths` says how often. */
  readonly countTokens?: (text: string) => number;
  readonly threads?: number;
  readonly deadlineMs?: number;
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
  readonly elapsedMs: { readonly p50: number; readonly p95: number; readonly p99: number; readonly max: number };
  /** The first five. */
  readonly failures: readonly { readonly where: string; readonly error: string }[];
}

export interface RewardTestReport {
  readonly numCompletions: number;
  readonly numEstimatedLengths: number;
  readonly rewards: readonly RewardReport[];
  /** Of the weighted sums; null when every completion was excluded. */
  readonly meanTotal: number | null;
  /** Completions without a total: a reward failed, or all abstained. */
  readonly numExcluded: number;
  readonly pool: RewardPoolStats;
}

interface Row {
  readonly where: string;
  readonly groupKey: string;
  readonly group: Omit<CompletionGroup, "completions" | "maxTokens">;
  readonly text: string;
  readonly numTokens: number | undefined;
  readonly finishReason: FinishReason;
}

/** Rows of a file are read and scored so many at a time: memory does not grow with the file. */
const ROWS_AT_ONCE = 1024;
const MAX_FAILURES_SHOWN = 5;

/** Throws a RecipeError for a file that is not there or a row that is not a completion, named by file and line. */
export async function testRewards(options: TestRewardsOptions): Promise<RewardTestReport> {
  const { specs, files, limit = Number.POSITIVE_INFINITY, maxTokens = 1024, countTokens } = options;
  const { threads = 2, deadlineMs = 10_000 } = options;
  const tallies = specs.map((spec) => new Tally(rewardLabel(spec)));
  const totals: number[] = [];
  let numCompletions = 0;
  let numEstimatedLengths = 0;
  await using pool = await openRewardPool({ rewards: specs, threads, deadlineMs });
  for await (const rows of batchesOf(completionRows(files, limit))) {
    const groups = groupRows(rows);
    numEstimatedLengths += rows.filter(({ numTokens }) => numTokens === undefined && countTokens === undefined).length;
    const count = countTokens ?? ((text: string) => Math.ceil(text.length / 4));
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
  if (numCompletions === 0)
    throw new RecipeError(`Expected completions in ${files.join(", ") || "a file"}, got no rows.`);
  return {
    numCompletions,
    numEstimatedLengths,
    rewards: tallies.map((tally) => tally.report()),
    meanTotal: meanOf(totals),
    numExcluded: numCompletions - totals.length,
    pool: pool.stats,
  };
}

async function* completionRows(files: readonly string[], limit: number): AsyncGenerator<Row> {
  let numRows = 0;
  for (const file of files) {
    for await (const read of readRows(file)) {
      if (numRows >= limit) return;
      if ("fault" in read) throw new RecipeError(`${read.where}: ${read.fault}.`);
      numRows++;
      yield completionRow(read.row, read.where);
    }
  }
}

function completionRow(row: Readonly<Record<string, unknown>>, where: string): Row {
  const {
    completion,
    prompt = "",
    prefill = "",
    answer = null,
    numTokens,
    finishReason = "stop",
    group,
    ...fields
  } = row;
  if (typeof completion !== "string")
    throw new RecipeError(
      `${where}: expected "completion" to be text, got ${JSON.stringify(completion) ?? "nothing"}.`,
    );
  if (typeof prompt !== "string" || typeof prefill !== "string")
    throw new RecipeError(`${where}: expected "prompt" and "prefill" to be text.`);
  if (finishReason !== "stop" && finishReason !== "length")
    throw new RecipeError(`${where}: expected "finishReason" to be stop or length.`);
  if (numTokens !== undefined && (!Number.isInteger(numTokens) || Number(numTokens) < 0)) {
    throw new RecipeError(`${where}: expected "numTokens" to be a whole number, got ${JSON.stringify(numTokens)}.`);
  }
  const answerText = typeof answer === "number" ? String(answer) : answer;
  if (answerText !== null && typeof answerText !== "string")
    throw new RecipeError(`${where}: expected "answer" to be text, a number or null.`);
  return {
    where,
    groupKey: JSON.stringify(group ?? [prompt, answerText, fields]),
    group: { prompt, prefill, answer: answerText, fields },
    text: completion,
    numTokens: numTokens as number | undefined,
    finishReason,
  };
}

/** A group is never cut in two, so a batch may be longer than asked. */
async function* batchesOf(rows: AsyncIterable<Row>): AsyncGenerator<Row[]> {
  let batch: Row[] = [];
  for await (const row of rows) {
    if (batch.length >= ROWS_AT_ONCE && batch.at(-1)!.groupKey !== row.groupKey) {
      yield batch;
      batch = [];
    }
    batch.push(row);
  }
  if (batch.length > 0) yield batch;
}

function groupRows(rows: readonly Row[]): Row[][] {
  const groups: Row[][] = [];
  for (const row of rows) {
    const last = groups.at(-1);
    if (last !== undefined && last[0]!.groupKey === row.groupKey) last.push(row);
    else groups.push([row]);
  }
  return groups;
}

function completionGroupOf(rows: readonly Row[], maxTokens: number, count: (text: string) => number): CompletionGroup {
  const completions = rows.map(({ text, numTokens, finishReason }) => ({
    text,
    numTokens: numTokens ?? count(text),
    finishReason,
  }));
  return { ...rows[0]!.group, maxTokens, completions };
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
    const times = this.elapsedMs.toSorted((a, b) => a - b);
    const percentile = (share: number) => times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? 0;
    return {
      name: this.name,
      numScored: sorted.length,
      numAbstained: this.numAbstained,
      numFailed: this.numFailed,
      mean: meanOf(sorted),
      min: sorted[0] ?? null,
      max: sorted.at(-1) ?? null,
      histogram: histogramOf(sorted),
      elapsedMs: { p50: percentile(0.5), p95: percentile(0.95), p99: percentile(0.99), max: percentile(1) },
      failures: this.failures,
    };
  }
}

function meanOf(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
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
