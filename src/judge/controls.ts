/**
 * Negative controls: a judge is shown texts that say nothing, and is believed for as long as it rejects them.
 *
 * It is tried before a process first believes it, and again once `every` replies have come since a control was passed. Beside the cache
 * of replies lies a marker for each that no later control vouches for; threads, restarted workers and later runs share these markers. A
 * control that is passed takes away those that were there when it began. One that is failed takes the marked replies out of the cache and
 * leaves an alarm, which holds for all until somebody deletes it. Without a cache all this is the process's own.
 */
import { mkdir, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { messageOf } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import { type ReplyCache, unkept } from "./cache.ts";

/** The judge accepted a text that says nothing. */
export class JudgeAlarm extends Error {
  override readonly name = "JudgeAlarm";
}

/**
 * Shows the judge texts that say nothing: null where it rejects them, else what it did, e.g. 'accepted the solution ":"'. `round` counts
 * from 0. A rejection (no answer, budget spent) proves nothing, and the next question tries again.
 */
export type Trial = (round: number) => Promise<string | null>;

export interface ControlsOptions {
  /** Name in messages. */
  readonly name: string;
  /** Replies between two controls; 0: no controls. */
  readonly every: number;
  /** Equal for equal judges: hash of all that a reply depends on but the question. A file name. */
  readonly id: string;
  readonly cache: ReplyCache | undefined;
}

/** A control of another process that is older than this has died with it. */
const CLAIM_MS = 120_000;

export class Controls {
  readonly #options: ControlsOptions;
  /** undefined without a cache. */
  readonly #folder: string | undefined;
  #alarm: JudgeAlarm | undefined;
  #isTried = false;
  #numRounds = 0;
  /** Replies of this process since its last control that was passed. */
  #numSince = 0;
  #running: Promise<void> | undefined;

  constructor(options: ControlsOptions) {
    this.#options = options;
    const { cache, id } = options;
    this.#folder = cache === undefined ? undefined : join(cache.folder, "unproven", id);
  }

  /** Throws JudgeAlarm once a control was failed, by whichever process. */
  async check(): Promise<void> {
    if (this.#alarm === undefined && this.#folder !== undefined && this.#options.every > 0) {
      const message = await readFile(alarmOf(this.#folder), "utf8").catch(absent);
      if (message !== null) this.#alarm = new JudgeAlarm(message);
    }
    if (this.#alarm !== undefined) throw this.#alarm;
  }

  /** Resolves when the judge may be believed: at once, or after a control. Throws JudgeAlarm, or what the trial rejects with. */
  async trust(trial: Trial): Promise<void> {
    if (this.#options.every === 0) return;
    await this.check();
    const isDue = !this.#isTried || (await this.#isNext());
    if (isDue) {
      this.#running ??= this.#run(trial).finally(() => {
        this.#running = undefined;
      });
    }
    await this.#running;
  }

  /** A control now where replies have come since the last one, so that what was said last is vouched for too. */
  async settle(trial: Trial): Promise<void> {
    if (this.#options.every === 0) return;
    const isOpen = this.#folder === undefined ? this.#numSince > 0 : (await this.#markers()).length > 0;
    if (isOpen) await (this.#running ?? this.#run(trial));
  }

  /**
   * Marks a reply as one that no control vouches for yet; before it is cached, so that a crash leaves none unmarked. Throws RecipeError where
   * nothing can be written.
   */
  async mark(key: string): Promise<void> {
    if (this.#options.every === 0) return;
    this.#numSince++;
    if (this.#folder === undefined) return;
    try {
      await mkdir(this.#folder, { recursive: true });
      await (await open(join(this.#folder, key), "w")).close();
    } catch (cause) {
      throw unkept(this.#folder, cause);
    }
  }

  /** True of a cached reply that no control vouches for. */
  async isMarked(key: string): Promise<boolean> {
    if (this.#options.every === 0 || this.#folder === undefined) return false;
    return (await stat(join(this.#folder, key)).catch(absent)) !== null;
  }

  /** Of several processes one makes the next control: who gets to write the claim. */
  async #isNext(): Promise<boolean> {
    const { every } = this.#options;
    if (this.#folder === undefined) return this.#numSince >= every;
    if ((await this.#markers()).length < every) return false;
    const claim = claimOf(this.#folder);
    const claimed = await stat(claim).catch(absent);
    if (claimed !== null && Date.now() - claimed.mtimeMs > CLAIM_MS) await rm(claim, { force: true });
    return open(claim, "wx").then(
      (file) => file.close().then(() => true),
      () => false,
    );
  }

  /** Never from the cache: it is the server of this moment that is tried. */
  async #run(trial: Trial): Promise<void> {
    const numBefore = this.#numSince;
    const before = await this.#markers();
    try {
      const fault = await trial(this.#numRounds++);
      if (fault !== null) await this.#raise(fault);
      this.#isTried = true;
      this.#numSince -= numBefore;
      for (const key of before) await rm(join(this.#folder!, key), { force: true });
    } finally {
      if (this.#folder !== undefined) await rm(claimOf(this.#folder), { force: true }).catch(absent);
    }
  }

  async #raise(fault: string): Promise<never> {
    const message = `${this.#options.name} ${fault}: its verdicts cannot be trusted. Use a stronger judge or another protocol.`;
    this.#alarm = new JudgeAlarm(message);
    try {
      await this.#tellAll(message);
    } catch (cause) {
      this.#alarm = new JudgeAlarm(`${message} What it said before is still in the cache: ${messageOf(cause)}.`, {
        cause,
      });
    }
    throw this.#alarm;
  }

  /** Leaves the alarm, and takes out of the cache what no control vouches for. */
  async #tellAll(message: string): Promise<void> {
    if (this.#folder === undefined) return;
    const file = alarmOf(this.#folder);
    await mkdir(dirname(file), { recursive: true });
    await writeFileAtomic(file, `${message} To try this one again, delete ${file}.`);
    for (const key of await this.#markers()) {
      await this.#options.cache?.remove(key);
      await rm(join(this.#folder, key), { force: true });
    }
  }

  async #markers(): Promise<string[]> {
    return this.#folder === undefined ? [] : ((await readdir(this.#folder).catch(absent)) ?? []);
  }
}

function alarmOf(folder: string): string {
  return `${folder}.alarm`;
}

function claimOf(folder: string): string {
  return `${folder}.claim`;
}

/** null for what is not there; throws all else. */
function absent(error: NodeJS.ErrnoException): null {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") return null;
  throw error;
}
