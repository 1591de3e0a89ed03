/** `grouper reward replay`: rewards run again over the rollouts of a run, and the audit of its steps. */
import type { Alarm, AuditedCompletion } from "../audit/audit.ts";
import { UsageError } from "../errors.ts";
import { type RewardReplay, replayRewards } from "../workbench/replay.ts";
import { rewardSpecsOf } from "./reward-choice.ts";
import { cell, ending, shortNumber, tableLines } from "./table.ts";

export interface RewardReplayArguments {
  readonly run: string;
  /** Empty: the run's own. */
  readonly reward: readonly string[];
  readonly stage: string | undefined;
  /** 3 or 3-7; default: all. */
  readonly step: string | undefined;
  /** Exit code 1 where a reward fails, the run's own rewards do not give every score again, or the audit alarms. */
  readonly strict: boolean;
  readonly json: boolean;
}

export async function runRewardReplay(args: RewardReplayArguments, print: (text: string) => void): Promise<number> {
  const report = await replayRewards({
    run: args.run,
    stage: args.stage,
    steps: rangeOf(args.step),
    specs: args.reward.length === 0 ? undefined : rewardSpecsOf(args.reward),
  });
  print(args.json ? `${JSON.stringify(report)}\n` : describe(report));
  const { isOwn, steps, numFailed, alarms } = report;
  const isOther = isOwn && steps.some(({ numDifferent }) => numDifferent > 0);
  return args.strict && (isOther || numFailed + alarms.length > 0) ? 1 : 0;
}

function rangeOf(text: string | undefined): { from: number; to: number } | undefined {
  if (text === undefined) return undefined;
  const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  if (from !== undefined && Number(to) >= Number(from)) return { from: Number(from), to: Number(to) };
  throw new UsageError(`Expected a step or a range for --step, such as 3 or 3-7, got ${JSON.stringify(text)}.`);
}

function describe(report: RewardReplay): string {
  const { failures, examples, alarms } = report;
  const lines = [
    ...(report.isOwn ? describeOwn(report) : describeOthers(report)),
    ...failures.map((failure) => `  failed: ${failure}`),
    ...examples.flatMap(({ step, group, index, completion, answer, logged, replayed }) => [
      `  step ${step}, group ${group}, completion ${index}: logged ${totalText(logged)}, replayed ${totalText(replayed)}${answer === null ? "" : `, answer ${cell(answer, 40)}`}`,
      `    ${shown(completion)}`,
    ]),
    "",
    alarms.length === 0 ? "The audit of these steps raises no alarm." : "Alarms:",
    ...alarms.flatMap(describeAlarm),
  ];
  return `${lines.join("\n")}\n`;
}

const right = (head: string) => ({ head, align: "right" as const });

/** Do they give every score again? */
function describeOwn({ stage, rewards, steps, numFailed }: RewardReplay): string[] {
  const numDifferent = steps.reduce((sum, step) => sum + step.numDifferent, 0);
  return [
    `Stage ${stage}, its own rewards (${rewards.join(", ")}): ${numDifferent} of ${numCompletionsOf(steps)} completions have another total; ${numFailed} failures`,
    ...tableLines(
      ["step", "completions", "logged", "replayed", "different"].map(right),
      steps.map(({ step, numCompletions, logged, replayed, numDifferent: different }) => [
        ...[String(step), String(numCompletions), meanText(logged), meanText(replayed), String(different)],
      ]),
    ),
  ];
}

/** Would they have trained the same? Their totals may be in other units. */
function describeOthers(report: RewardReplay): string[] {
  const { stage, rewards, steps, correlation, numGroups, numReordered, numFailed } = report;
  return [
    `Stage ${stage}, judged by ${rewards.join(", ")}: ${numCompletionsOf(steps)} completions, ` +
      `${correlation === null ? "no correlation" : `correlation ${correlation.toFixed(3)}`}; ` +
      `siblings change their order in ${numReordered} of ${numGroups} groups; ${numFailed} failures`,
    "paid: above the middle of all its totals",
    ...tableLines(
      ["step", "completions", "logged", "replayed", "paid by the run alone", "by the replay alone"].map(right),
      steps.map(({ step, numCompletions, logged, replayed, numPaidByRun, numPaidByReplay }) => [
        ...[String(step), String(numCompletions), meanText(logged), meanText(replayed)],
        ...[numPaidByRun, numPaidByReplay].map((count) => (count === 0 ? "" : String(count))),
      ]),
    ),
  ];
}

function numCompletionsOf(steps: RewardReplay["steps"]): number {
  return steps.reduce((sum, { numCompletions }) => sum + numCompletions, 0);
}

function meanText(mean: number | null): string {
  return mean === null ? "" : shortNumber(mean);
}

function totalText(total: number | null): string {
  return total === null ? "none" : shortNumber(total);
}

function describeAlarm({ name, message, examples }: Alarm): string[] {
  return [
    `  ${name}: ${message}`,
    ...examples.flatMap(({ suspect, control }) => [
      `    suspect  ${placeOf(suspect)} ${shown(suspect.response)}`,
      ...(control === null ? [] : [`    beside   ${placeOf(control)} ${shown(control.response)}`]),
    ]),
  ];
}

function placeOf({ step, group, index, total }: AuditedCompletion): string {
  return `${step}/${group}/${index}, total ${totalText(total)}:`;
}

function shown(text: string): string {
  return cell(ending(text, 80), 100);
}
