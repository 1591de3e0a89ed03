/** `grouper reward bench`: how long rewards take, and how they fail. */
import { type BenchReport, benchRewards, type RewardTiming } from "../workbench/bench.ts";
import { rewardSpecOf } from "./reward.ts";
import { tableLines } from "./table.ts";

export interface RewardBenchArguments {
  readonly reward: readonly string[];
  readonly data: readonly string[];
  readonly limit: number | undefined;
  readonly maxTokens: number | undefined;
  readonly repeats: number | undefined;
  readonly threads: number | undefined;
  readonly json: boolean;
}

export async function runRewardBench(args: RewardBenchArguments, print: (text: string) => void): Promise<number> {
  const report = await benchRewards({
    specs: args.reward.map(rewardSpecOf),
    files: args.data,
    ...(args.limit === undefined ? {} : { limit: args.limit }),
    ...(args.maxTokens === undefined ? {} : { maxTokens: args.maxTokens }),
    ...(args.repeats === undefined ? {} : { repeats: args.repeats }),
    ...(args.threads === undefined ? {} : { threads: args.threads }),
  });
  print(args.json ? `${JSON.stringify(report)}\n` : describe(report));
  return 0;
}

function describe({ numCompletions, repeats, threads, completionsPerSecond, rewards }: BenchReport): string {
  const times = tableLines(
    [
      { head: "ms per call" },
      ...["calls", "mean", "p50", "p95", "p99", "max"].map((head) => ({ head, align: "right" as const })),
    ],
    rewards.map(({ name, numCalls, elapsedMs: { mean, p50, p95, p99, max } }) => [
      name,
      String(numCalls),
      ...[mean, p50, p95, p99, max].map((ms) => ms.toFixed(3)),
    ]),
  );
  const lines = [
    `${numCompletions} completions, ${repeats} passes, ${threads} threads: ${completionsPerSecond.toFixed(0)} completions/s`,
    ...times,
    ...rewards.flatMap(describeReward),
  ];
  return `${lines.join("\n")}\n`;
}

function describeReward({ name, byLength, slowest, failures, hostile }: RewardTiming): string[] {
  return [
    "",
    `${name}: ${failures.reduce((sum, { count }) => sum + count, 0)} failures`,
    ...byLength.map(
      ({ maxChars, p50, p95 }) => `  up to ${maxChars} characters: p50 ${p50.toFixed(3)} ms, p95 ${p95.toFixed(3)}`,
    ),
    ...slowest.map(
      ({ where, numChars, elapsedMs }) => `  slowest: ${where}, ${numChars} characters, ${elapsedMs.toFixed(3)} ms`,
    ),
    ...failures.map(({ count, example }) => `  failed ${count} times, e.g. ${example.where}: ${example.error}`),
    ...(hostile.length === 0
      ? ["  no hostile text took more than 100 ms"]
      : hostile.map(({ text, elapsedMs, error }) => `  hostile: ${text}: ${error ?? `${elapsedMs.toFixed(0)} ms`}`)),
  ];
}
