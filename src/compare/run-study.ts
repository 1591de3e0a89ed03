/** A study from its first run to its page: complete the runs, ask the final models, judge, write. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { writeFileAtomic } from "../files.ts";
import { type Job, planRuns, type RunJob } from "./jobs.ts";
import { renderPage } from "./page.ts";
import { readRun } from "./read-run.ts";
import { judge, type StudyResult, type StudyRun } from "./result.ts";
import { isComplete, type JobReporter, runJobs } from "./run-jobs.ts";
import type { RunEnd } from "./run-process.ts";
import { readSamples, samplesJob } from "./samples.ts";
import type { Study } from "./study.ts";

export interface RunStudyOptions {
  readonly study: Study;
  readonly numJobs: number;
  /** Of the code that trains what is left, kept in the recipe.json of each run that begins. */
  readonly provenance: Readonly<Record<string, unknown>>;
  /** Default: the lowest of the recipes' mean final scores. */
  readonly target: number | undefined;
  /** What makes the comparison unfair, one sentence each. */
  readonly warnings: readonly string[];
  readonly reporter: JobReporter;
  readonly stop: AbortSignal;
  readonly kill: AbortSignal;
}

export interface StudyOutcome {
  readonly interrupted: boolean;
  /** Of an interrupted study, what its complete runs say, without having been written. */
  readonly result: StudyResult;
  /** null when interrupted. */
  readonly pagePath: string | null;
}

export async function runStudy(options: RunStudyOptions): Promise<StudyOutcome> {
  const { study, numJobs, provenance, target, reporter, stop, kill } = options;
  const runJobsOf = (jobs: readonly Job[]) => runJobs(jobs, { numJobs, provenance, reporter, stop, kill });
  const jobs = planRuns(study);
  const ends = await runJobsOf(jobs);
  const result = await judgeRuns(study, jobs, ends, target);
  if (result.runs.some(({ status }) => status === "interrupted")) return { interrupted: true, result, pagePath: null };

  const seed = seedToShow(result);
  const asked = await Promise.all(
    study.arms.map(({ label }) => {
      const job = jobs.find((other) => other.label === label && other.seed === seed);
      return job !== undefined && ends.get(job)?.status === "complete" ? samplesJob(job) : null;
    }),
  );
  const sampled = await runJobsOf(asked.filter((job) => job !== null));
  if ([...sampled.values()].some(({ status }) => status === "interrupted"))
    return { interrupted: true, result, pagePath: null };
  const samples = await readSamples(asked);

  await writeFileAtomic(join(study.dir, "result.json"), `${JSON.stringify(withoutCurves(result), null, 2)}\n`);
  const pagePath = join(study.dir, "compare.html");
  const warnings = [...options.warnings, ...(await differentCode(jobs))];
  await writeFileAtomic(pagePath, renderPage({ ...options, warnings, result, samples, sampleSeed: seed }));
  return { interrupted: false, result, pagePath };
}

/** A sentence where runs were begun by different commits, as a study is that goes on after the code has changed. */
async function differentCode(jobs: readonly RunJob[]): Promise<string[]> {
  const begun = await Promise.all(
    jobs.map(({ path }) => readFile(join(path, "recipe.json"), "utf8").catch(() => "{}")),
  );
  const commits = new Set(begun.flatMap((text) => provenanceSchema.parse(JSON.parse(text)).commit ?? []));
  return commits.size < 2 ? [] : [`The runs were begun by different commits of Grouper: ${[...commits].join(", ")}.`];
}

const provenanceSchema = z.looseObject({ commit: z.string().nullish() });

/** What the complete runs of a study say so far. */
export async function judgeSoFar(study: Study): Promise<StudyResult> {
  const jobs = planRuns(study);
  const ends = new Map<Job, RunEnd>();
  for (const job of jobs) ends.set(job, { status: (await isComplete(job.path)) ? "complete" : "interrupted" });
  return judgeRuns(study, jobs, ends, undefined);
}

async function judgeRuns(
  { arms, seeds }: Study,
  jobs: readonly RunJob[],
  ends: ReadonlyMap<Job, RunEnd>,
  target: number | undefined,
): Promise<StudyResult> {
  const runs = await Promise.all(
    jobs.map(async (job): Promise<StudyRun> => {
      const end = ends.get(job)!;
      const { label, seed, path, recipe } = job;
      const curves = end.status === "complete" ? await readRun(path, recipe) : null;
      return {
        label,
        seed,
        run: path,
        status: end.status,
        reason: end.status === "failed" ? end.reason : null,
        curves,
      };
    }),
  );
  return judge(
    arms.map(({ label }) => label),
    seeds,
    runs,
    target,
  );
}

/** The first seed that most recipes completed. */
function seedToShow({ seeds, runs }: StudyResult): number {
  const numComplete = (seed: number) => runs.filter((run) => run.seed === seed && run.status === "complete").length;
  return seeds.reduce((best, seed) => (numComplete(seed) > numComplete(best) ? seed : best));
}

/** The result without what stands in each run's metrics.jsonl. */
export function withoutCurves({ runs, ...rest }: StudyResult): object {
  return {
    ...rest,
    runs: runs.map(({ curves, ...run }) => {
      if (curves === null) return run;
      const { steps: _, ...scores } = curves;
      return { ...run, ...scores };
    }),
  };
}
