/**
 * What the pool and its workers say to each other: tasks by message, progress and outcomes through shared memory, so that what a
 * worker finished before it was killed is not lost, and so that the one unit it was killed for is known exactly.
 */
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
  /** First slot of its outcomes; a group takes one slot per completion. */
  readonly slot: number;
}

export interface WorkerTask {
  readonly groups: readonly PackedGroup[];
  readonly units: readonly PackedUnit[];
  readonly memory: SharedArrayBuffer;
  readonly numSlots: number;
}

export interface RewardInfo {
  readonly label: string;
  readonly kind: "sample" | "group";
  readonly description: string;
}

export type WorkerReply =
  | { readonly status: "unloadable"; readonly errors: readonly string[] }
  /** `overflow` holds the outcomes whose texts did not fit into shared memory. */
  | {
      readonly status: "done";
      readonly rewards: readonly RewardInfo[];
      readonly overflow: readonly [number, RewardOutcome][];
    };

/** Progress before the first unit. */
export const NOT_STARTED = -2;
export const LOADING = -1;

const STATUS = { pending: 0, scored: 1, abstained: 2, inText: 3 } as const;
const TEXT_BYTES_PER_SLOT = 512;
const HEADER_BYTES = 16;

/**
 * The shared memory of one task: which unit is running, and a slot per outcome.
 * A worker writes a slot's status last, so a slot is either complete or pending, whenever the worker is killed.
 */
export class OutcomeMemory {
  readonly memory: SharedArrayBuffer;
  /** [3] running unit, reward being loaded, bytes of text written. */
  private readonly header: Int32Array;
  private readonly scores: Float64Array;
  private readonly elapsed: Float64Array;
  private readonly statuses: Uint8Array;
  private readonly text: Uint8Array;

  static create(numUnits: number, numSlots: number): OutcomeMemory {
    const numBytes = HEADER_BYTES + 8 * (numUnits + numSlots) + numSlots * (1 + TEXT_BYTES_PER_SLOT);
    const created = new OutcomeMemory(new SharedArrayBuffer(numBytes), numUnits, numSlots);
    Atomics.store(created.header, 0, NOT_STARTED);
    return created;
  }

  constructor(memory: SharedArrayBuffer, numUnits: number, numSlots: number) {
    this.memory = memory;
    this.header = new Int32Array(memory, 0, 3);
    this.scores = new Float64Array(memory, HEADER_BYTES, numSlots);
    this.elapsed = new Float64Array(memory, HEADER_BYTES + 8 * numSlots, numUnits);
    const statusOffset = HEADER_BYTES + 8 * (numSlots + numUnits);
    this.statuses = new Uint8Array(memory, statusOffset, numSlots);
    this.text = new Uint8Array(memory, statusOffset + numSlots);
  }

  get runningUnit(): number {
    return Atomics.load(this.header, 0);
  }

  beginUnit(unit: number): void {
    Atomics.store(this.header, 0, unit);
  }

  get loadingReward(): number {
    return Atomics.load(this.header, 1);
  }

  beginLoading(reward: number): void {
    Atomics.store(this.header, 1, reward);
    Atomics.store(this.header, 0, LOADING);
  }

  /** Wall time of one finished call, in milliseconds. */
  elapsedMs(unit: number): number {
    return this.elapsed[unit]!;
  }

  setElapsedMs(unit: number, elapsedMs: number): void {
    this.elapsed[unit] = elapsedMs;
  }

  /** False when its text did not fit: the slot stays pending and the outcome has to travel with the reply. */
  write(slot: number, outcome: RewardOutcome): boolean {
    if (outcome.status === "abstained") {
      this.statuses[slot] = STATUS.abstained;
    } else if (outcome.status === "scored" && outcome.parts === undefined) {
      this.scores[slot] = outcome.score;
      this.statuses[slot] = STATUS.scored;
    } else {
      const line = `${JSON.stringify([slot, outcome])}\n`;
      const end = Atomics.load(this.header, 2);
      const { read, written } = new TextEncoder().encodeInto(line, this.text.subarray(end));
      if (read < line.length) return false;
      Atomics.store(this.header, 2, end + written);
      this.statuses[slot] = STATUS.inText;
    }
    return true;
  }

  /** [numSlots] undefined where no outcome was written. */
  readAll(): (RewardOutcome | undefined)[] {
    // A copy: TextDecoder refuses shared memory.
    const lines = new TextDecoder()
      .decode(this.text.slice(0, Atomics.load(this.header, 2)))
      .split("\n")
      .slice(0, -1);
    const inText = new Map(lines.map((line) => JSON.parse(line) as [number, RewardOutcome]));
    return Array.from(this.statuses, (status, slot) => {
      if (status === STATUS.scored) return { status: "scored", score: this.scores[slot]! };
      if (status === STATUS.abstained) return { status: "abstained" };
      return status === STATUS.inText ? inText.get(slot) : undefined;
    });
  }
}
