/**
 * The folder that a run leaves behind, and the one pointer in it that says where the run stands.
 *
 *   recipe.json      the resolved recipe, the versions and the commit it ran with
 *   metrics.jsonl    one line per step and evaluation, of all stages
 *   rollouts/        every completion with tokens, log-probabilities, rewards and advantages, gzipped, one file per step
 *   checkpoints/     complete checkpoints (checkpoint.ts)
 *   progress.json    the pointer: finished stages, the newest checkpoint, how much of metrics.jsonl belongs to it
 *   lineage.json     what each stage started from and ended with, with hashes
 *   lock             who is writing; a crashed owner's lock is taken over
 *
 * A resumed run cuts metrics.jsonl back to the pointer, so its lines are those of an uninterrupted run.
 */
import { type FileHandle, mkdir, open, readFile, rm, stat } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { RecipeError } from "./errors.ts";
import { writeFileAtomic } from "./files.ts";

const finishedStage = z.strictObject({
  name: z.string(),
  /** Checkpoint whose model is the stage's result, relative to the run; null for stages that train nothing. */
  checkpoint: z.string().nullable(),
  weightsHash: z.string().nullable(),
});

const progressSchema = z.strictObject({
  finished: z.array(finishedStage),
  /** Newest checkpoint of the stage in progress, relative to the run. */
  checkpoint: z.string().nullable(),
  /** All checkpoints of the stage in progress, oldest first, and the best by evaluation. */
  kept: z.array(z.string()),
  best: z.string().nullable(),
  metricsBytes: z.int().nonnegative(),
  complete: z.boolean(),
});

export type Progress = z.infer<typeof progressSchema>;
export type FinishedStage = z.infer<typeof finishedStage>;

const nothingDone: Progress = { finished: [], checkpoint: null, kept: [], best: null, metricsBytes: 0, complete: false };

export interface RunDirectory extends AsyncDisposable {
  readonly path: string;
  readonly progress: Progress;
  /** Appends one line to metrics.jsonl. */
  appendMetrics(record: Readonly<Record<string, unknown>>): Promise<void>;
  /** Moves the pointer; everything it names must be durable already. metricsBytes is filled in. */
  setProgress(progress: Omit<Progress, "metricsBytes">): Promise<void>;
  writeJson(name: string, value: unknown): Promise<void>;
}

/** Makes `path` (new) and locks it. Throws RecipeError when it exists. */
export async function createRunDirectory(path: string): Promise<RunDirectory> {
  if (await exists(path)) {
    throw new RecipeError(`Run folder ${path} exists already. Resume it with --resume ${path}, or choose another name.`);
  }
  await mkdir(path, { recursive: true });
  return lockAndOpen(path, nothingDone);
}

/** Opens `path` to go on from its pointer: locks it and cuts metrics.jsonl back. Throws RecipeError when it is no run. */
export async function resumeRunDirectory(path: string): Promise<RunDirectory> {
  const text = await readFile(join(path, "progress.json"), "utf8").catch(() => null);
  // Killed before the first pointer was written: nothing is done, and resuming is starting.
  if (text === null && !(await exists(join(path, "recipe.json")))) {
    throw new RecipeError(`Expected a run folder at ${path}, but it has no recipe.json. Give the folder that train printed.`);
  }
  const parsed = progressSchema.safeParse(text === null ? nothingDone : parseJson(text));
  if (!parsed.success) {
    throw new RecipeError(`${join(path, "progress.json")} is not a pointer that this version of Grouper wrote: ${z.prettifyError(parsed.error)}`);
  }
  return lockAndOpen(path, parsed.data);
}

async function lockAndOpen(path: string, start: Progress): Promise<RunDirectory> {
  const releaseLock = await takeLock(join(path, "lock"));
  const metricsPath = join(path, "metrics.jsonl");
  let metrics: FileHandle | null = await open(metricsPath, "a");
  await metrics.truncate(start.metricsBytes);
  let progress = start;
  let bytes = start.metricsBytes;
  return {
    path,
    get progress() {
      return progress;
    },
    async appendMetrics(record) {
      if (metrics === null) throw new Error("run directory is closed");
      const line = Buffer.from(`${JSON.stringify(record)}\n`);
      await metrics.appendFile(line);
      bytes += line.length;
    },
    async setProgress(next) {
      await metrics?.sync();
      progress = { ...next, metricsBytes: bytes };
      await writeFileAtomic(join(path, "progress.json"), JSON.stringify(progress, null, 1));
    },
    async writeJson(name, value) {
      await writeFileAtomic(join(path, name), `${JSON.stringify(value, null, 2)}\n`);
    },
    async [Symbol.asyncDispose]() {
      const closing = metrics;
      metrics = null;
      await closing?.close();
      await releaseLock();
    },
  };
}

/** One writer per run: the lock names process, host and boot, so that a dead owner's lock is recognised and taken over. */
async function takeLock(path: string): Promise<() => Promise<void>> {
  const mine = JSON.stringify({ pid: process.pid, host: hostname(), boot: bootId() });
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const file = await open(path, "wx");
      await file.writeFile(mine);
      await file.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
    const owner = lockSchema.safeParse(parseJson(await readFile(path, "utf8").catch(() => "")));
    if (owner.success && isAlive(owner.data)) {
      throw new RecipeError(
        `Another process writes to this run: ${path} is held by process ${owner.data.pid} on ${owner.data.host}. Wait for it to end, or stop it.`,
      );
    }
    await rm(path, { force: true });
  }
  throw new RecipeError(`Could not lock ${path}: another process keeps taking it.`);
}

const lockSchema = z.object({ pid: z.int(), host: z.string(), boot: z.string() });

/** A lock of another host counts as held: it cannot be checked from here. */
function isAlive({ pid, host, boot }: z.infer<typeof lockSchema>): boolean {
  if (host !== hostname()) return true;
  if (boot !== bootId() || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "unknown";
  }
}

/** `dir`/`name`, or `dir`/`name`-2, -3 … : the first that does not exist. */
export async function freeRunPath(dir: string, name: string): Promise<string> {
  for (let i = 1; ; i++) {
    const path = join(dir, i === 1 ? name : `${name}-${i}`);
    if (!(await exists(path))) return path;
  }
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
