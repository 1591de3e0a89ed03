/** From a file to the settings in it, and whose they are: TRL's, verl's or OpenRLHF's. */
import { RecipeError } from "../errors.ts";
import { isMapping } from "../recipe/override.ts";
import { type Path, parseSource } from "../recipe/source.ts";
import { parseFlags } from "./flags.ts";
import { interpolation, parseHydraValue, parseOverride } from "./hydra.ts";
import { underDottedNames } from "./openrlhf-names.ts";
import type { Setting } from "./settings.ts";
import { parseShell, type Word } from "./shell.ts";

export const trainers = ["trl", "verl", "openrlhf"] as const;
export type Trainer = (typeof trainers)[number];

export interface Foreign {
  readonly trainer: Trainer;
  readonly settings: readonly Setting[];
}

/** `set` are the user's own words on what the file leaves open: "key=value". Throws RecipeError. */
export function readForeign(
  text: string,
  {
    label,
    from,
    set = [],
  }: { readonly label: string; readonly from?: Trainer | undefined; readonly set?: readonly string[] },
): Foreign {
  const { trainer, settings } = looksLikeMapping(text)
    ? readMapping(text, label, from)
    : readCommand(text, label, from);
  const own = set.map((word, i) => ownSetting(word, i));
  const all = [...settings, ...own];
  return { trainer, settings: trainer === "openrlhf" ? underDottedNames(all) : all };
}

function ownSetting(word: string, index: number): Setting {
  const equals = word.indexOf("=");
  const place = `--set #${index + 1}`;
  if (equals < 1)
    throw new RecipeError(`${place}: expected key=value in the trainer's own names, got ${JSON.stringify(word)}.`);
  return { key: word.slice(0, equals), value: parseHydraValue(word.slice(equals + 1)), place };
}

/** Recipes of TRL and verl are YAML or JSON: their first line that says something is a key. Scripts begin otherwise. */
function looksLikeMapping(text: string): boolean {
  const first = text.split("\n").find((line) => line.trim() !== "" && !/^\s*(#|---)/.test(line)) ?? "";
  return /^\s*\{/.test(first) || /^\s*["']?[A-Za-z_][\w.]*["']?\s*:(\s|$)/.test(first);
}

function readMapping(text: string, label: string, from: Trainer | undefined): Foreign {
  const source = parseSource(text, { label, dir: "." });
  if (!isMapping(source.value))
    throw new RecipeError(
      `${label}: expected a mapping of settings, got ${JSON.stringify(source.value)?.slice(0, 80)}.`,
    );
  const settings: Setting[] = [];
  const visit = (value: unknown, path: Path): void => {
    if (isMapping(value) && Object.keys(value).length > 0) {
      for (const [key, inner] of Object.entries(value)) visit(inner, [...path, key]);
      return;
    }
    const place = source.locate(path, "value") ?? label;
    settings.push({ key: path.join("."), value, place, ...interpolation(value) });
  };
  visit(source.value, []);
  const isVerl = settings.some(({ key }) => /^(actor_rollout_ref|algorithm|trainer)\./.test(key));
  const isTrl = settings.some(({ key }) => TRL_KEYS.has(key));
  const trainer = from ?? (isVerl ? "verl" : isTrl ? "trl" : undefined);
  if (trainer === undefined) throw unknownTrainer(label);
  return { trainer, settings };
}

const TRL_KEYS: ReadonlySet<string> = new Set([
  "num_generations",
  "max_completion_length",
  "per_device_train_batch_size",
  "loss_type",
  "scale_rewards",
  "reward_funcs",
  "num_train_epochs",
  "model_name_or_path",
]);

/** The programs that start a run, by a word of the command. */
const PROGRAMS: Readonly<Record<Trainer, RegExp>> = {
  verl: /(^|[./])(main_ppo|main_dapo)(\.py)?$/,
  openrlhf: /(^|[./])train_ppo(_ray)?(\.py)?$/,
  trl: /(^|[./])grpo(\.py)?$/,
};

function readCommand(text: string, label: string, from: Trainer | undefined): Foreign {
  const commands = parseShell(text);
  for (const trainer of from === undefined ? trainers : [from]) {
    for (const words of commands) {
      const program = words.findIndex((word) => PROGRAMS[trainer].test(word.text));
      if (program < 0) continue;
      return { trainer, settings: settingsOf(trainer, words.slice(program + 1), label) };
    }
  }
  throw unknownTrainer(label);
}

function settingsOf(trainer: Trainer, words: readonly Word[], label: string): Setting[] {
  if (trainer === "verl") {
    return words.map((word) => parseOverride(word, label) ?? leftover(word, label));
  }
  const settings = parseFlags(words, label);
  if (trainer === "trl" && settings.some(({ key }) => key === "config")) {
    throw new RecipeError(
      `${label} starts TRL with a config file: import that file instead, and say what the command adds with --set key=value.`,
    );
  }
  return settings;
}

/** A word that is no override, such as "$@": listed, not dropped. */
function leftover({ text, line, unreadable }: Word, label: string): Setting {
  return { key: text, value: null, place: `${label}:${line}`, ...(unreadable === undefined ? {} : { unreadable }) };
}

function unknownTrainer(label: string): RecipeError {
  return new RecipeError(
    `Expected ${label} to be a config of TRL (YAML or JSON), of verl (YAML, or a command with verl.trainer.main_ppo) or a command with openrlhf.cli.train_ppo_ray, and could not tell which. Say it with --from trl, verl or openrlhf.`,
  );
}
