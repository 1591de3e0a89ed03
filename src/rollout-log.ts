/**
 * Every completion of a step, kept: one gzipped JSON Lines file per step. Token ids, log-probabilities and advantages are
 * base64 of little-endian Int32Array and Float32Array: exact, and a hundred times cheaper to write than decimal numbers.
 */
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { constants, gunzip, gzip } from "node:zlib";
import { z } from "zod";
import { messageOf, RecipeError } from "./errors.ts";
import { writeFileAtomic } from "./files.ts";
import type { FinishReason, RewardOutcome, ScoredGroup, TrainedRollout } from "./types.ts";

/** One completion as the log holds it. */
export interface LoggedRollout {
  /** Index of the group in the step, and of the completion in the group. */
  readonly group: number;
  readonly index: number;
  readonly promptId: string;
  readonly prompt: string;
  readonly answer: string | null;
  readonly completion: string;
  readonly finishReason: FinishReason;
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
  readonly entropies?: Float32Array;
  readonly values?: Float32Array;
  readonly returns?: Float32Array;
  /** Reward of the prompt's greedy completion, where one was sampled. */
  readonly greedyReward?: number | null;
  /** By reward name: what the rewards were weighed with, where a recipe scored them. */
  readonly rewardWeights?: Readonly<Record<string, number>>;
}

const TRAINING = ["advantages", "oldLogprobs", "refLogprobs", "logprobs", "entropies", "values", "returns"] as const;

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
  { prompt, rollouts, rewards, rewardWeights, greedyReward }: ScoredGroup,
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
            rewardWeights,
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

/** Throws RecipeError where the file cannot be read, is cut or damaged, or is not a log: with its line and the fault. */
export async function readRolloutLog(path: string): Promise<LoggedRollout[]> {
  const unreadable = (error: unknown): never => {
    throw new RecipeError(`Expected a rollout log at ${path}, but it cannot be read: ${messageOf(error)}.`, {
      cause: error,
    });
  };
  const packed = await readFile(path).catch(unreadable);
  const unpacked = await promisify(gunzip)(packed).catch(unreadable);
  const rollouts: LoggedRollout[] = [];
  let shared: Shared | undefined;
  let line = 0;
  for (const text of linesIn(unpacked)) {
    line++;
    try {
      const record = parseLine(text);
      if (record.index === 0) shared = sharedOf(record);
      rollouts.push(loggedOf(record, shared, rollouts.at(-1)));
    } catch (error) {
      throw new RecipeError(`Expected a rollout log at ${path}, but line ${line} ${messageOf(error)}.`, {
        cause: error,
      });
    }
  }
  return rollouts;
}

const outcomeSchema = z.discriminatedUnion("status", [
  z.object({
    status: z.literal("scored"),
    score: z.number(),
    parts: z.record(z.string(), z.number()).exactOptional(),
  }),
  z.object({ status: z.literal("abstained") }),
  z.object({ status: z.literal("failed"), error: z.string() }),
]);

const lineSchema = z.object({
  group: z.int().nonnegative(),
  index: z.int().nonnegative(),
  promptId: z.string(),
  prompt: z.string().exactOptional(),
  answer: z.string().nullable().exactOptional(),
  promptTokenIds: z.string().exactOptional(),
  greedyReward: z.number().nullable().exactOptional(),
  rewardWeights: z.record(z.string(), z.number()).exactOptional(),
  completion: z.string(),
  finishReason: z.enum(["stop", "length"]),
  policyVersion: z.number(),
  reward: z.number().nullable(),
  outcomes: z.record(z.string(), outcomeSchema),
  tokenIds: z.string(),
  samplingLogprobs: z.string(),
  advantages: z.string(),
  oldLogprobs: z.string().exactOptional(),
  refLogprobs: z.string().exactOptional(),
  logprobs: z.string().exactOptional(),
  entropies: z.string().exactOptional(),
  values: z.string().exactOptional(),
  returns: z.string().exactOptional(),
});

type Line = z.infer<typeof lineSchema>;
type Shared = Pick<LoggedRollout, "prompt" | "answer" | "promptTokenIds" | "greedyReward" | "rewardWeights">;

function parseLine(text: string): Line {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error("is not JSON");
  }
  const parsed = lineSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Error(`does not fit: ${issue!.path.join(".") || "the line"}: ${issue!.message}`);
}

function sharedOf({ prompt, answer, promptTokenIds, greedyReward, rewardWeights }: Line): Shared {
  if (prompt === undefined || answer === undefined || promptTokenIds === undefined)
    throw new Error("begins a group and has no prompt");
  return {
    prompt,
    answer,
    promptTokenIds: new Int32Array(bytes(promptTokenIds, "promptTokenIds")),
    ...(greedyReward === undefined ? {} : { greedyReward }),
    ...(rewardWeights === undefined ? {} : { rewardWeights }),
  };
}

function loggedOf(record: Line, shared: Shared | undefined, before: LoggedRollout | undefined): LoggedRollout {
  const { group, index, promptId, completion, finishReason, policyVersion, reward, outcomes } = record;
  const follows =
    index === 0 ? group === (before?.group ?? -1) + 1 : group === before?.group && index === before.index + 1;
  if (!follows || shared === undefined) throw new Error(`is completion ${index} of group ${group}, out of order`);
  const tokenIds = new Int32Array(bytes(record.tokenIds, "tokenIds"));
  const floats = (name: "samplingLogprobs" | (typeof TRAINING)[number]) => {
    const values = new Float32Array(bytes(record[name]!, name));
    if (values.length === tokenIds.length) return values;
    throw new Error(`has ${values.length} ${name} for ${tokenIds.length} tokens`);
  };
  const present = TRAINING.filter((name) => record[name] !== undefined);
  const training: Training = {
    advantages: floats("advantages"),
    ...Object.fromEntries(present.map((name) => [name, floats(name)])),
  };
  // On-policy they are written once; a rollout that was left out of training has those from before.
  const { oldLogprobs, logprobs = oldLogprobs } = training;
  return {
    ...{ group, index, promptId, ...shared, completion, finishReason, policyVersion, reward, outcomes, tokenIds },
    samplingLogprobs: floats("samplingLogprobs"),
    ...training,
    ...(logprobs === undefined ? {} : { logprobs }),
  };
}

type Training = Pick<LoggedRollout, (typeof TRAINING)[number]>;

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

function bytes(text: string, name: string): ArrayBuffer {
  const { buffer } = new Uint8Array(Buffer.from(text, "base64"));
  if (buffer.byteLength % 4 === 0) return buffer;
  throw new Error(`has ${name} of ${buffer.byteLength} bytes, which are no 32-bit numbers`);
}
