/**
 * How long rewards take and how they fail: over saved completions, several times, and over texts made to be slow. The function behind
 * `grouper reward bench`.
 */
import { openRewardPool } from "../reward/pool.ts";
import { type RewardSpec, rewardLabel } from "../reward/reward.ts";
import type { CompletionGroup, ScoredCompletion } from "../reward/units.ts";
import { completionGroupOf, estimateTokens, groupRows, readCompletions } from "./completions.ts";
import { type CallTimes, callTimesOf, PATIENCE } from "./times.ts";

export interface BenchOptions {
  readonly specs: readonly RewardSpec[];
  readonly files: readonly string[];
  /** Rows to read. Default 4096. */
  readonly limit?: number;
  /** Passes over the rows that are timed, after one that is not. Default 3. */
  readonly repeats?: number;
  readonly maxTokens?: number;
  readonly threads?: number;
  readonly deadlineMs?: number;
}

/** Outcomes that failed with one reason. */
export interface FailureCount {
  /** The error, with its numbers and quoted texts left out. */
  readonly reason: string;
  readonly count: number;
  readonly example: { readonly where: string; readonly error: string };
}

export interface RewardTiming {
  readonly name: string;
  readonly numCalls: number;
  /** Wall time of one call in the worker, in milliseconds. */
  readonly elapsedMs: CallTimes & { readonly mean: number };
  /** By the length of the completion: quarters of the calls, from the shortest; fewer where lengths are alike. */
  readonly byLength: readonly { readonly maxChars: number; readonly p50: number; readonly p95: number }[];
  readonly slowest: readonly { readonly where: string; readonly numChars: number; readonly elapsedMs: number }[];
  readonly failures: readonly FailureCount[];
  /** Texts made to be slow on which a call took longer than 100 ms, or failed. */
  readonly hostile: readonly { readonly text: string; readonly elapsedMs: number; readonly error: string | null }[];
}

export interface BenchReport {
  readonly numCompletions: number;
  readonly repeats: number;
  readonly threads: number;
  /** Of all rewards together, from the best pass. */
  readonly completionsPerSecond: number;
  readonly rewards: readonly RewardTiming[];
}

/** One call of one reward, over all passes. */
interface Sample {
  readonly where: string;
  readonly numChars: number;
  readonly elapsedMs: number;
  readonly error: string | null;
}

const SLOW_MS = 100;
const MAX_SLOWEST = 3;

/** Throws a RecipeError for files without completions. */
export async function benchRewards(options: BenchOptions): Promise<BenchReport> {
  const { specs, files, limit = 4096, repeats = 3, maxTokens = 4096, threads = 2, deadlineMs = 10_000 } = options;
  const labels = specs.map(rewardLabel);
  const rows = groupRows(await readCompletions(files, limit));
  const groups = rows.map((members) => completionGroupOf(members, maxTokens, estimateTokens));
  await using pool = await openRewardPool({ rewards: specs, threads, deadlineMs, giveUpAfter: PATIENCE });
  // The first pass compiles: its times are those of no later step.
  await pool.score(groups);
  const samples: Sample[][] = labels.map(() => []);
  let bestMs = Number.POSITIVE_INFINITY;
  for (let pass = 0; pass < repeats; pass++) {
    const start = performance.now();
    const scored = await pool.score(groups);
    bestMs = Math.min(bestMs, performance.now() - start);
    for (const [g, members] of rows.entries()) {
      for (const [i, { where, text }] of members.entries()) {
        for (const [reward, label] of labels.entries())
          samples[reward]!.push(sampleOf(scored[g]![i]!, reward, label, where, text.length));
      }
    }
  }
  const [first] = groups;
  const hostile = hostileTexts().map(({ name, text }) => ({ name, group: alone(first!, text) }));
  const slow = (await pool.score(hostile.map(({ group }) => group))).map(([completion]) => completion!);
  const numCompletions = rows.reduce((sum, members) => sum + members.length, 0);
  return {
    numCompletions,
    repeats,
    threads,
    completionsPerSecond: (1000 * numCompletions) / bestMs,
    rewards: labels.map((label, reward) => ({
      ...timingOf(label, samples[reward]!),
      hostile: slow
        .map((completion, index) => sampleOf(completion, reward, label, hostile[index]!.name, 0))
        .filter(({ elapsedMs, error }) => elapsedMs > SLOW_MS || error !== null)
        .map(({ where, elapsedMs, error }) => ({ text: where, elapsedMs, error })),
    })),
  };
}

function sampleOf(
  { outcomes, elapsedMs }: ScoredCompletion,
  reward: number,
  label: string,
  where: string,
  numChars: number,
): Sample {
  const outcome = outcomes[label]!;
  return { where, numChars, elapsedMs: elapsedMs[reward]!, error: outcome.status === "failed" ? outcome.error : null };
}

function timingOf(name: string, samples: readonly Sample[]): Omit<RewardTiming, "hostile"> {
  const times = samples.map(({ elapsedMs }) => elapsedMs);
  return {
    name,
    numCalls: samples.length,
    elapsedMs: { ...callTimesOf(times), mean: times.reduce((sum, time) => sum + time, 0) / times.length },
    byLength: byLength(samples),
    slowest: slowestOf(samples),
    failures: failuresOf(samples),
  };
}

/** A row once, with its slowest call. */
function slowestOf(samples: readonly Sample[]): RewardTiming["slowest"] {
  const seen = new Set<string>();
  return samples
    .toSorted((a, b) => b.elapsedMs - a.elapsedMs)
    .filter(({ where }) => !seen.has(where) && seen.add(where))
    .slice(0, MAX_SLOWEST)
    .map(({ where, numChars, elapsedMs }) => ({ where, numChars, elapsedMs }));
}

function byLength(samples: readonly Sample[]): RewardTiming["byLength"] {
  const sorted = samples.toSorted((a, b) => a.numChars - b.numChars);
  const edges = [0.25, 0.5, 0.75, 1].map((share) => sorted[Math.ceil(share * sorted.length) - 1]!.numChars);
  return [...new Set(edges)].map((maxChars, index, all) => {
    const minChars = all[index - 1] ?? -1;
    const inside = sorted.filter(({ numChars }) => numChars > minChars && numChars <= maxChars);
    const { p50, p95 } = callTimesOf(inside.map(({ elapsedMs }) => elapsedMs));
    return { maxChars, p50, p95 };
  });
}

/** Most frequent first. */
function failuresOf(samples: readonly Sample[]): FailureCount[] {
  const counts = new Map<string, FailureCount>();
  for (const { where, error } of samples) {
    if (error === null) continue;
    const reason = error.replaceAll(/"[^"]*"|\d+(?:\.\d+)?/g, (part) => (part.startsWith('"') ? '"…"' : "N"));
    const known = counts.get(reason);
    counts.set(reason, { reason, count: (known?.count ?? 0) + 1, example: known?.example ?? { where, error } });
  }
  return [...counts.values()].sort((a, b) => b.count - a.count);
}

/** What makes careless patterns and parsers slow: nesting, near misses, very long words and numbers. */
function hostileTexts(): { name: string; text: string }[] {
  const repeated: readonly (readonly [string, string, number])[] = [
    ["opening braces", "{", 20_000],
    ["boxes that never close", "\\boxed{", 20_000],
    ["answer tags that never close", "<answer>", 20_000],
    ["thinking tags that never close", "<think>", 20_000],
    ["spaces", " ", 100_000],
    ["line breaks", "\n", 100_000],
    ["one letter", "a", 100_000],
    ["digits", "9", 100_000],
    ["commas in a number", "1,", 50_000],
    ["a tower of powers", "9^", 20_000],
    ["nested fractions", "\\frac{1}{", 10_000],
    ["nested roots", "\\sqrt{", 10_000],
    ["brackets", "(", 20_000],
    ["a sum without end", "1+", 20_000],
    ["dollars", "$", 50_000],
    ["backslashes", "\\", 50_000],
  ];
  return repeated.flatMap(([name, part, count]) => {
    const text = part.repeat(count);
    return [
      { name: `${name}, ${count} times`, text },
      { name: `${name}, ${count} times, as the answer`, text: `<think>x</think>\n<answer>${text}</answer>` },
      { name: `${name}, ${count} times, in a box`, text: `The answer is \\boxed{${text}}` },
    ];
  });
}

function alone(group: CompletionGroup, text: string): CompletionGroup {
  return { ...group, completions: [{ text, numTokens: estimateTokens(text), finishReason: "stop" }] };
}
