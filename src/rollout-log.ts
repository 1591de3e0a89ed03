/**
 * Every completion of a step, kept: one gzipped JSON Lines file per step. Token ids, log-probabilities and advantages are
 * base64 of little-endian Int32Array and Float32Array: exact, and a hundred times cheaper to write than decimal numbers.
 */
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { constants, gunzip, gzip } from "node:zlib";
import { writeFileAtomic } from "./files.ts";
import type { RewardOutcome, ScoredGroup } from "./types.ts";

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
}

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

/** `advantages` are [groups][G][L] as the objective gave them. */
export async function writeRolloutLog(
  path: string,
  groups: readonly ScoredGroup[],
  advantages: readonly (readonly Float32Array[])[],
): Promise<void> {
  const lines = groups.flatMap(({ prompt, rollouts, rewards }, g) =>
    rollouts.map(({ completion, sequence }, i) => {
      const start = sequence.tokenIds.length - completion.tokenIds.length;
      return JSON.stringify({
        group: g,
        index: i,
        promptId: prompt.id,
        ...(i === 0
          ? { prompt: prompt.text, answer: prompt.answer, promptTokenIds: base64(Int32Array.from(prompt.tokenIds)) }
          : {}),
        completion: completion.text,
        finishReason: completion.finishReason,
        policyVersion: completion.policyVersion,
        reward: rewards[i]!.total,
        outcomes: rewards[i]!.outcomes,
        tokenIds: base64(Int32Array.from(completion.tokenIds)),
        samplingLogprobs: base64(completion.logprobs),
        advantages: base64(advantages[g]![i]!.subarray(start)),
      });
    }),
  );
  await mkdir(dirname(path), { recursive: true });
  await writeFileAtomic(path, await promisify(gzip)(`${lines.join("\n")}\n`, { level: constants.Z_BEST_SPEED }));
}

export async function readRolloutLog(path: string): Promise<LoggedRollout[]> {
  const text = (await promisify(gunzip)(await readFile(path))).toString("utf8");
  let shared: { prompt: string; answer: string | null; promptTokenIds: Int32Array } | undefined;
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const record = JSON.parse(line);
      if (record.promptTokenIds !== undefined) {
        shared = {
          prompt: record.prompt,
          answer: record.answer,
          promptTokenIds: new Int32Array(bytes(record.promptTokenIds)),
        };
      }
      return {
        ...record,
        ...shared,
        tokenIds: new Int32Array(bytes(record.tokenIds)),
        samplingLogprobs: new Float32Array(bytes(record.samplingLogprobs)),
        advantages: new Float32Array(bytes(record.advantages)),
      };
    });
}

function base64(array: Int32Array | Float32Array): string {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("base64");
}

function bytes(text: string): ArrayBuffer {
  return new Uint8Array(Buffer.from(text, "base64")).buffer;
}
