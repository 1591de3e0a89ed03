/** `grouper compare`: the same prompts and seeds under several recipes, and what can be said of their differences. */
import { cpus } from "node:os";
import { join } from "node:path";
import { type Arm, loadArms } from "../compare/arm.ts";
import { expectationOf } from "../compare/expectation.ts";
import { unfairness } from "../compare/fairness.ts";
import { chooseConcurrency } from "../compare/jobs.ts";
import { points, type StudyResult } from "../compare/result.ts";
import { judgeSoFar, runStudy, withoutCurves } from "../compare/run-study.ts";
import { openStudy } from "../compare/study.ts";
import { RecipeError, UsageError } from "../errors.ts";
import { provenance } from "./provenance.ts";
import type { Output } from "./reporters.ts";
import { createStudyReporter, type StudyReporter } from "./study-reporter.ts";
import { shellWord } from "./train.ts";

export interface CompareArguments {
  readonly recipes: readonly string[];
  /** For all recipes. */
  readonly set: readonly string[];
  readonly name: string | undefined;
  /** Seeds 1 … N. */
  readonly seeds: number;
  /** Runs at a time; default: as many as fit the machine. */
  readonly jobs: number | undefined;
  /** Final score from 0 to 1 that costs are counted to. */
  readonly target: number | undefined;
  readonly json: boolean;
}

/** The exit code: 0; 1 when a run failed; 130 or 143 when a signal stopped the study and it can go on. */
export async function runCompare(
  args: CompareArguments,
  output: Output,
  print: (text: string) => void,
): Promise<number> {
  if (args.recipes.length < 2)
    throw new UsageError("Expected two recipes or more: grouper compare A.yaml B.yaml --seeds 5.");
  const reporter = createStudyReporter(output, args);
  const { arms, warnings: doubts } = loadArms(args.recipes, args.set);
  if ((args.jobs ?? 1) > 1 && arms.some(({ recipe }) => recipe.server.type !== "embedded"))
    throw new RecipeError("Expected --jobs 1, since a policy server holds the weights of one run at a time.");
  const { numJobs, numThreads } = chooseConcurrency(arms, arms.length * args.seeds, args.jobs);
  const command = commandOf(args);
  const own = { command, ...provenance(), cpu: `${cpus().length} x ${cpus()[0]?.model ?? "unknown"}` };
  const before = await expectationOf(arms, args.seeds, null);
  await using study = await openStudy({
    dir: join(arms[0]!.recipe.outputDir, `compare-${studyName(args.name, arms)}`),
    arms,
    numSeeds: args.seeds,
    numThreads,
    expectation: before.sentence,
    provenance: own,
  });
  const warnings = unfairness(arms);
  const expectation = study.continued ? await expectationOf(arms, args.seeds, await judgeSoFar(study)) : before;
  reporter.note(
    `Study folder: ${study.dir}. ${study.continued ? "Going on with it." : "If it is stopped, the same command goes on with it."} ${numJobs} run${numJobs === 1 ? "" : "s"} at a time.`,
  );
  for (const text of [expectation.sentence, ...warnings, ...doubts]) reporter.note(text);

  const interrupt = listenForInterrupts(reporter);
  try {
    const { stop, kill } = interrupt;
    const options = {
      study,
      numJobs,
      provenance: own,
      target: args.target,
      expectation,
      warnings,
      reporter,
      stop,
      kill,
    };
    const { interrupted, result, pagePath } = await runStudy(options);
    reporter.close();
    if (args.json) {
      print(
        `${JSON.stringify({ study: study.dir, interrupted, page: pagePath, expectation, warnings, ...withoutCurves(result) })}\n`,
      );
    }
    if (interrupted || pagePath === null) {
      reporter.note(`Stopped; what was trained is saved. Go on with: ${command}`);
      return interrupt.signal() === "SIGTERM" ? 143 : 130;
    }
    if (!args.json) print(describe(result, pagePath));
    return result.runs.some(({ status }) => status === "failed") ? 1 : 0;
  } finally {
    reporter.close();
    interrupt.dispose();
  }
}

function studyName(name: string | undefined, arms: readonly Arm[]): string {
  if (name === undefined) return arms.map(({ label }) => label).join("-vs-");
  if (/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) return name;
  throw new UsageError(
    `Expected --name of letters, digits, dot, dash and underscore, got ${JSON.stringify(name)}. To choose the folder around it: --set outputDir=DIR.`,
  );
}

/** The command that goes on with the study. */
function commandOf({ recipes, set, name, seeds, jobs, target }: CompareArguments): string {
  const options = [
    ["--seeds", String(seeds)],
    ...set.map((text) => ["--set", text]),
    ...(name === undefined ? [] : [["--name", name]]),
    ...(jobs === undefined ? [] : [["--jobs", String(jobs)]]),
    ...(target === undefined ? [] : [["--target", String(target)]]),
  ];
  return ["grouper", "compare", ...recipes, ...options.flat()].map(shellWord).join(" ");
}

function describe({ comparisons, summaries, target, runs }: StudyResult, pagePath: string): string {
  const percent = (share: number) => `${points(share)} %`;
  const width = Math.max(...summaries.map(({ label }) => label.length));
  const lines = summaries.map(({ label, numRuns, final, toTarget }) => {
    const score =
      final === null
        ? "no complete run"
        : `${percent(final.mean)}${final.std === null ? "" : ` ± ${points(final.std)}`}`;
    const { numReached, cost } = toTarget;
    const reached = target === null ? "" : `  reached ${percent(target)} in ${numReached} of ${numRuns}`;
    const spent =
      cost === null
        ? ""
        : ` after ${Math.round(cost.samples).toLocaleString("en")} samples, ${Math.round(cost.tokens).toLocaleString("en")} tokens, ${cost.seconds.toFixed(0)} s`;
    return `${label.padEnd(width)}  ${score}${reached}${spent}`;
  });
  const failed = runs.flatMap(({ label, seed, reason }) =>
    reason === null ? [] : [`Left out: ${label}, seed ${seed} failed. ${reason} The same command tries it again.`],
  );
  return `${[...comparisons.map(({ sentence }) => sentence), "", ...lines, ...failed, "", `Page: ${pagePath}`].join("\n")}\n`;
}

/** The first Ctrl-C lets running runs finish their step and save; the second ends them at once, which loses the step. */
function listenForInterrupts({ note }: StudyReporter) {
  const [stop, kill] = [new AbortController(), new AbortController()];
  let first: NodeJS.Signals | null = null;
  const onStop = (signal: NodeJS.Signals) => {
    if (first !== null) return kill.abort();
    first = signal;
    note(`${signal}: the runs finish their step and save. Once more to stop at once.`);
    stop.abort();
  };
  const onHangUp = () => note("The terminal is gone; the study goes on.");
  process.on("SIGINT", onStop).on("SIGTERM", onStop).on("SIGHUP", onHangUp);
  return {
    stop: stop.signal,
    kill: kill.signal,
    signal: () => first,
    dispose: () => void process.off("SIGINT", onStop).off("SIGTERM", onStop).off("SIGHUP", onHangUp),
  };
}
