/**
 * The command line: parses, calls one function, prints. Results go to stdout, progress and errors to stderr.
 *
 * Exit codes: 0 done; 1 something that the user can mend, in one sentence; 2 the command line itself; 70 a bug of ours, with its
 * stack; 130 stopped by Ctrl-C and 143 by SIGTERM, saved and ready to resume.
 */
import yargs, { type Argv } from "yargs";
import { UsageError } from "../errors.ts";
import { packageVersion } from "../paths.ts";
import { nearest } from "../recipe/nearest.ts";
import { describeFailure } from "./failure.ts";
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

const recipe = { type: "string", describe: "Recipe file, e.g. recipes/quickstart.yaml" } as const;
const json = { type: "boolean", default: false, describe: "Machine-readable output" } as const;
const set = {
  type: "string",
  array: true,
  nargs: 1,
  default: [] as string[],
  describe: "Override a value: --set stages.rl.steps=50 (repeatable)",
} as const;
const text = <Text extends string>(describe: Text) => ({ type: "string", requiresArg: true, describe }) as const;

const options = {
  train: { set, json, name: text("Name of the run folder"), resume: text("Go on with this run folder") },
  eval: {
    set,
    json,
    model: text("Model folder; default: the recipe's own"),
    samples: text("Samples per prompt (k)"),
  },
  compare: {
    set,
    json,
    seeds: { ...text("Runs of each recipe, with seeds 1 to N"), default: "5" },
    jobs: text("Runs at a time; default: as many as there are cores, one on a GPU"),
    target: text("Score that costs are counted to, e.g. 0.8; default: the lowest mean final score"),
    name: text("Name of the study's folder"),
  },
  serve: {
    host: { ...text("Address to listen on"), default: "127.0.0.1" },
    port: { ...text("0 = any free port"), default: "8000" },
    name: text("Model name in requests; default: the folder's"),
    device: { ...text("auto, cpu, cuda or cuda:N"), default: "auto" },
    threads: { ...text("CPU threads; 0 = libtorch's choice"), default: "0" },
    "api-key-env": text("Environment variable with the key that clients must send"),
  },
  setup: { json },
  check: { set, json, run: text("Run folder of this recipe: names the warnings that only its rollouts can give") },
  explain: {
    set,
    json,
    run: text("Run folder: the numbers of a step that it trained on"),
    step: text("Step of the run; default: its last one"),
    stage: text("Name of an rl stage; default: the last one"),
    group: text("Group of the step; default: the one that pulls most"),
    completion: text("Completion of the group; default: the one that pulls most"),
  },
  import: {
    json,
    from: text("trl, verl or openrlhf; default: what the file looks like"),
    output: text("Recipe to write; default: print it"),
    set: { ...set, describe: "What the file leaves open, in the trainer's own names: --set key=value (repeatable)" },
    "num-processes": text("Processes that train (TRL counts its batch per process)"),
    rows: text("Rows of the dataset: turns epochs into steps"),
  },
  replay: {
    json,
    objective: {
      ...text("Objectives, by type or with options: dapo,grpo,'dapo:{clipHigh: 0.3}'"),
      demandOption: true,
    },
    step: text("Step of the run, or a range: 3 or 3-7; default: its last one"),
    stage: text("Name of an rl stage; default: the last one"),
    model: text("Model folder; default: the run's checkpoint nearest to the step"),
    weights: { type: "boolean", default: true, describe: "Gradients by the model's weights, where there is a model" },
  },
  reward: {
    json,
    data: {
      type: "string",
      array: true,
      nargs: 1,
      demandOption: true,
      describe: 'JSON Lines: {"completion": …, "answer": …} (repeatable)',
    },
    limit: text("Rows to read"),
    "max-tokens": text("Generation limit that length rewards see"),
  },
  judge: {
    json,
    data: {
      type: "string",
      array: true,
      nargs: 1,
      demandOption: true,
      describe: 'JSON Lines: {"completion": …, "answer": …, "question": …} (repeatable)',
    },
    url: { ...text("OpenAI base URL of the judge, e.g. http://127.0.0.1:8001/v1"), demandOption: true },
    model: { ...text("Its served model name"), demandOption: true },
    protocol: text("open-r1, open-r1-chinese, openthoughts, r1, deepscaler, seed or seed-thinking"),
    method: text("The rule's method; default: exact"),
    from: text("Where the answer stands; default: auto"),
    params: text("Further parameters of the judge: '{maxTokens: 512, cache: false}'"),
    rescue: { type: "boolean", default: false, describe: "Ask only about complete answers that the rule rejects" },
    label: text("Column with the truth: counts the errors of rule and judge"),
    output: text("Write every row with its verdicts here"),
    limit: text("Rows to read"),
    samples: text("Disagreements to show; default: 10"),
  },
  verify: {
    json,
    explain: { type: "boolean", default: false, describe: "Say step by step why" },
    mode: { ...text("lenient or strict"), default: "lenient" },
  },
  sandbox: {
    json,
    output: text("File for the results, one line each; a second call goes on with it"),
    isolation: { ...text("bubblewrap, or limits-only: hides no file"), default: "bubblewrap" },
    parallel: { ...text("Programs at a time"), default: "2" },
    "timeout-seconds": { ...text("Wall time of one test"), default: "10" },
    "memory-mb": { ...text("Memory of a program and its processes"), default: "1024" },
  },
  tasks: { json },
} as const;

const rewardNames = {
  type: "string",
  array: true,
  demandOption: true,
  describe: "Name or file, with parameters if need be: ./mine.ts, 'accuracy:{method: numeric}'",
} as const;
const goldOption = text(
  "How a right answer is given: '<answer>{answer}</answer>'; default: the shape that scores most",
);
const strict = { type: "boolean", default: false, describe: "Exit with 1 where a score is not as it must be" } as const;

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
        "test <reward..>",
        "Run rewards over saved completions; right answers must score most, and junk less",
        (inner: Argv) =>
          inner.positional("reward", rewardNames).options({ ...options.reward, gold: goldOption, strict }),
        async (args) => {
          const { runRewardTest } = await import("./reward.ts");
          exitCode = await runRewardTest({ ...args, ...rewardNumbers(args), data: [...args.data] }, print);
        },
      )
      .command(
        "bench <reward..>",
        "Time rewards, also on hostile texts, and count their failures",
        (inner: Argv) =>
          inner.positional("reward", rewardNames).options({
            ...options.reward,
            repeats: text("Passes that are timed; default: 3"),
            threads: text("Worker threads; default: 2"),
          }),
        async (args) => {
          const repeats = wholeNumber("repeats", args.repeats, { min: 1 });
          const threads = wholeNumber("threads", args.threads, { min: 1, max: 256 });
          const { runRewardBench } = await import("./reward-bench.ts");
          exitCode = await runRewardBench(
            { ...args, ...rewardNumbers(args), data: [...args.data], repeats, threads },
            print,
          );
        },
      )
      .command(
        "fuzz <reward..>",
        "Mutate good completions and see what becomes of the score",
        (inner: Argv) => inner.positional("reward", rewardNames).options({ ...options.reward, strict }),
        async (args) => {
          const { runRewardFuzz } = await import("./reward-fuzz.ts");
          exitCode = await runRewardFuzz({ ...args, ...rewardNumbers(args), data: [...args.data] }, print);
        },
      )
      .command(
        "diff <old> <new>",
        "Compare two versions of a reward on the same completions",
        (inner: Argv) =>
          inner
            .positional("old", { type: "string", demandOption: true, describe: "Reward, as for test" })
            .positional("new", { type: "string", demandOption: true, describe: "Reward, as for test" })
            .options(options.reward),
        async (args) => {
          const { runRewardDiff } = await import("./reward-diff.ts");
          exitCode = await runRewardDiff({ ...args, ...rewardNumbers(args), data: [...args.data] }, print);
        },
      )
      .command(
        "replay <run>",
        "Run rewards again over a run's rollouts, and audit its steps",
        (inner: Argv) =>
          inner.positional("run", { type: "string", demandOption: true, describe: "Run folder" }).options({
            json,
            reward: {
              type: "string",
              array: true,
              nargs: 1,
              default: [] as string[],
              describe: "Reward to judge by instead, as for test (repeatable); default: the run's own",
            },
            stage: text("Name of an rl stage; default: the last one"),
            step: text("Step of the run, or a range: 3 or 3-7; default: all"),
          }),
        async (args) => {
          const { runRewardReplay } = await import("./reward-replay.ts");
          exitCode = await runRewardReplay(args, print);
        },
      )
      .demandCommand(1, "Expected a command after reward: test, bench, fuzz, diff or replay."),
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
        .positional("files", { type: "string", array: true, default: [], describe: "Programs with tests, one a row" })
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
  .demandCommand(1, "Expected a command.")
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

/** yargs would make a list of a value that is given twice. */
function refuseRepeated(args: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(args)) {
    if (Array.isArray(value) && !["_", "set", "data", "reward", "recipes", "files"].includes(name)) {
      throw new UsageError(`Expected --${name} once, got it ${value.length} times.`);
    }
  }
}

/** What yargs says, in our words, with the command or option that was meant. */
function complaint(message: string): string {
  const [command = "", second] = process.argv.slice(2);
  const noValue = /^Not enough arguments following: (\S+)/.exec(message)?.[1];
  if (noValue !== undefined) return `Expected a value after --${noValue}.`;
  const missing = /^Missing required arguments?: (\S+)/.exec(message)?.[1];
  if (missing !== undefined) return `Expected --${missing} with a value.`;
  if (message.startsWith("Not enough non-option arguments"))
    return `Expected ${POSITIONALS[command] ?? "an argument"}.`;

  const unknown = /^Unknown (?:arguments?|commands?): ([^,]+)/.exec(message)?.[1];
  if (unknown === undefined) return message.split("\n")[0]!;
  if (unknown === command) return `There is no command ${unknown}.${meantBy(unknown, Object.keys(options), "")}`;
  if (command === "reward" && unknown === second)
    return `There is no command reward ${unknown}.${meantBy(unknown, ["test", "bench", "fuzz", "diff", "replay"], "")}`;
  if (!process.argv.some((arg) => arg.startsWith("-") && arg.replace(/^-+|=.*$/gs, "") === unknown)) {
    return `Expected nothing after the ${command} command's own arguments, got ${JSON.stringify(unknown)}.`;
  }
  const known = command in options ? Object.keys(options[command as keyof typeof options]) : ["help", "version"];
  return `There is no option --${unknown}${command in options ? ` of grouper ${command}` : ""}.${meantBy(unknown, known, "--")}`;
}

const POSITIONALS: Readonly<Record<string, string>> = {
  eval: "a recipe: grouper eval RECIPE",
  check: "a recipe: grouper check RECIPE",
  compare: "recipes: grouper compare A.yaml B.yaml",
  serve: "a model folder: grouper serve FOLDER",
  import: "a config: grouper import FILE",
  replay: "a run: grouper replay RUN --objective dapo,grpo",
  reward: "a reward: grouper reward test REWARD --data FILE",
  verify: "a gold answer and a response: grouper verify GOLD PREDICTION",
};

function meantBy(typed: string, candidates: readonly string[], dashes: string): string {
  const meant = nearest(typed, candidates);
  if (meant !== null) return ` Did you mean ${dashes}${meant}?`;
  return ` There are: ${candidates.map((name) => dashes + name).join(", ")}.`;
}

function wholeNumber(
  name: string,
  typed: string | undefined,
  { min = 0, max = Number.MAX_SAFE_INTEGER }: { readonly min?: number; readonly max?: number } = {},
): number | undefined {
  if (typed === undefined) return undefined;
  const value = Number(typed);
  if (/^\d+$/.test(typed) && value >= min && value <= max) return value;
  const range = max === Number.MAX_SAFE_INTEGER ? `from ${min} up` : `from ${min} to ${max}`;
  throw new UsageError(`Expected a whole number ${range} for --${name}, got ${JSON.stringify(typed)}.`);
}

/** The counts that the commands over saved completions share. */
function rewardNumbers(args: { readonly limit: string | undefined; readonly maxTokens: string | undefined }) {
  return {
    limit: wholeNumber("limit", args.limit, { min: 1 }),
    maxTokens: wholeNumber("max-tokens", args.maxTokens, { min: 1 }),
  };
}

function share(name: string, typed: string | undefined): number | undefined {
  if (typed === undefined) return undefined;
  const value = Number(typed);
  if (typed.trim() !== "" && value > 0 && value <= 1) return value;
  throw new UsageError(`Expected a share above 0 and up to 1 for --${name}, got ${JSON.stringify(typed)}.`);
}

try {
  await parser.parseAsync(process.argv.slice(2));
} catch (error) {
  const failure = describeFailure(error);
  exitCode = failure.exitCode;
  const asJson = process.argv.includes("--json");
  process.stderr.write(
    asJson ? `${JSON.stringify({ event: "error", exitCode, text: failure.text })}\n` : `${failure.text}\n`,
  );
}
process.exitCode = exitCode;
