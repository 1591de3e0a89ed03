/**
 * The command line: parses, calls one function, prints. Results go to stdout, progress and errors to stderr.
 *
 * Exit codes: 0 done; 1 something that the user can mend, in one sentence; 2 the command line itself; 70 a bug of ours, with its
 * stack; 130 interrupted and saved.
 */
import yargs, { type Argv } from "yargs";
import { EngineError } from "../engine/engine.ts";
import { messageOf, RecipeError, UsageError } from "../errors.ts";
import { nearest } from "../recipe/nearest.ts";
import { ServerError } from "../server/server.ts";
import type { Output } from "./reporters.ts";

// Whoever reads our output may go away at any time (`| head`); a run must not die of that.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);

const output: Output = {
  write: (text) => process.stderr.write(text),
  isTty: process.stderr.isTTY === true && process.env["CI"] === undefined,
  columns: () => process.stderr.columns ?? 80,
  now: () => performance.now() / 1000,
};
const print = (text: string) => process.stdout.write(text);

let exitCode = 0;

const set = {
  type: "string",
  array: true,
  nargs: 1,
  default: [] as string[],
  describe: "Override a value: --set stages.rl.steps=50 (repeatable)",
} as const;
const json = { type: "boolean", default: false, describe: "Machine-readable output" } as const;
const recipe = { type: "string", describe: "Recipe file, e.g. recipes/quickstart.yaml" } as const;

const parser = yargs()
  .scriptName("grouper")
  .usage("$0 <command>\n\nTrains language models with reinforcement learning from verifiable rewards.")
  .parserConfiguration({ "dot-notation": false, "parse-numbers": false, "parse-positional-numbers": false, "camel-case-expansion": true })
  .command(
    "train [recipe]",
    "Run a recipe, or go on with a run",
    (y: Argv) =>
      y
        .positional("recipe", recipe)
        .options({ set, json, name: { type: "string", describe: "Name of the run folder" }, resume: { type: "string", describe: "Go on with this run folder" } }),
    async (args) => {
      const { runTrain } = await import("./train.ts");
      exitCode = await runTrain(args, output, print);
    },
  )
  .command(
    "eval <recipe>",
    "Measure a model by a recipe's evaluation",
    (y: Argv) =>
      y
        .positional("recipe", { ...recipe, demandOption: true })
        .options({ set, json, model: { type: "string", describe: "Model folder; default: the recipe's own" }, samples: { type: "string", describe: "Samples per prompt (k)" } }),
    async (args) => {
      const { runEvaluate } = await import("./evaluate.ts");
      exitCode = await runEvaluate({ ...args, samples: wholeNumber("samples", args.samples) }, output, print);
    },
  )
  .command(
    "serve <model>",
    "Serve a model folder over the OpenAI API",
    (y: Argv) =>
      y.positional("model", { type: "string", demandOption: true, describe: "Hugging Face folder" }).options({
        host: { type: "string", default: "127.0.0.1" },
        port: { type: "string", default: "8000", describe: "0 = any free port" },
        name: { type: "string", describe: "Model name in requests; default: the folder's" },
        device: { type: "string", default: "auto", describe: "auto, cpu, cuda or cuda:N" },
        threads: { type: "string", default: "0", describe: "CPU threads; 0 = libtorch's choice" },
        "api-key-env": { type: "string", describe: "Environment variable with the key that clients must send" },
      }),
    async (args) => {
      const { runServe } = await import("./serve.ts");
      const port = wholeNumber("port", args.port) ?? 8000;
      exitCode = await runServe({ ...args, port, threads: wholeNumber("threads", args.threads) ?? 0, apiKeyEnv: args.apiKeyEnv }, print);
    },
  )
  .command("setup", "Find or install libtorch and compile the engine", { json }, async (args) => {
    const { runSetup } = await import("./setup.ts");
    exitCode = await runSetup({ json: args.json });
  })
  .command(
    "check <recipe>",
    "Validate a recipe; print it resolved, with its plan",
    (y: Argv) => y.positional("recipe", { ...recipe, demandOption: true }).options({ set, json }),
    async (args) => {
      const { runCheck } = await import("./check.ts");
      exitCode = await runCheck(args, print);
    },
  )
  .command(
    "reward test <reward..>",
    "Run rewards over a JSON Lines file of completions",
    (y: Argv) =>
      y.positional("reward", { type: "string", array: true, demandOption: true, describe: "Name or file, e.g. accuracy or ./mine.ts" }).options({
        json,
        data: { type: "string", array: true, nargs: 1, demandOption: true, describe: "JSON Lines of completions" },
        limit: { type: "string", describe: "Rows to read" },
        "max-tokens": { type: "string", describe: "Generation limit that length rewards see" },
      }),
    async (args) => {
      const { runRewardTest } = await import("./reward.ts");
      const limit = wholeNumber("limit", args.limit);
      exitCode = await runRewardTest({ ...args, limit, maxTokens: wholeNumber("max-tokens", args.maxTokens) }, print);
    },
  )
  .command("tasks", "List the procedural tasks", { json }, async (args) => {
    const { runTasks } = await import("./tasks.ts");
    exitCode = runTasks(args, print);
  })
  .demandCommand(1, "Expected a command.")
  .strict()
  .recommendCommands()
  .fail((message, error, y) => {
    if (error !== undefined && error !== null) throw error;
    throw new UsageError(withSuggestion(message, y as Argv));
  })
  .exitProcess(false)
  .help()
  .version("0.1.0");

/** yargs names an unknown option; the nearest valid one makes it a hint. */
function withSuggestion(message: string, y: Argv): string {
  const unknown = /Unknown arguments?: ([^,\s]+)/.exec(message)?.[1];
  if (unknown === undefined) return message;
  const { key } = (y as Argv & { getOptions(): { key: Record<string, unknown> } }).getOptions();
  const meant = nearest(unknown, Object.keys(key));
  return `There is no option --${unknown}.${meant === null ? "" : ` Did you mean --${meant}?`}`;
}

function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text)) throw new UsageError(`Expected a whole number for --${name}, got ${JSON.stringify(text)}.`);
  return Number(text);
}

function report(error: unknown): number {
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\nTry: grouper --help\n`);
    return 2;
  }
  if (error instanceof RecipeError || error instanceof ServerError || error instanceof EngineError) {
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
  process.stderr.write(`This is a bug in Grouper: ${error instanceof Error ? (error.stack ?? error.message) : messageOf(error)}\n`);
  return 70;
}

try {
  await parser.parseAsync(process.argv.slice(2));
} catch (error) {
  exitCode = report(error);
}
process.exitCode = exitCode;

