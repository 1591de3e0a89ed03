/** `grouper reward fuzz`: how the score of good completions changes when they are mutated. */
import { type FuzzReport, fuzzRewards, type MutationReport } from "../workbench/fuzz.ts";
import { type RewardChoice, rewardsToTry } from "./reward-choice.ts";
import { cell, ending, shortNumber, tableLines } from "./table.ts";

export interface RewardFuzzArguments extends RewardChoice {
  /** For rows without completions: how a right answer is given, with {answer} in it. */
  readonly gold: string | undefined;
  /** Column with the answer as a response would give it. */
  readonly answer: string | undefined;
  /** Exit code 1 where a score does not do what it must. */
  readonly strict: boolean;
}

export async function runRewardFuzz(args: RewardFuzzArguments, print: (text: string) => void): Promise<number> {
  const report = await fuzzRewards({
    ...(await rewardsToTry("fuzz", args)),
    gold: args.gold,
    answerColumn: args.answer,
  });
  print(args.json ? `${JSON.stringify(report)}\n` : describe(report));
  return args.strict && !report.holds ? 1 : 0;
}

function describe({ numCompletions, shape, numGood, goodFrom, mutations }: FuzzReport): string {
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
    ...(shape === null ? [] : [`right and wrong completions were written from the rows' answers (${shape})`]),
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
      `    ${cell(ending(completion, 80), 100)}`,
      `    ${cell(ending(mutant, 80), 100)}`,
    ]),
  ];
}

function signed(change: number | undefined): string {
  if (change === undefined) return "";
  return change > 0 ? `+${shortNumber(change)}` : shortNumber(change);
}
