/**
 * The command line: parses, calls one function, prints. Results go to stdout, progress and errors to stderr.
 *
 * Exit codes: 0 done; 1 something that the user can mend, in one sentence; 2 the command line itself; 70 a bug of ours, with its
 * stack; 130 stopped by Ctrl-C and 143 by SIGTERM, saved and ready to resume.
 */
import yargs, { type Argv } from "yargs";
import { UsageError } from "../errors.ts";
import { packageVersion } from "../paths.ts";
import { complaint, helpOf, refuseRepeated } from "./complaints.ts";
import { describeFailure } from "./failure.ts";
import { withAnswers } from "./negative-answers.ts";
import { rewardNumbers, share, wholeNumber } from "./numbers.ts";
import { options, recipe, rewardNames, rewardOptions } from "./options.ts";
import type { Output } from "./reporters.ts";

// Whoever reads our output may go away at any time (`| head`, a closed terminal); a run must not die of that.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);

const { env } = process;
const isTty = process.stderr.isTTY === true && env["CI"] === undefined && env["TERM"] !== "dumb";
const output: Output = {
  write: (text) => process.stderr.write(text),
  isTty,
  hasColors: isTty && !env["NO_COLOR"],
  columns: () => process.stderr.columns || 80,
  now: () => performance.now() / 1000,
};
const print = (text: string) => process.stdout.write(text);
/** What a result may look like on stdout. */
const page = {
  columns: Math.min(120, Math.max(80, process.stdout.columns || 100)),
  hasColors: process.stdout.isTTY === true && !env["NO_COLOR"] && env["TERM"] !== "dumb",
};

let exitCode = 0;

const parser = yargs()
  .scriptName("grouper")
  .usage("$0 <command>\n\nTrains language models with reinforcement learning from verifiable rewards.")
  .parserConfiguration({ "dot-notation": false, "parse-numbers": false, "parse-positional-numbers": false })
  // Messages are read below.
  .locale("en")
  .command(
    "train [recipe]",
    "Run a recipe, or go on with a run",
    (y: Argv) => y.positional("recipe", recipe).options(options.train),
    async (args) => {
      const { runTrain } = await import("./train.ts");
      exitCode = await runTrain(args, output, print);
    },
  )
  .command(
    "eval <recipe>",
    "Measure a model by a recipe's evaluation",
    (y: Argv) => y.positional("recipe", { ...recipe, demandOption: true }).options(options.eval),
    async (args) => {
      const samples = wholeNumber("samples", args.samples, { min: 1 });
      const { runEvaluate } = await import("./evaluate.ts");
      exitCode = await runEvaluate({ ...args, samples }, output, print);
    },
  )
  .command(
    "compare <recipes..>",
    "Run recipes side by side, seed by seed, and say what differs",
    (y: Argv) =>
      y
        .positional("recipes", { type: "string", array: true, demandOption: true, describe: "Recipe files" })
        .options(options.compare),
    async (args) => {
      const seeds = wholeNumber("seeds", args.seeds, { min: 1, max: 1000 })!;
      const jobs = wholeNumber("jobs", args.jobs, { min: 1, max: 1000 });
      const target = share("target", args.target);
      const { runCompare } = await import("./compare.ts");
      exitCode = await runCompare({ ...args, seeds, jobs, target }, output, print);
    },
  )
  .command(
    "serve <model>",
    "Serve a model folder over the OpenAI API",
    (y: Argv) =>
      y
        .positional("model", { type: "string", demandOption: true, describe: "Hugging Face folder" })
        .options(options.serve),
    async (args) => {
      const port = wholeNumber("port", args.port, { max: 65_535 })!;
      const threads = wholeNumber("threads", args.threads)!;
      const { runServe } = await import("./serve.ts");
      exitCode = await runServe({ ...args, port, threads, apiKeyEnv: args.apiKeyEnv }, print);
    },
  )
  .command("setup", "Find or install libtorch and compile the engine", options.setup, async (args) => {
    const { runSetup } = await import("./setup.ts");
    exitCode = await runSetup({ json: args.json });
  })
  .command(
    "check <recipe>",
    "Validate a recipe; print it resolved, with its plan",
    (y: Argv) => y.positional("recipe", { ...recipe, demandOption: true }).options(options.check),
    async (args) => {
      const { runCheck } = await import("./check.ts");
      exitCode = await runCheck(args, print);
    },
  )
  .command(
    "explain [recipe]",
    "What a recipe minimises, and the numbers of one batch",
    (y: Argv) => y.positional("recipe", recipe).options(options.explain),
    async (args) => {
      const step = wholeNumber("step", args.step, { min: 1 });
      const group = wholeNumber("group", args.group);
      const completion = wholeNumber("completion", args.completion);
      const { runExplain } = await import("./explain.ts");
      exitCode = await runExplain({ ...args, step, group, completion }, page, print);
    },
  )
  .command(
    "import <file>",
    "Turn a config of TRL, verl or OpenRLHF into a recipe",
    (y: Argv) =>
      y
        .positional("file", { type: "string", demandOption: true, describe: "YAML, JSON or shell script" })
        .options(options.import),
    async (args) => {
      const numProcesses = wholeNumber("num-processes", args.numProcesses, { min: 1 });
      const rows = wholeNumber("rows", args.rows, { min: 1 });
      const { runImport } = await import("./import.ts");
      exitCode = await runImport({ ...args, numProcesses, rows }, print, output.write);
    },
  )
  .command(
    "replay <run>",
    "Several objectives on the rollouts that a run kept",
    (y: Argv) =>
      y.positional("run", { type: "string", demandOption: true, describe: "Run folder" }).options(options.replay),
    async (args) => {
      const { runReplay } = await import("./replay.ts");
      exitCode = await runReplay(args, page, print);
    },
  )
  .command("reward", "Try rewards before a run depends on them, or after", (y: Argv) =>
    y
      .command(
        "list [name]",
        "The shipped rewards, or all about one: definition, source, parameters",
        (inner: Argv) =>
          inner.positional("name", { type: "string", describe: "A shipped reward" }).options(rewardOptions.list),
        async (args) => {
          const { runRewardList } = await import("./reward-list.ts");
          exitCode = await runRewardList(args, page.columns, print);
        },
      )
      .command(
        "test [reward..]",
        "Run rewards over saved completions; right answers must score most, and junk less",
        (inner: Argv) => inner.positional("reward", rewardNames).options(rewardOptions.test),
        async (args) => {
          const { runRewardTest } = await import("./reward.ts");
          exitCode = await runRewardTest({ ...args, ...rewardNumbers(args) }, print);
        },
      )
      .command(
        "bench [reward..]",
        "Time rewards, also on hostile texts, and count their failures",
        (inner: Argv) => inner.positional("reward", rewardNames).options(rewardOptions.bench),
        async (args) => {
          const repeats = wholeNumber("repeats", args.repeats, { min: 1 });
          const threads = wholeNumber("threads", args.threads, { min: 1, max: 256 });
          const { runRewardBench } = await import("./reward-bench.ts");
          exitCode = await runRewardBench({ ...args, ...rewardNumbers(args), repeats, threads }, print);
        },
      )
      .command(
        "fuzz [reward..]",
        "Mutate good completions and see what becomes of the score",
        (inner: Argv) => inner.positional("reward", rewardNames).options(rewardOptions.fuzz),
        async (args) => {
          const { runRewardFuzz } = await import("./reward-fuzz.ts");
          exitCode = await runRewardFuzz({ ...args, ...rewardNumbers(args) }, print);
        },
      )
      .command(
        "diff <old> <new>",
        "Compare two versions of a reward on the same completions",
        (inner: Argv) =>
          inner
            .positional("old", { type: "string", demandOption: true, describe: "Reward, as for test" })
            .positional("new", { type: "string", demandOption: true, describe: "Reward, as for test" })
            .options(rewardOptions.diff),
        async (args) => {
          const { runRewardDiff } = await import("./reward-diff.ts");
          exitCode = await runRewardDiff({ ...args, ...rewardNumbers(args) }, print);
        },
      )
      .command(
        "replay <run>",
        "Run rewards again over a run's rollouts, and audit its steps",
        (inner: Argv) =>
          inner
            .positional("run", { type: "string", demandOption: true, describe: "Run folder" })
            .options(rewardOptions.replay),
        async (args) => {
          const { runRewardReplay } = await import("./reward-replay.ts");
          exitCode = await runRewardReplay(args, print);
        },
      )
      .demandCommand(1, "Expected a command after reward: list, test, bench, fuzz, diff or replay."),
  )
  .command(
    "verify <gold> <prediction>",
    "Is a mathematical answer right? The gold answer, then the response",
    (y: Argv) =>
      y
        .positional("gold", { type: "string", demandOption: true, describe: "Reference answer" })
        .positional("prediction", { type: "string", demandOption: true, describe: "Response, or - for stdin" })
        .options(options.verify),
    async (args) => {
      const { runVerify } = await import("./verify.ts");
      exitCode = runVerify(args, print);
    },
  )
  .command(
    "sandbox [files..]",
    "Try whether programs can get out here; or run files of them",
    (y: Argv) =>
      y
        .positional("files", {
          type: "string",
          array: true,
          default: [],
          describe: 'JSON Lines: {"completion": …, "tests": [{"input": …, "output": …}]}; or "program"',
        })
        .options(options.sandbox),
    async (args) => {
      const parallel = wholeNumber("parallel", args.parallel, { min: 1, max: 1024 })!;
      const timeoutSeconds = wholeNumber("timeout-seconds", args.timeoutSeconds, { min: 1, max: 3600 })!;
      const memoryMb = wholeNumber("memory-mb", args.memoryMb, { min: 16, max: 1_048_576 })!;
      const { runSandbox } = await import("./sandbox.ts");
      exitCode = await runSandbox({ ...args, parallel, timeoutSeconds, memoryMb }, output, print);
    },
  )
  .command(
    "judge",
    "Rule against judge on completions: a table, rescues, disagreements",
    options.judge,
    async (args) => {
      const limit = wholeNumber("limit", args.limit, { min: 1 });
      const samples = wholeNumber("samples", args.samples);
      const { runJudge } = await import("./judge.ts");
      exitCode = await runJudge({ ...args, data: [...args.data], limit, samples }, print);
    },
  )
  .command("tasks", "List the procedural tasks", options.tasks, async (args) => {
    const { runTasks } = await import("./tasks.ts");
    exitCode = runTasks(args, print);
  })
  .middleware(refuseRepeated, true)
  .demandCommand(1, "Expected a command, such as train, reward, verify or check.")
  .strict()
  .fail((message, error) => {
    // yargs throws its own complaints, as of an option without a value, under this name.
    if (error != null && error.name !== "YError") throw error;
    throw new UsageError(complaint(message ?? error?.message ?? "The command line cannot be read."));
  })
  .exitProcess(false)
  .wrap(Math.min(100, process.stdout.columns || 80))
  .help()
  .version(packageVersion());

try {
  await parser.parseAsync(withAnswers(process.argv.slice(2)));
} catch (error) {
  const failure = describeFailure(error, helpOf(process.argv.slice(2)));
  exitCode = failure.exitCode;
  const asJson = process.argv.includes("--json");
  process.stderr.write(
    asJson ? `${JSON.stringify({ event: "error", exitCode, text: failure.text })}\n` : `${failure.text}\n`,
  );
}
process.exitCode = exitCode;
