/**
 * What a judge may cost. The ledger is a file to which every request is appended before it is sent: the limit holds over threads,
 * replaced workers, processes and resumed runs, and no request is sent beyond it.
 */
import { randomUUID } from "node:crypto";
import { appendFile, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { messageOf, RecipeError } from "../errors.ts";

export interface BudgetLimits {
  /** Requests ever, retries and controls included; exact. */
  readonly maxRequests?: number | undefined;
  /** Tokens ever, of prompts and replies. Requests in flight may pass it by their own tokens. */
  readonly maxTokens?: number | undefined;
}

/** The budget is spent: a failure of the reward, so that a run stops aloud instead of going on without its judge. */
export class BudgetSpent extends Error {
  override readonly name = "BudgetSpent";
}

export class Budget {
  readonly ledger: string;
  readonly #limits: BudgetLimits;
  #offset = 0;
  #numRequests = 0;
  #numTokens = 0;
  /** Reservations seen but not yet asked about: id -> how many requests there were with it. */
  readonly #ordinals = new Map<string, number>();
  #reading: Promise<void> = Promise.resolve();

  constructor(ledger: string, limits: BudgetLimits) {
    this.ledger = ledger;
    this.#limits = limits;
  }

  /** Books one request; throws BudgetSpent where there is none left, RecipeError where the ledger cannot be kept. */
  async reserve(): Promise<void> {
    const { maxRequests = Number.POSITIVE_INFINITY, maxTokens = Number.POSITIVE_INFINITY } = this.#limits;
    await this.#update();
    if (this.#numRequests >= maxRequests) throw this.#spent(`${maxRequests} requests`);
    if (this.#numTokens >= maxTokens) throw this.#spent(`${maxTokens} tokens`);
    const id = randomUUID();
    this.#ordinals.set(id, Number.NaN);
    // The file's own order decides between two that reserve at once.
    await this.#append(`request ${id}`);
    await this.#update();
    const ordinal = this.#ordinals.get(id)!;
    this.#ordinals.delete(id);
    if (!(ordinal <= maxRequests)) throw this.#spent(`${maxRequests} requests`);
  }

  /** Books what a request took. */
  async spend(numTokens: number): Promise<void> {
    await this.#append(`tokens ${Math.max(0, Math.round(numTokens))}`);
  }

  /** What has been spent by all that share the ledger. */
  async totals(): Promise<{ readonly numRequests: number; readonly numTokens: number }> {
    await this.#update();
    return {
      numRequests: Math.min(this.#numRequests, this.#limits.maxRequests ?? this.#numRequests),
      numTokens: this.#numTokens,
    };
  }

  async #append(entry: string): Promise<void> {
    try {
      await mkdir(dirname(this.ledger), { recursive: true });
      // A line of its own, also after a line that a full disk cut.
      await appendFile(this.ledger, `\n${entry}\n`);
    } catch (cause) {
      throw this.#unkept(cause);
    }
  }

  /** Reads what was appended since the last time; one reader at a time. */
  #update(): Promise<void> {
    const read = () =>
      this.#read().catch((cause: unknown) => {
        throw this.#unkept(cause);
      });
    this.#reading = this.#reading.then(read, read);
    return this.#reading;
  }

  async #read(): Promise<void> {
    const file = await open(this.ledger, "r").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return null;
      throw error;
    });
    if (file === null) return;
    try {
      const { size } = await file.stat();
      if (size <= this.#offset) return;
      const { buffer, bytesRead } = await file.read(
        Buffer.alloc(size - this.#offset),
        0,
        size - this.#offset,
        this.#offset,
      );
      // A line that is being written is read the next time.
      const end = buffer.subarray(0, bytesRead).lastIndexOf(10) + 1;
      this.#offset += end;
      for (const line of buffer.toString("utf8", 0, end).split("\n")) this.#count(line);
    } finally {
      await file.close();
    }
  }

  #count(line: string): void {
    const [kind, value] = line.split(" ");
    if (kind === "tokens") this.#numTokens += Number(value) || 0;
    if (kind !== "request" || value === undefined) return;
    this.#numRequests++;
    if (this.#ordinals.has(value)) this.#ordinals.set(value, this.#numRequests);
  }

  #unkept(cause: unknown): RecipeError {
    return new RecipeError(
      `Expected to keep the judge's budget in the ledger ${this.ledger}, but: ${messageOf(cause)}. Make room, or name another file.`,
      { cause },
    );
  }

  #spent(limit: string): BudgetSpent {
    return new BudgetSpent(
      `the judge's budget of ${limit} is spent (ledger ${this.ledger}). Raise it, or name another ledger.`,
    );
  }
}
