/**
 * What a judge may cost. The ledger is a file to which every request is appended before it is sent, at the most that it can take, and again
 * with what it took: the limits hold over threads, replaced workers, processes and resumed runs, and no request is sent that could pass them.
 *
 *   request ID MOST UNTIL    may take MOST tokens; an answer may come until UNTIL, in milliseconds of the epoch
 *   tokens N ID              took N instead
 *   refused ID               was not sent
 *
 * A request that is never heard of again (a crash) stays booked at its most. Lines of the file's own order decide between two at once.
 */
import { randomUUID } from "node:crypto";
import { appendFile, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { messageOf, RecipeError } from "../errors.ts";
import { sleep } from "../server/call.ts";

export interface BudgetLimits {
  /** Requests ever, retries and controls included; exact. */
  readonly maxRequests?: number | undefined;
  /** Tokens ever, of prompts and replies. What is in flight counts at its most, and is waited for where it could make room. */
  readonly maxTokens?: number | undefined;
}

/** The budget is spent: a failure of the reward, so that a run stops aloud instead of going on without its judge. */
export class BudgetSpent extends Error {
  override readonly name = "BudgetSpent";
}

/** Between two looks at what is in flight. */
const POLL_MS = 20;

interface Booked {
  readonly numRequests: number;
  readonly numTokens: number;
}

export class Budget {
  readonly ledger: string;
  readonly #maxRequests: number;
  readonly #maxTokens: number;
  #offset = 0;
  #numRequests = 0;
  /** What was taken, and the most of what is in flight. */
  #numTokens = 0;
  readonly #inFlight = new Map<string, { readonly most: number; readonly until: number }>();
  /** Own requests that were appended and not yet read: what was booked with them. */
  readonly #own = new Map<string, Booked | null>();
  #reading: Promise<void> = Promise.resolve();

  constructor(ledger: string, limits: BudgetLimits) {
    this.ledger = ledger;
    this.#maxRequests = limits.maxRequests ?? Number.POSITIVE_INFINITY;
    this.#maxTokens = limits.maxTokens ?? Number.POSITIVE_INFINITY;
  }

  /**
   * Books one request that takes at most `most` tokens and is over after `patienceMs`; gives the name to `settle` it by. Waits so long for
   * room. Throws BudgetSpent where there is none left, RecipeError where the ledger cannot be kept.
   */
  async reserve(most: number, patienceMs: number): Promise<string> {
    const [maxRequests, maxTokens] = [this.#maxRequests, this.#maxTokens];
    const until = Date.now() + patienceMs;
    for (;;) {
      await this.#update();
      if (this.#numRequests >= maxRequests) throw this.#spent(`${maxRequests} requests`);
      if (this.#numTokens + most <= maxTokens) {
        const id = randomUUID();
        this.#own.set(id, null);
        await this.#append(`request ${id} ${most} ${until}`);
        await this.#update();
        const booked = this.#own.get(id)!;
        this.#own.delete(id);
        if (booked.numRequests <= maxRequests && booked.numTokens <= maxTokens) return id;
        await this.#append(`refused ${id}`);
      } else if (this.#numTokens - this.#mostInFlight() + most > maxTokens) {
        throw this.#spent(`${maxTokens} tokens`);
      }
      if (Date.now() + POLL_MS > until) throw this.#spent(`${maxTokens} tokens`);
      await sleep(POLL_MS);
    }
  }

  /** Books what the request took. */
  async settle(id: string, numTokens: number): Promise<void> {
    await this.#append(`tokens ${numTokens} ${id}`);
  }

  /** What has been booked by all that share the ledger. */
  async totals(): Promise<Booked> {
    await this.#update();
    return { numRequests: this.#numRequests, numTokens: this.#numTokens };
  }

  /** Most of what may still be settled below its most. */
  #mostInFlight(): number {
    const now = Date.now();
    return [...this.#inFlight.values()].reduce((sum, { most, until }) => sum + (until > now ? most : 0), 0);
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
    const [kind, first = "", second = "", third] = line.split(" ");
    if (kind === "request") {
      const most = Number(second) || 0;
      this.#numRequests++;
      this.#numTokens += most;
      this.#inFlight.set(first, { most, until: Number(third) || 0 });
      if (this.#own.has(first)) this.#own.set(first, { numRequests: this.#numRequests, numTokens: this.#numTokens });
    } else if (kind === "tokens") {
      this.#numTokens += (Number(first) || 0) - this.#land(second);
    } else if (kind === "refused") {
      this.#numRequests--;
      this.#numTokens -= this.#land(first);
    }
  }

  /** Takes a request out of those in flight; what it was booked with. */
  #land(id: string): number {
    const most = this.#inFlight.get(id)?.most ?? 0;
    this.#inFlight.delete(id);
    return most;
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
