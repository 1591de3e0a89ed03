/** `grouper reward fuzz`: how the score of good completions changes when they are mutated. */
import { type FuzzReport, fuzzRewards, type MutationReport } from "../workbench/fuzz.ts";
import { rewardSpecOf } from "./reward.ts";
import { cell, shortNumber, tableLines } from "./table.ts";

export interface RewardFuzzArguments {
  readonly reward: readonly string[];
  readonly data: readonly string[];
  readonly limit: number | undefined;
  readonly maxTokens: number | undefined;
  /** Exit code 1 where a score does not do what it must. */
  readonly strict: boolean;
  readonly json: boolean;
}

export async function runRewardFuzz(args: RewardFuzzArguments, print: (text: string) => void): Promise<number> {
  const report = await fuzzRewards({
    specs: args.reward.map(rewardSpecOf),
    files: args.data,
    ...(args.limit === undefined ? {} : { limit: args.limit }),
    ...(args.maxTokens === undefined ? {} : { maxTokens: args.maxTokens }),
  });
  print(args.json ? `${JSON.stringify(report)}\n` : describe(report));
  return args.strict && !report.holds ? 1 : 0;
}

function describe({ numCompletions, numGood, goodFrom, mutations }: FuzzReport): string {
  const names = [...new Set(mutations.flatMap(({ changes }) => Object.keys(changes)))];
  const right = (head: string) => ({ head, align: "right" as const });
  const table = tableLines(
    [{ head: "mutation" }, { head: "must" }, ...["tried", "before", "after", "wrong"].map(right), ...names.map(right)],
    mutations.map(({ name, expectation, numTried, before, after, numUnexpected, changes }) => [
      name,
      expectation,
      String(numTried),
      before === null ? "" : shortNumber(before),
      after === null ? "" : shortNumber(after),
      numUnexpected === 0 ? "" : String(numUnexpected),
      ...names.map((reward) => signed(changes[reward])),
    ]),
  );
  const lines = [
    `${numGood} of ${numCompletions} completions earn more than ${shortNumber(goodFrom)} and were mutated; the last columns are mean changes by reward`,
    ...table,
    ...mutations.flatMap(describeMutation),
  ];
  return `${lines.join("\n")}\n`;
}

function describeMutation({ name, expectation, numTried, numUnexpected, examples }: MutationReport): string[] {
  if (numUnexpected === 0) return [];
  const should = { falls: "should fall", "no rise": "should not rise", stays: "should stay" }[expectation];
  return [
    "",
    `${name}: the score ${should}, but in ${numUnexpected} of ${numTried} it does not`,
    ...examples.flatMap(({ where, before, after, completion, mutant }) => [
      `  ${where}: ${shortNumber(before)} to ${shortNumber(after)}`,
      `    ${cell(endOf(completion), 100)}`,
      `    ${cell(endOf(mutant), 100)}`,
    ]),
  ];
}

/** Answers stand at the end. */
function endOf(text: string): string {
  return text.length <= 80 ? text : `…${text.slice(-80)}`;
}

function signed(change: number | undefined): string {
  if (change === undefined) return "";
  return change > 0 ? `+${shortNumber(change)}` : shortNumber(change);
}
