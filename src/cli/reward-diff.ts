/** `grouper reward diff`: two rewards, or two versions of one, on the same completions. */
import { UsageError } from "../errors.ts";
import type { RewardOutcome } from "../types.ts";
import { type DiffReport, diffRewards } from "../workbench/diff.ts";
import { rewardSpecOf } from "./reward-choice.ts";
import { cell, ending, shortNumber } from "./table.ts";

export interface RewardDiffArguments {
  readonly old: string;
  readonly new: string;
  readonly data: readonly string[] | undefined;
  readonly limit: number | undefined;
  readonly maxTokens: number | undefined;
  /** Seconds. */
  readonly deadline: number | undefined;
  /** Exit code 1 where any completion gets another outcome. */
  readonly strict: boolean;
  readonly json: boolean;
}

export async function runRewardDiff(args: RewardDiffArguments, print: (text: string) => void): Promise<number> {
  if (args.data === undefined) throw new UsageError("Expected --data with a file of completions.");
  const report = await diffRewards({
    old: rewardSpecOf(args.old),
    new: rewardSpecOf(args.new),
    files: args.data,
    ...(args.deadline === undefined ? {} : { deadlineMs: 1000 * args.deadline }),
    ...(args.limit === undefined ? {} : { limit: args.limit }),
    ...(args.maxTokens === undefined ? {} : { maxTokens: args.maxTokens }),
  });
  print(args.json ? `${JSON.stringify(report)}\n` : describe(report));
  const { numSame, numUnscoredInBoth, numCompletions } = report;
  return args.strict && numSame + numUnscoredInBoth < numCompletions ? 1 : 0;
}

function describe(report: DiffReport): string {
  const { numCompletions, numSame, numRose, numFell, becameOther, numUnscoredInBoth, elapsedMs } = report;
  const { meanOld, meanNew, numGroups, numReordered, examples } = report;
  const mean = (value: number | null) => (value === null ? "none" : value.toFixed(4));
  const lines = [
    `${numCompletions} completions: ${numSame} score the same, ${numRose} more, ${numFell} less; ${numUnscoredInBoth} scored by neither`,
    ...Object.entries(becameOther).map(([change, count]) => `  ${change}: ${count}`),
    `mean ${mean(meanOld)} to ${mean(meanNew)}`,
    `groups in which siblings change their order: ${numReordered} of ${numGroups}`,
    `time per call: p50 ${elapsedMs.old.p50.toFixed(2)} to ${elapsedMs.new.p50.toFixed(2)} ms, p99 ${elapsedMs.old.p99.toFixed(2)} to ${elapsedMs.new.p99.toFixed(2)}`,
    ...examples.flatMap(({ where, completion, answer, old: before, new: after }) => [
      `  ${where}: ${shown(before)} to ${shown(after)}${answer === null ? "" : `, answer ${cell(answer, 40)}`}`,
      `    ${cell(ending(completion, 80), 100)}`,
    ]),
  ];
  return `${lines.join("\n")}\n`;
}

function shown(outcome: RewardOutcome): string {
  if (outcome.status === "scored") return shortNumber(outcome.score);
  return outcome.status === "failed" ? `failed (${outcome.error})` : "abstained";
}
