/** What is wrong with a command line, in our words and with what was probably meant. */
import { UsageError } from "../errors.ts";
import { nearest } from "../recipe/nearest.ts";
import { options, rewardOptions } from "./options.ts";

/** yargs would make a list of a value that is given twice. */
export function refuseRepeated(args: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(args)) {
    if (Array.isArray(value) && !["_", "set", "data", "reward", "recipes", "files"].includes(name)) {
      throw new UsageError(`Expected --${name} once, got it ${value.length} times.`);
    }
  }
}

/** The command that shows how a command line is meant: grouper reward test --help. */
export function helpOf([command = "", second = ""]: readonly string[]): string {
  if (command === "reward") return `grouper reward ${second in rewardOptions ? `${second} ` : ""}--help`;
  return command in options ? `grouper ${command} --help` : "grouper --help";
}

/** What yargs says, in our words, with the command or option that was meant. */
export function complaint(message: string): string {
  const [command = "", second] = process.argv.slice(2);
  const noValue = /^Not enough arguments following: (\S+)/.exec(message)?.[1];
  if (noValue !== undefined) return `Expected a value after --${noValue}.`;
  const missing = /^Missing required arguments?: (\S+)/.exec(message)?.[1];
  if (missing !== undefined) return `Expected --${missing} with a value.`;
  if (message.startsWith("Not enough non-option arguments"))
    return `Expected ${POSITIONALS[command === "reward" ? `reward ${second}` : command] ?? "an argument"}.`;

  const unknown = /^Unknown (?:arguments?|commands?): ([^,]+)/.exec(message)?.[1];
  if (unknown === undefined) return message.split("\n")[0]!;
  const commands = [...Object.keys(options), "reward"];
  if (unknown === command) return `There is no command ${unknown}.${meantBy(unknown, commands, "")}`;
  if (command === "reward" && unknown === second)
    return `There is no command reward ${unknown}.${meantBy(unknown, Object.keys(rewardOptions), "")}`;
  if (!process.argv.some((arg) => arg.startsWith("-") && arg.replace(/^-+|=.*$/gs, "") === unknown)) {
    return `Expected nothing after the own arguments of grouper ${command === "reward" ? `reward ${second}` : command}, got ${JSON.stringify(unknown)}.`;
  }
  const known = optionsOf(command, second);
  const of = known === undefined ? "" : ` of grouper ${command === "reward" ? `reward ${second}` : command}`;
  return `There is no option --${unknown}${of}.${meantBy(unknown, known ?? ["help", "version"], "--")}`;
}

/** Names of a command's options; undefined where there is no such command. */
function optionsOf(command: string, second: string | undefined): readonly string[] | undefined {
  const known: Readonly<Record<string, object>> = command === "reward" ? rewardOptions : options;
  const own = known[(command === "reward" ? second : command) ?? ""];
  return own && Object.keys(own);
}

const POSITIONALS: Readonly<Record<string, string>> = {
  eval: "a recipe: grouper eval RECIPE",
  check: "a recipe: grouper check RECIPE",
  compare: "recipes: grouper compare A.yaml B.yaml",
  serve: "a model folder: grouper serve FOLDER",
  import: "a config: grouper import FILE",
  replay: "a run: grouper replay RUN --objective dapo,grpo",
  "reward diff": "two rewards: grouper reward diff OLD NEW --data FILE",
  "reward replay": "a run: grouper reward replay RUN",
  verify: "a gold answer and a response: grouper verify GOLD RESPONSE",
};

function meantBy(typed: string, candidates: readonly string[], dashes: string): string {
  const meant = nearest(typed, candidates);
  if (meant !== null) return ` Did you mean ${dashes}${meant}?`;
  return ` There are: ${candidates.map((name) => dashes + name).join(", ")}.`;
}
