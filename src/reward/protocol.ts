/**
 * What the pool and its workers say to each other: tasks by message, progress and outcomes through a file that both hold open, so that
 * what a worker finished before it ended is not lost, and so that the one unit it ended in is known exactly.
 */
import { fstatSync, ftruncateSync, readSync, writeSync } from "node:fs";
import type { FinishReason, RewardOutcome } from "../types.ts";

/** What the workers load, once each. */
export interface LoadRequest {
  readonly label: string;
  /** A shipped reward, or a user's file as an absolute path. */
  readonly source: { readonly name: string } | { readonly file: string };
  readonly params: Readonly<Record<string, unknown>>;
}

/** One prompt with those of its completions that the task scores. */
export interface PackedGroup {
  readonly prompt: string;
  readonly prefill: string;
  readonly answer: string | null;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly maxTokens: number;
  readonly completions: readonly PackedCompletion[];
}

export interface PackedCompletion {
  readonly text: string;
  readonly numTokens: number;
  readonly finishReason: FinishReason;
}

/** One call of one reward: on a completion, or on a whole group. Indices count within the task. */
export interface PackedUnit {
  readonly reward: number;
  readonly group: number;
  /** null for rewards that score the group together. */
  readonly completion: number | null;
}

/** The first message to a worker. */
export interface WorkerSetup {
  readonly requests: readonly LoadRequest[];
  /** JavaScript heap of the thread that runs the rewards, in MB. */
  readonly memoryMb: number;
}

export interface WorkerTask {
  readonly groups: readonly PackedGroup[];
  readonly units: readonly PackedUnit[];
}

export interface RewardInfo {
  readonly label: string;
  readonly kind: "sample" | "group";
  readonly description: string;
}

export type ThreadReply =
  | { readonly status: "unloadable"; readonly errors: readonly string[] }
  | { readonly status: "done"; readonly rewards: readonly RewardInfo[] };

/** ended: the thread did, in the middle of the task; the next one gets a new thread. */
export type WorkerReply = ThreadReply | { readonly status: "ended"; readonly reason: string };

/** What one call came to: one outcome for a completion, one per completion for a group. */
export interface UnitResult {
  /** Wall time, in milliseconds. */
  readonly elapsedMs: number;
  readonly outcomes: readonly RewardOutcome[];
}

/** The descriptors under which a worker finds its socket, and its thread the record. */
export const CHANNEL_FD = 3;
export const RECORD_FD = 4;

/** Progress before the first unit. */
export const NOT_STARTED = -2;
export const LOADING = -1;

const HEADER_BYTES = 8;

/**
 * The record of one task in the file of its worker: a header that says which unit is running, and a line of JSON for every unit that was
 * finished, in order. It outlives the worker, however that ends.
 */
export class TaskRecord {
  private readonly fd: number;
  private end = HEADER_BYTES;
  /** [2] running unit, reward being loaded. */
  private readonly header = new Int32Array(2);

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Empties the file for the next task. */
  reset(): void {
    ftruncateSync(this.fd, 0);
    this.writeHeader(NOT_STARTED, 0);
  }

  get runningUnit(): number {
    return this.readHeader()[0]!;
  }

  get loadingReward(): number {
    return this.readHeader()[1]!;
  }

  beginLoading(reward: number): void {
    this.writeHeader(LOADING, reward);
  }

  beginUnit(unit: number): void {
    this.writeHeader(unit, 0);
  }

  append(result: UnitResult): void {
    this.end += writeSync(this.fd, `${JSON.stringify(result)}\n`, this.end);
  }

  /** [units finished] Ends before a line that is not whole, or that something else than `append` wrote. */
  readResults(): UnitResult[] {
    const bytes = new Uint8Array(Math.max(0, fstatSync(this.fd).size - HEADER_BYTES));
    let numRead = 0;
    while (numRead < bytes.length) {
      const count = readSync(this.fd, bytes, numRead, bytes.length - numRead, HEADER_BYTES + numRead);
      if (count === 0) break;
      numRead += count;
    }
    const results: UnitResult[] = [];
    for (const line of new TextDecoder().decode(bytes.subarray(0, numRead)).split("\n").slice(0, -1)) {
      const result = parseResult(line);
      if (result === undefined) break;
      results.push(result);
    }
    return results;
  }

  private readHeader(): Int32Array {
    readSync(this.fd, this.header, 0, HEADER_BYTES, 0);
    return this.header;
  }

  private writeHeader(unit: number, reward: number): void {
    this.header.set([unit, reward]);
    writeSync(this.fd, this.header, 0, HEADER_BYTES, 0);
  }
}

function parseResult(line: string): UnitResult | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const isResult =
      typeof value === "object" && value !== null && "outcomes" in value && Array.isArray(value.outcomes);
    return isResult ? (value as UnitResult) : undefined;
  } catch {
    return undefined;
  }
}
