/**
 * The folder that a run leaves behind, and the one pointer in it that says where the run stands.
 *
 *   recipe.json      the resolved recipe, the versions and the commit it ran with
 *   metrics.jsonl    one line per step and evaluation, of all stages
 *   rollouts/        every completion with tokens, log-probabilities, rewards and advantages, gzipped, one file per step
 *   checkpoints/     complete checkpoints (checkpoint.ts)
 *   progress.json    the pointer: finished stages, the newest checkpoint, how much of metrics.jsonl belongs to it
 *   lineage.json     what each stage started from and ended with, with hashes
 *   audit.jsonl      the alarms of the audit (audit/alarm-log.ts)
 *   lock             who is writing; a crashed owner's lock is taken over
 *
 * A resumed run goes back to the pointer: it cuts metrics.jsonl and removes what lies beyond, so that what it leaves in the end is what
 * an uninterrupted run leaves.
 */
import { access, constants, type FileHandle, mkdir, open, readdir, readFile, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { messageOf, RecipeError } from "./errors.ts";
import { isTemporaryFile, writeFileAtomic } from "./files.ts";
import { takeLock } from "./run-lock.ts";

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
  /** All checkpoints of the stage in progress, oldest first, each with its share of metrics.jsonl; and the best by evaluation. */
  kept: z.array(z.strictObject({ checkpoint: z.string(), metricsBytes: z.int().nonnegative() })),
  best: z.string().nullable(),
  metricsBytes: z.int().nonnegative(),
  complete: z.boolean(),
});

export type Progress = z.infer<typeof progressSchema>;
export type FinishedStage = z.infer<typeof finishedStage>;

const nothingDone: Progress = {
  finished: [],
  checkpoint: null,
  kept: [],
  best: null,
  metricsBytes: 0,
  complete: false,
};

export interface RunDirectory extends AsyncDisposable {
  readonly path: string;
  readonly progress: Progress;
  /** How long metrics.jsonl is now. */
  readonly metricsBytes: number;
  /** Goes back to an earlier checkpoint of the stage in progress. */
  rewind(to: Progress["kept"][number]): Promise<void>;
  /** Appends one line to metrics.jsonl. */
  appendMetrics(record: Readonly<Record<string, unknown>>): Promise<void>;
  /** Moves the pointer; everything it names must be durable already. metricsBytes is filled in. */
  setProgress(progress: Omit<Progress, "metricsBytes">): Promise<void>;
  writeJson(name: string, value: unknown): Promise<void>;
  /** The JSON value of a file of the run, or null where there is none. */
  readJson(name: string): Promise<unknown>;
  /** After a run that could not begin: removes a folder that createRunDirectory made and in which no work was recorded. */
  discardIfEmpty(): Promise<void>;
}

/** Makes `path` (new) and locks it. Throws RecipeError when it exists or cannot be made. */
export async function createRunDirectory(path: string): Promise<RunDirectory> {
  await mkdir(dirname(path), { recursive: true }).catch(async (error) =>
    cannotWrite(path, await realCause(path, error)),
  );
  try {
    // Not recursive: of two processes that choose the same name, one makes it.
    await mkdir(path);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") cannotWrite(path, error);
    throw new RecipeError(
      `Run folder ${path} exists already. Resume it with --resume ${path}, or choose another name.`,
    );
  }
  return lockAndOpen(path, nothingDone, true);
}

/** A recursive mkdir says ENOENT on a read-only disk; the nearest folder that exists says why. */
async function realCause(path: string, error: unknown): Promise<unknown> {
  if (codeOf(error) !== "ENOENT") return error;
  let parent = dirname(path);
  while (!(await exists(parent))) parent = dirname(parent);
  return access(parent, constants.W_OK).then(
    () => error,
    (reason: unknown) => reason,
  );
}

function cannotWrite(path: string, error: unknown): never {
  throw new RecipeError(
    `Expected a run folder that can be written at ${path}, but it cannot be made: ${messageOf(error)}. Set outputDir to another place.`,
    { cause: error },
  );
}

/** Opens `path` to go on from its pointer: locks it and cuts metrics.jsonl back. Throws RecipeError when it is no run. */
export async function resumeRunDirectory(path: string): Promise<RunDirectory> {
  // Killed before the first pointer was written: nothing is done, and resuming is starting.
  if (!(await exists(join(path, "recipe.json")))) {
    throw new RecipeError(
      `Expected a run folder at ${path}, but it has no recipe.json. Give the folder that train printed.`,
    );
  }
  return lockAndOpen(path, null, false);
}

/** The pointer as the last owner left it; to be read under the lock. */
async function readProgress(path: string): Promise<Progress> {
  const text = await readFile(join(path, "progress.json"), "utf8").catch(() => null);
  const parsed = progressSchema.safeParse(text === null ? nothingDone : parseJson(text));
  if (parsed.success) return parsed.data;
  throw new RecipeError(
    `${join(path, "progress.json")} is not a pointer that this version of Grouper wrote: ${z.prettifyError(parsed.error)}`,
  );
}

/** What a killed owner left beyond the pointer: half-written files, and checkpoints that nothing names. */
async function removeBeyondPointer(path: string, { finished, kept, best }: Progress): Promise<void> {
  for (const name of await readdir(path))
    if (isTemporaryFile(name) && !name.startsWith("lock.")) await rm(join(path, name), { force: true });
  const paths = [...kept.map(({ checkpoint }) => checkpoint), ...(best === null ? [] : [best])];
  const named = paths.map((checkpoint) => basename(checkpoint));
  for (const name of await readdir(join(path, "checkpoints")).catch(() => [])) {
    const stage = /^(.*)-step-\d+$/.exec(name)?.[1];
    const isDone = finished.some((done) => done.name === stage);
    if (!isDone && !named.includes(name)) await rm(join(path, "checkpoints", name), { recursive: true, force: true });
  }
}

/** `start` is null for a run that exists: its pointer says. */
async function lockAndOpen(path: string, start: Progress | null, isNew: boolean): Promise<RunDirectory> {
  const releaseLock = await takeLock(join(path, "lock"));
  let metrics: FileHandle | null;
  let progress: Progress;
  try {
    progress = start ?? (await readProgress(path));
    if (!isNew) await removeBeyondPointer(path, progress);
    metrics = await open(join(path, "metrics.jsonl"), "a");
    await metrics.truncate(progress.metricsBytes);
  } catch (error) {
    await releaseLock();
    throw error;
  }
  let bytes = progress.metricsBytes;
  async function setProgress(next: Omit<Progress, "metricsBytes">): Promise<void> {
    await metrics?.sync();
    progress = { ...next, metricsBytes: bytes };
    await writeFileAtomic(join(path, "progress.json"), JSON.stringify(progress, null, 1));
  }
  return {
    path,
    get progress() {
      return progress;
    },
    get metricsBytes() {
      return bytes;
    },
    async rewind({ checkpoint, metricsBytes }) {
      bytes = metricsBytes;
      await metrics?.truncate(bytes);
      const { kept, best } = progress;
      const earlier = kept.slice(0, kept.findIndex((other) => other.checkpoint === checkpoint) + 1);
      const isEarlier = earlier.some((other) => other.checkpoint === best);
      await setProgress({ ...progress, checkpoint, kept: earlier, best: isEarlier ? best : null });
    },
    async appendMetrics(record) {
      if (metrics === null) throw new Error("run directory is closed");
      const line = Buffer.from(`${JSON.stringify(record)}\n`);
      await metrics.appendFile(line);
      bytes += line.length;
    },
    setProgress,
    async writeJson(name, value) {
      await writeFileAtomic(join(path, name), `${JSON.stringify(value, null, 2)}\n`);
    },
    async readJson(name) {
      const text = await readFile(join(path, name), "utf8").catch(() => null);
      return text === null ? null : (parseJson(text) ?? null);
    },
    async discardIfEmpty() {
      if (isNew && bytes === 0 && progress === nothingDone) await rm(path, { recursive: true, force: true });
    },
    async [Symbol.asyncDispose]() {
      const closing = metrics;
      metrics = null;
      await closing?.close();
      await releaseLock();
    },
  };
}

/** `dir`/`name`, or `dir`/`name`-2, -3 … : the first that does not exist. */
export async function freeRunPath(dir: string, name: string): Promise<string> {
  for (let i = 1; ; i++) {
    const path = join(dir, i === 1 ? name : `${name}-${i}`);
    if (!(await exists(path))) return path;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
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
