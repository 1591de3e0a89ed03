/**
 * The thread of a reward worker. It is ours whatever the user's file does: a file that fails to load comes back as data, and an
 * exception is an outcome. Only a call that hangs, exits or runs out of memory takes more than itself with it.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { workerData } from "node:worker_threads";
import { messageOf } from "../errors.ts";
import type { RewardOutcome } from "../types.ts";
import { describeValue } from "./describe-value.ts";
import { type LoadedReward, loadReward } from "./load.ts";
import {
  type LoadRequest,
  type PackedGroup,
  type PackedUnit,
  RECORD_FD,
  TaskRecord,
  type ThreadReply,
  type UnitResult,
  type WorkerTask,
} from "./protocol.ts";
import type { RewardInput, RewardScore } from "./reward.ts";

/** An error that no caller can catch: a promise nobody awaits, a timer. */
let strayError: unknown;
let hasStrayError = false;
for (const event of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(event, (error: unknown) => {
    strayError = error;
    hasStrayError = true;
  });
}

let loading: Promise<{ rewards: LoadedReward[]; errors: string[] }> | undefined;

export default async function runTask(task: WorkerTask): Promise<ThreadReply> {
  const record = new TaskRecord(RECORD_FD);
  loading ??= loadAll(workerData as readonly LoadRequest[], record);
  const { rewards, errors } = await loading;
  if (errors.length > 0) return { status: "unloadable", errors };
  const groups = task.groups.map(inputsOf);
  for (const [index, unit] of task.units.entries()) {
    record.beginUnit(index);
    record.append(await scoreUnit(rewards[unit.reward]!, groups[unit.group]!, unit));
  }
  record.beginUnit(task.units.length);
  const infos = rewards.map(({ label, definition }) => ({
    label,
    kind: "score" in definition ? ("sample" as const) : ("group" as const),
    description: String(definition.description),
  }));
  return { status: "done", rewards: infos };
}

async function loadAll(requests: readonly LoadRequest[], record: TaskRecord) {
  const rewards: LoadedReward[] = [];
  const errors: string[] = [];
  for (const [index, request] of requests.entries()) {
    record.beginLoading(index);
    try {
      rewards.push(await loadReward(request));
    } catch (error) {
      errors.push(messageOf(error));
    }
  }
  return { rewards, errors };
}

/** Frozen, so that a reward cannot change what the next one sees. */
function inputsOf({ completions, ...group }: PackedGroup): RewardInput[] {
  deepFreeze(group.fields);
  return completions.map(({ text, ...completion }) =>
    Object.freeze({ ...group, ...completion, completion: text, response: group.prefill + text }),
  );
}

function deepFreeze(value: unknown): void {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || Object.isFrozen(value)) return;
  Object.freeze(value);
  for (const child of Object.values(value)) deepFreeze(child);
}

async function scoreUnit(reward: LoadedReward, inputs: readonly RewardInput[], unit: PackedUnit): Promise<UnitResult> {
  const { label, definition, params } = reward;
  const numOutcomes = unit.completion === null ? inputs.length : 1;
  let outcomes: RewardOutcome[];
  hasStrayError = false;
  const start = performance.now();
  try {
    if ("score" in definition) {
      outcomes = [outcomeOf(label, await definition.score(inputs[unit.completion!]!, params))];
    } else {
      outcomes = groupOutcomes(label, await definition.scoreGroup(inputs, params), numOutcomes);
    }
  } catch (error) {
    outcomes = failures(numOutcomes, `Reward "${label}" threw ${describeError(error)}`);
  }
  // A rejected promise that nobody awaited is only reported once the event loop turns.
  await nextTurn();
  if (hasStrayError)
    outcomes = failures(numOutcomes, `Reward "${label}" left an error uncaught: ${describeError(strayError)}`);
  return { elapsedMs: performance.now() - start, outcomes };
}

function groupOutcomes(label: string, scores: unknown, numOutcomes: number): RewardOutcome[] {
  if (Array.isArray(scores) && scores.length === numOutcomes) {
    return scores.map((score: unknown) =>
      score instanceof Error
        ? { status: "failed", error: `Reward "${label}" threw ${describeError(score)}` }
        : outcomeOf(label, score),
    );
  }
  const came = Array.isArray(scores) ? `${scores.length} scores` : describeValue(scores);
  return failures(
    numOutcomes,
    `Reward "${label}" returned ${came}, expected a list of ${numOutcomes} scores, one per completion.`,
  );
}

function outcomeOf(label: string, value: unknown): RewardOutcome {
  if (value === null) return { status: "abstained" };
  if (typeof value === "number" && Number.isFinite(value)) return { status: "scored", score: value };
  if (typeof value === "object" && "score" in value && "parts" in value) {
    const { score, parts } = value as Exclude<RewardScore, number | null>;
    const isPlain = typeof parts === "object" && parts !== null && Object.values(parts).every(Number.isFinite);
    if (Number.isFinite(score) && isPlain) return { status: "scored", score, parts: { ...parts } };
    const odd = Object.entries(parts ?? {}).find(([, part]) => !Number.isFinite(part));
    const what =
      odd === undefined ? `the score ${describeValue(score)}` : `the part ${odd[0]}: ${describeValue(odd[1])}`;
    return { status: "failed", error: `Reward "${label}" returned ${what}, expected finite numbers.` };
  }
  const error = `Reward "${label}" returned ${describeValue(value)}, expected a finite number, null or { score, parts }.`;
  return { status: "failed", error };
}

function failures(count: number, error: string): RewardOutcome[] {
  return Array.from({ length: count }, () => ({ status: "failed", error }));
}

/** "TypeError: x is not a function (reward.ts:6:12)": what and where, on one line of bounded length. */
function describeError(error: unknown): string {
  try {
    const what = error instanceof Error ? `${error.name}: ${error.message}` : describeValue(error);
    const frame = error instanceof Error ? /([^\s/\\()]+:\d+:\d+)\)?$/m.exec(error.stack ?? "") : null;
    return `${what.slice(0, 300).replaceAll(/\s+/g, " ")}${frame === null ? "" : ` (${frame[1]})`}`;
  } catch {
    return "something that throws when it is looked at";
  }
}
