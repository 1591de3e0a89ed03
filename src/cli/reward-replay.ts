/** `grouper reward replay`: rewards run again over the rollouts of a run, and the audit of its steps. */
import type { Alarm, AuditedCompletion } from "../audit/audit.ts";
import { UsageError } from "../errors.ts";
import { type RewardReplay, replayRewards } from "../workbench/replay.ts";
import { rewardSpecOf } from "./reward.ts";
import { cell, shortNumber, tableLines } from "./table.ts";

export interface RewardReplayArguments {
  readonly run: string;
  /** Empty: the run's own. */
  readonly reward: readonly string[];
  readonly stage: string | undefined;
  /** 3 or 3-7; default: all. */
  readonly step: string | undefined;
  readonly json: boolean;
}

export async function runRewardReplay(args: RewardReplayArguments, print: (text: string) => void): Promise<number> {
  const report = await replayRewards({
    run: args.run,
    stage: args.stage,
    steps: rangeOf(args.step),
    specs: args.reward.length === 0 ? undefined : args.reward.map(rewardSpecOf),
  });
  print(args.json ? `${JSON.stringify(report)}\n` : describe(report));
  return 0;
}

function rangeOf(text: string | undefined): { from: number; to: number } | undefined {
  if (text === undefined) return undefined;
  const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  if (from !== undefined && Number(to) >= Number(from)) return { from: Number(from), to: Number(to) };
  throw new UsageError(`Expected a step or a range for --step, such as 3 or 3-7, got ${JSON.stringify(text)}.`);
}

function describe({ stage, rewards, isOwn, steps, correlation, numFailed, examples, alarms }: RewardReplay): string {
  const numAll = steps.reduce((sum, { numCompletions }) => sum + numCompletions, 0);
  const numDifferent = steps.reduce((sum, step) => sum + step.numDifferent, 0);
  const right = (head: string) => ({ head, align: "right" as const });
  const lines = [
    `Stage ${stage}, ${isOwn ? "its own rewards" : "other rewards"} (${rewards.join(", ")}): ${numDifferent} of ${numAll} completions have another total; ` +
      `${correlation === null ? "no correlation" : `correlation ${correlation.toFixed(3)}`}; ${numFailed} failures`,
    ...tableLines(
      ["step", "completions", "logged", "replayed", "different"].map(right),
      steps.map(({ step, numCompletions, logged, replayed, numDifferent: different }) => [
        String(step),
        String(numCompletions),
        logged === null ? "" : shortNumber(logged),
        replayed === null ? "" : shortNumber(replayed),
        String(different),
      ]),
    ),
    ...examples.flatMap(({ step, group, index, completion, answer, logged, replayed }) => [
      `  step ${step}, group ${group}, completion ${index}: logged ${logged ?? "none"}, replayed ${replayed ?? "none"}${answer === null ? "" : `, answer ${cell(answer, 40)}`}`,
      `    ${shown(completion)}`,
    ]),
    "",
    alarms.length === 0 ? "The audit of these steps raises no alarm." : "Alarms:",
    ...alarms.flatMap(describeAlarm),
  ];
  return `${lines.join("\n")}\n`;
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
  return `${step}/${group}/${index}, total ${total === null ? "none" : shortNumber(total)}:`;
}

/** Answers stand at the end. */
function shown(text: string): string {
  return cell(text.length <= 80 ? text : `…${text.slice(-80)}`, 100);
}
