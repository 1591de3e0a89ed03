/**
 * Every completion of a step, kept: one gzipped JSON Lines file per step. Token ids, log-probabilities and advantages are
 * base64 of little-endian Int32Array and Float32Array: exact, and a hundred times cheaper to write than decimal numbers.
 */
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { constants, gunzip, gzip } from "node:zlib";
import { writeFileAtomic } from "./files.ts";
import type { RewardOutcome, ScoredGroup, TrainedRollout } from "./types.ts";

/** One completion as the log holds it. */
export interface LoggedRollout {
  /** Index of the group in the step, and of the completion in the group. */
  readonly group: number;
  readonly index: number;
  readonly promptId: string;
  readonly prompt: string;
  readonly answer: string | null;
  readonly completion: string;
  readonly finishReason: string;
  readonly policyVersion: number;
  readonly reward: number | null;
  readonly outcomes: Readonly<Record<string, RewardOutcome>>;
  readonly promptTokenIds: Int32Array;
  /** [T] */
  readonly tokenIds: Int32Array;
  readonly samplingLogprobs: Float32Array;
  readonly advantages: Float32Array;
  /** [T] nats, as TrainedRollout has them; absent where nobody computed them. */
  readonly oldLogprobs?: Float32Array;
  readonly refLogprobs?: Float32Array;
  readonly logprobs?: Float32Array;
  readonly values?: Float32Array;
  readonly returns?: Float32Array;
  /** Reward of the prompt's greedy completion, where one was sampled. */
  readonly greedyReward?: number | null;
}

const TRAINING = ["advantages", "oldLogprobs", "refLogprobs", "logprobs", "values", "returns"] as const;

/** The file of one step, inside the run folder. */
export function rolloutLogPath(runPath: string, stage: string, step: number): string {
  return join(runPath, "rollouts", stage, `step-${String(step).padStart(6, "0")}.jsonl.gz`);
}

/** Removes what a killed run logged beyond `step`, and files that it was writing. */
export async function cutRolloutLog(runPath: string, stage: string, step: number): Promise<void> {
  const dir = dirname(rolloutLogPath(runPath, stage, step));
  for (const name of await readdir(dir).catch(() => [])) {
    const logged = Number(/^step-(\d+)\.jsonl\.gz$/.exec(name)?.[1] ?? Number.POSITIVE_INFINITY);
    if (logged > step) await rm(join(dir, name), { force: true });
  }
}

/** `trained` is [groups][G]. */
export async function writeRolloutLog(
  path: string,
  groups: readonly ScoredGroup[],
  trained: readonly (readonly TrainedRollout[])[],
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFileAtomic(path, gzipMembers(groups, trained));
}

/** Groups that are compressed at a time, each on a thread of its own. */
const GROUPS_AT_ONCE = 4;

/**
 * One gzip member per group; end to end they are one gzip file. A step as a whole can be longer than the longest string of JavaScript,
 * and would be compressed on one thread.
 */
async function* gzipMembers(
  groups: readonly ScoredGroup[],
  trained: readonly (readonly TrainedRollout[])[],
): AsyncGenerator<Buffer> {
  const running: Promise<Buffer>[] = [];
  for (const [g, group] of groups.entries()) {
    running.push(promisify(gzip)(linesOf(group, g, trained[g]!), { level: constants.Z_BEST_SPEED }));
    if (running.length === GROUPS_AT_ONCE) yield running.shift()!;
  }
  yield* running;
}

/** The prompt stands in the first line of its group alone. */
function linesOf(
  { prompt, rollouts, rewards, greedyReward }: ScoredGroup,
  group: number,
  trained: readonly TrainedRollout[],
): string {
  const lines = rollouts.map(({ completion, sequence }, i) => {
    const start = sequence.tokenIds.length - completion.tokenIds.length;
    const record = {
      group,
      index: i,
      promptId: prompt.id,
      ...(i === 0
        ? {
            prompt: prompt.text,
            answer: prompt.answer,
            promptTokenIds: base64(sequence.tokenIds.subarray(0, start)),
            greedyReward,
          }
        : {}),
      completion: completion.text,
      finishReason: completion.finishReason,
      policyVersion: completion.policyVersion,
      reward: rewards[i]!.total,
      outcomes: rewards[i]!.outcomes,
      tokenIds: base64(sequence.tokenIds.subarray(start)),
      samplingLogprobs: base64(completion.logprobs),
      ...trainingOf(trained[i]!, start),
    };
    return `${JSON.stringify(record)}\n`;
  });
  return lines.join("");
}

/** On-policy the pass that trained is the one before the update: its log-probabilities are written once. */
function trainingOf(trained: TrainedRollout, start: number): Record<string, string> {
  const { oldLogprobs, logprobs } = trained;
  const record: Record<string, string> = {};
  for (const name of TRAINING) {
    const values = trained[name];
    if (values === undefined || (name === "logprobs" && logprobs === oldLogprobs)) continue;
    record[name] = base64(Float32Array.from(values.subarray(start)));
  }
  return record;
}

export async function readRolloutLog(path: string): Promise<LoggedRollout[]> {
  const rollouts: LoggedRollout[] = [];
  let shared: Pick<LoggedRollout, "prompt" | "answer" | "promptTokenIds" | "greedyReward"> | undefined;
  for (const line of linesIn(await promisify(gunzip)(await readFile(path)))) {
    const record = JSON.parse(line);
    if (record.promptTokenIds !== undefined) {
      shared = {
        prompt: record.prompt,
        answer: record.answer,
        promptTokenIds: new Int32Array(bytes(record.promptTokenIds)),
        ...(record.greedyReward === undefined ? {} : { greedyReward: record.greedyReward }),
      };
    }
    rollouts.push({
      ...record,
      ...shared,
      tokenIds: new Int32Array(bytes(record.tokenIds)),
      samplingLogprobs: new Float32Array(bytes(record.samplingLogprobs)),
      ...loggedTraining(record),
    });
  }
  return rollouts;
}

function loggedTraining(record: Readonly<Record<string, string>>): Pick<LoggedRollout, (typeof TRAINING)[number]> {
  const read = (name: string) => new Float32Array(bytes(record[name]!));
  const present = TRAINING.filter((name) => record[name] !== undefined);
  const training = { advantages: read("advantages"), ...Object.fromEntries(present.map((name) => [name, read(name)])) };
  const { oldLogprobs, logprobs = oldLogprobs } = training as Pick<LoggedRollout, (typeof TRAINING)[number]>;
  return logprobs === undefined ? training : { ...training, logprobs };
}

function* linesIn(buffer: Buffer): Generator<string> {
  for (let start = 0; start < buffer.length; ) {
    const newline = buffer.indexOf(0x0a, start);
    const end = newline < 0 ? buffer.length : newline;
    if (end > start) yield buffer.toString("utf8", start, end);
    start = end + 1;
  }
}

function base64(array: Int32Array | Float32Array): string {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("base64");
}

function bytes(text: string): ArrayBuffer {
  return new Uint8Array(Buffer.from(text, "base64")).buffer;
}
