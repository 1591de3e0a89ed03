/**
 * Cuts the work of one `score` call into tasks for workers: which reward runs on which completion or group, and what has to
 * cross the thread boundary for it.
 */
import type { FinishReason, RewardOutcome } from "../types.ts";
import type { PackedGroup, PackedUnit, RewardInfo, WorkerTask } from "./protocol.ts";

/** One prompt and its completions, as rewards see them. */
export interface CompletionGroup {
  readonly prompt: string;
  readonly prefill: string;
  readonly answer: string | null;
  readonly fields: Readonly<Record<string, unknown>>;
  /** The recipe's generation limit. */
  readonly maxTokens: number;
  readonly completions: readonly {
    readonly text: string;
    readonly numTokens: number;
    readonly finishReason: FinishReason;
  }[];
}

/** One call of one reward, on completion `completion` of group `group`, or on the whole group where that is null. */
export interface Unit {
  readonly reward: number;
  readonly group: number;
  readonly completion: number | null;
  /** Times that a worker ended while running it, without being killed for its deadline. */
  numCrashes: number;
}

/** Measured best between 128 and 256 kB a task: below, the message costs more than the call; above, cloning grows faster than the text. */
const TASK_CHARS = 192_000;
/** So many tasks per thread, when there are completions enough, that one slow task does not leave the other threads idle. */
const TASKS_PER_THREAD = 16;

/** Units in tasks: all rewards of a completion travel together, so its text crosses once; rewards of groups travel apart. */
export function planTasks(
  groups: readonly CompletionGroup[],
  rewards: readonly RewardInfo[],
  numThreads: number,
): Unit[][] {
  const indices = rewards.map((_, index) => index);
  const perCompletion = indices.filter((index) => rewards[index]!.kind === "sample");
  const perGroup = indices.filter((index) => rewards[index]!.kind === "group");
  const samples = groups.flatMap((group, index) =>
    group.completions.map((completion, position) => ({
      numChars: completion.text.length,
      units: perCompletion.map((reward) => ({ reward, group: index, completion: position, numCrashes: 0 })),
    })),
  );
  const whole = groups.map((group, index) => ({
    numChars: group.completions.reduce((sum, { text }) => sum + text.length, 0),
    units: perGroup.map((reward) => ({ reward, group: index, completion: null, numCrashes: 0 })),
  }));
  return [...chunk(samples, numThreads), ...chunk(whole, numThreads)];
}

function chunk(items: readonly { numChars: number; units: Unit[] }[], numThreads: number): Unit[][] {
  const maxItems = Math.max(1, Math.ceil(items.length / (numThreads * TASKS_PER_THREAD)));
  const tasks: Unit[][] = [];
  let numItems = maxItems;
  let numChars = 0;
  for (const item of items) {
    if (item.units.length === 0) continue;
    if (numItems === maxItems || numChars + item.numChars > TASK_CHARS) {
      tasks.push([]);
      numItems = 0;
      numChars = 0;
    }
    tasks.at(-1)!.push(...item.units);
    numItems++;
    numChars += item.numChars;
  }
  return tasks;
}

/** A task as it crosses to a worker: each text once. */
export function packTask(units: readonly Unit[], groups: readonly CompletionGroup[]): WorkerTask {
  const packed = new Map<number, { index: number; completions: Map<number, number> }>();
  const packedUnits: PackedUnit[] = [];
  for (const unit of units) {
    const group = packed.get(unit.group) ?? { index: packed.size, completions: new Map<number, number>() };
    packed.set(unit.group, group);
    const wanted = unit.completion === null ? groups[unit.group]!.completions.keys() : [unit.completion];
    for (const completion of wanted) {
      if (!group.completions.has(completion)) group.completions.set(completion, group.completions.size);
    }
    const completion = unit.completion === null ? null : group.completions.get(unit.completion)!;
    packedUnits.push({ reward: unit.reward, group: group.index, completion });
  }
  const packedGroups = [...packed].map(([index, { completions }]): PackedGroup => {
    const group = groups[index]!;
    return { ...group, completions: [...completions.keys()].map((completion) => group.completions[completion]!) };
  });
  return { groups: packedGroups, units: packedUnits };
}

export function numOutcomes(unit: Unit, groups: readonly CompletionGroup[]): number {
  return unit.completion === null ? groups[unit.group]!.completions.length : 1;
}

/** What became of one completion. */
export interface ScoredCompletion {
  /** By reward label, in recipe order. */
  readonly outcomes: Readonly<Record<string, RewardOutcome>>;
  /** [rewards] wall time of each call; a group's call is shared evenly among its completions. */
  readonly elapsedMs: readonly number[];
}

/** Collects the outcomes of one `score` call as its tasks end, in any order. */
export class Scoreboard {
  private readonly groups: readonly CompletionGroup[];
  private readonly labels: readonly string[];
  /** [groups][G][rewards] */
  private readonly outcomes: (RewardOutcome | undefined)[][][];
  private readonly elapsedMs: number[][][];

  constructor(groups: readonly CompletionGroup[], labels: readonly string[]) {
    this.groups = groups;
    this.labels = labels;
    this.outcomes = groups.map(({ completions }) => completions.map(() => labels.map(() => undefined)));
    this.elapsedMs = groups.map(({ completions }) => completions.map(() => labels.map(() => 0)));
  }

  /** `results` has one entry per completion of the unit. */
  settle(unit: Unit, results: readonly RewardOutcome[], elapsedMs: number): void {
    const completions = unit.completion === null ? [...this.groups[unit.group]!.completions.keys()] : [unit.completion];
    for (const [position, completion] of completions.entries()) {
      this.outcomes[unit.group]![completion]![unit.reward] = results[position]!;
      this.elapsedMs[unit.group]![completion]![unit.reward] = elapsedMs / completions.length;
    }
  }

  /** [groups][G]; every unit has been settled. */
  finish(): ScoredCompletion[][] {
    return this.outcomes.map((group, groupIndex) =>
      group.map((outcomes, completion) => ({
        outcomes: Object.fromEntries(this.labels.map((label, reward) => [label, outcomes[reward]!])),
        elapsedMs: this.elapsedMs[groupIndex]![completion]!,
      })),
    );
  }
}
