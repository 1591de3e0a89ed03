/**
 * Completes run folders, so many at a time, each in a process of its own. What is complete is left alone, what was interrupted goes on,
 * and what fails is named and ends nothing but itself.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { messageOf } from "../errors.ts";
import { branchRun } from "./branch.ts";
import type { Job } from "./jobs.ts";
import type { News } from "./protocol.ts";
import { type RunEnd, type RunProcess, startRun } from "./run-process.ts";

export interface JobReporter {
  began(job: Job): void;
  news(job: Job, news: News): void;
  ended(job: Job, end: RunEnd): void;
}

export interface RunJobsOptions {
  readonly numJobs: number;
  /** Kept in each run's recipe.json. */
  readonly provenance: Readonly<Record<string, unknown>>;
  readonly reporter: JobReporter;
  /** Aborted: running runs end their step and save, and no other begins. */
  readonly stop: AbortSignal;
  /** Aborted: running runs end at once. */
  readonly kill?: AbortSignal;
}

/** How each job ended, in the order given; a job that never began is interrupted. Jobs that others follow may be left out. */
export async function runJobs(jobs: readonly Job[], options: RunJobsOptions): Promise<Map<Job, RunEnd>> {
  const { numJobs, stop } = options;
  const ends = new Map<Job, RunEnd>();
  const waiting: Job[] = [];
  for (const job of jobs) {
    if (await isComplete(job.path)) ends.set(job, { status: "complete" });
    else if (job.after !== null && !waiting.includes(job.after)) waiting.push(job.after, job);
    else waiting.push(job);
  }
  const running = new Map<Job, Promise<void>>();
  while (true) {
    for (const job of waiting.filter(({ after }) => after !== null && ends.get(after)?.status === "failed")) {
      waiting.splice(waiting.indexOf(job), 1);
      ends.set(job, { status: "failed", reason: `${job.after!.name} failed, with which it begins.` });
    }
    const ready = stop.aborted
      ? undefined
      : waiting.find(({ after }) => after === null || ends.get(after)?.status === "complete");
    if (ready !== undefined && running.size < numJobs) {
      waiting.splice(waiting.indexOf(ready), 1);
      const done = complete(ready, options).then((end) => {
        ends.set(ready, end);
        running.delete(ready);
      });
      running.set(ready, done);
      continue;
    }
    if (running.size === 0) break;
    await Promise.race(running.values());
  }
  return new Map(jobs.map((job) => [job, ends.get(job) ?? { status: "interrupted" }]));
}

/** Folders are made one at a time: two that begin with the same run would both lock it. */
let making: Promise<unknown> = Promise.resolve();

async function complete(job: Job, { provenance, reporter, stop, kill }: RunJobsOptions): Promise<RunEnd> {
  const { path, recipe, after } = job;
  const end = await (async (): Promise<RunEnd> => {
    if (await isComplete(path)) return { status: "complete" };
    reporter.began(job);
    if (!(await exists(join(path, "recipe.json")))) {
      const made = making.then(() => branchRun({ path, recipe, provenance, from: after?.path ?? null }));
      making = made.catch(() => undefined);
      await made;
    }
    const run = startRun(path, recipe, (news) => reporter.news(job, news));
    return await obeying(run, stop, kill);
  })().catch((error: unknown): RunEnd => ({ status: "failed", reason: messageOf(error) }));
  reporter.ended(job, end);
  return end;
}

async function obeying(run: RunProcess, stop: AbortSignal, kill: AbortSignal | undefined): Promise<RunEnd> {
  const onStop = () => run.stop();
  const onKill = () => run.kill();
  if (stop.aborted) onStop();
  stop.addEventListener("abort", onStop);
  kill?.addEventListener("abort", onKill);
  const end = await run.ended;
  stop.removeEventListener("abort", onStop);
  kill?.removeEventListener("abort", onKill);
  return end.status === "failed" && kill?.aborted ? { status: "interrupted" } : end;
}

const pointer = z.looseObject({ complete: z.boolean() });

/** As the run's own pointer says, which is written whole or not at all. */
export async function isComplete(runPath: string): Promise<boolean> {
  const text = await readFile(join(runPath, "progress.json"), "utf8").catch(() => null);
  if (text === null) return false;
  try {
    return pointer.parse(JSON.parse(text)).complete;
  } catch {
    // The run itself says what is wrong with it.
    return false;
  }
}

async function exists(path: string): Promise<boolean> {
  return readFile(path).then(
    () => true,
    () => false,
  );
}
