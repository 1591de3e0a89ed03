/** `grouper reward bench`: how long rewards take, and how they fail. */
import { type BenchReport, benchRewards, type RewardTiming } from "../workbench/bench.ts";
import { type RewardChoice, rewardsToTry } from "./reward-choice.ts";
import { tableLines } from "./table.ts";

export interface RewardBenchArguments extends RewardChoice {
  readonly repeats: number | undefined;
  readonly threads: number | undefined;
  /** Exit code 1 where a reward fails, or is slow on a hostile text. */
  readonly strict: boolean;
}

export async function runRewardBench(args: RewardBenchArguments, print: (text: string) => void): Promise<number> {
  const report = await benchRewards({
    ...(await rewardsToTry("bench", args)),
    ...(args.repeats === undefined ? {} : { repeats: args.repeats }),
    ...(args.threads === undefined ? {} : { threads: args.threads }),
  });
  print(args.json ? `${JSON.stringify(report)}\n` : describe(report));
  const holds = report.rewards.every(({ failures, hostile }) => failures.length + hostile.length === 0);
  return args.strict && !holds ? 1 : 0;
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
