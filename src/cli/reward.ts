/** `grouper reward test`: rewards over files of completions. */
import type { GoldReport } from "../workbench/golds.ts";
import { type RewardReport, type RewardTestReport, testRewards } from "../workbench/test.ts";
import { type RewardChoice, rewardsToTry } from "./reward-choice.ts";
import { cell, counted, ending, shortNumber } from "./table.ts";

export interface RewardTestArguments extends RewardChoice {
  /** How a right answer is given, with {answer} in it. */
  readonly gold: string | undefined;
  /** Column with the answer as a response would give it. */
  readonly answer: string | undefined;
  /** Exit code 1 where a reward fails, a gold is not at the top, or junk is as good as its gold. */
  readonly strict: boolean;
  readonly json: boolean;
}

export async function runRewardTest(args: RewardTestArguments, print: (text: string) => void): Promise<number> {
  const report = await testRewards({
    ...(await rewardsToTry("test", args)),
    gold: args.gold,
    answerColumn: args.answer,
  });
  print(args.json ? `${JSON.stringify(report)}\n` : describe(report));
  const holds = report.golds?.holds === true && report.rewards.every(({ numFailed }) => numFailed === 0);
  return args.strict && !holds ? 1 : 0;
}

function describe({
  numCompletions,
  rewards,
  meanTotal,
  numExcluded,
  numEstimatedLengths,
  golds,
}: RewardTestReport): string {
  if (numCompletions === 0) {
    return `${["These rows have no completions: golds and junk alone were tried.", ...describeGolds(golds)].join("\n")}\n`;
  }
  const lines = [
    `${counted(numCompletions, "completion")}; mean total ${meanTotal?.toFixed(4) ?? "none"}; ${numExcluded} excluded`,
  ];
  if (numEstimatedLengths > 0)
    lines.push(`${counted(numEstimatedLengths, "row")} without numTokens; a token was taken to be 4 characters`);
  return `${[...lines, ...rewards.flatMap(describeReward), ...describeGolds(golds)].join("\n")}\n`;
}

function describeGolds(golds: GoldReport | null): string[] {
  if (golds === null) return ["", "No row has an answer: golds and junk were not tried."];
  const { shape, numGolds, top, numLow, numWithoutTotal, examples, junk } = golds;
  const numTop = numGolds - numLow - numWithoutTotal;
  const best =
    top === null ? "none has a total" : `${numTop} of ${numGolds} score the most that was seen, ${shortNumber(top)}`;
  const paid = junk.filter(({ numAsGood }) => numAsGood > 0);
  return [
    "",
    `golds (${shape}): ${best}; ${numLow} less, ${numWithoutTotal} without a total`,
    ...examples.map(
      ({ where, answer, total }) => `  ${where}: answer ${cell(answer, 40)} scores ${total ?? "nothing"}`,
    ),
    `junk: ${junk.length - paid.length} of ${junk.length} kinds score less than their golds throughout`,
    ...paid.flatMap(({ name, numAsGood, example }) => [
      `  ${name}: ${numAsGood} of ${numGolds} score as much as their gold`,
      ...(example === null
        ? []
        : [`    ${example.where}: ${cell(ending(example.completion, 60), 80)} scores ${shortNumber(example.total)}`]),
    ]),
  ];
}

function describeReward({
  name,
  numScored,
  numAbstained,
  numFailed,
  mean,
  min,
  max,
  histogram,
  elapsedMs,
  failures,
}: RewardReport): string[] {
  const largest = Math.max(1, ...histogram.map(({ count }) => count));
  return [
    "",
    `${name}: ${numScored} scored, ${numAbstained} abstained, ${numFailed} failed`,
    ...(mean === null ? [] : [`  mean ${mean.toFixed(4)}, from ${min} to ${max}`]),
    ...histogram.map(({ from, to, count }) => {
      const label = from === to ? String(from) : `${from.toFixed(3)} …`;
      return `  ${label.padStart(10)}  ${String(count).padStart(7)}  ${"#".repeat(Math.round((40 * count) / largest))}`;
    }),
    `  time per call: p50 ${elapsedMs.p50.toFixed(2)} ms, p95 ${elapsedMs.p95.toFixed(2)}, p99 ${elapsedMs.p99.toFixed(2)}, max ${elapsedMs.max.toFixed(2)}`,
    ...failures.map(({ where, error }) => `  ${where}: ${error}`),
  ];
}
