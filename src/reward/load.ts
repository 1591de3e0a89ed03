/**
 * Loads reward files inside a worker: shipped ones as compiled modules, a user's .ts, .js or .mjs file through jiti, without a
 * build step. `grouper/reward`, `grouper/sandbox` and `zod` mean this installation's own, wherever the user's file lies.
 */
import { readdirSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { createJiti } from "jiti";
import * as zod from "zod";
import { messageOf, RecipeError } from "../errors.ts";
import { packageRoot } from "../paths.ts";
import { nearest } from "../recipe/nearest.ts";
import { problemsOf } from "../recipe/problems.ts";
import * as sandboxModule from "../sandbox/score.ts";
import { describeValue } from "./describe-value.ts";
import type { LoadRequest } from "./protocol.ts";
import type { RewardDefinition } from "./reward.ts";
import * as rewardModule from "./reward.ts";

export interface LoadedReward {
  readonly label: string;
  readonly definition: RewardDefinition;
  /** What the reward's schema made of the recipe's params. */
  readonly params: unknown;
}

/** Compiled: a thread cannot run TypeScript on Node 20. */
const SHIPPED_REWARDS = join(packageRoot, "dist", "rewards");

/** Throws RecipeError for a reward that cannot be had, or not with these parameters. */
export async function loadReward({ label, source, params }: LoadRequest): Promise<LoadedReward> {
  const definition = "name" in source ? await importShipped(source.name) : await importUserFile(source.file);
  const parsed = parseParams(label, definition, params);
  await prepare(label, definition, parsed);
  return { label, definition, params: parsed };
}

/** Names of the shipped rewards, in order. */
export function shippedRewards(): string[] {
  const files = readdirSync(SHIPPED_REWARDS).filter((entry) => entry.endsWith(".js"));
  return files.map((entry) => basename(entry, ".js")).sort();
}

/** Throws RecipeError for a name that is none of them. */
export async function importShipped(name: string): Promise<RewardDefinition> {
  const known = shippedRewards();
  if (!known.includes(name)) {
    const meant = nearest(name, known);
    throw new RecipeError(
      `Expected the name of a shipped reward, got "${name}".${meant === null ? "" : ` Did you mean ${meant}?`} ` +
        `There are: ${known.join(", ")}; your own goes by its file, such as ./${/^[\w-]+$/.test(name) ? name : "mine"}.ts.`,
    );
  }
  const loaded: unknown = await import(pathToFileURL(join(SHIPPED_REWARDS, `${name}.js`)).href);
  return checkDefinition(loaded, `rewards/${name}`);
}

async function importUserFile(file: string): Promise<RewardDefinition> {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) throw new RecipeError(`Expected a reward file at ${file}, but there is none.`);
  if (!found.isFile()) throw new RecipeError(`Expected a reward file at ${file}, but it is a folder.`);
  if (!/\.[cm]?[jt]s$/.test(file))
    throw new RecipeError(`Expected a reward file that ends in .ts, .js or .mjs, got ${file}.`);
  const jiti = createJiti(import.meta.url, {
    fsCache: join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "grouper", "jiti"),
    interopDefault: false,
    virtualModules: { "grouper/reward": rewardModule, "grouper/sandbox": sandboxModule, zod, "zod/v4": zod },
  });
  let loaded: unknown;
  try {
    loaded = await jiti.import(file);
  } catch (error) {
    // Of a module that is not there Node also lists who asked for it: files of ours.
    const [reason] = messageOf(error).split(/\s*Require stack:/);
    throw new RecipeError(`The reward file ${file} could not be loaded: ${reason!.replaceAll(/\s+/g, " ")}`, {
      cause: error,
    });
  }
  return checkDefinition(loaded, file);
}

async function prepare(label: string, definition: RewardDefinition, params: unknown): Promise<void> {
  try {
    await definition.prepare?.(params);
  } catch (error) {
    throw new RecipeError(`Reward "${label}" cannot work on this machine: ${messageOf(error)}`, { cause: error });
  }
}

function checkDefinition(loaded: unknown, where: string): RewardDefinition {
  const value = (loaded as { default?: unknown } | null)?.default;
  const definition = (value ?? {}) as Partial<Record<"score" | "scoreGroup" | "params", unknown>>;
  const isOneKind = (typeof definition.score === "function") !== (typeof definition.scoreGroup === "function");
  if (!isOneKind) {
    throw new RecipeError(
      `Expected ${where} to export default defineReward({ description, score }) or ({ description, scoreGroup }), ` +
        `got ${value === undefined ? "no default export" : describeValue(value)}.`,
    );
  }
  if (
    definition.params !== undefined &&
    typeof (definition.params as { safeParse?: unknown }).safeParse !== "function"
  ) {
    throw new RecipeError(
      `Expected the params of ${where} to be a zod schema, such as z.object({ limit: z.number().default(10) }).`,
    );
  }
  return value as RewardDefinition;
}

/** Names the reward, the key, what is expected there and what came. */
function parseParams(label: string, { params: schema }: RewardDefinition, params: LoadRequest["params"]): unknown {
  if (schema === undefined) {
    const keys = Object.keys(params);
    if (keys.length === 0) return {};
    throw new RecipeError(`Reward "${label}" takes no params, got ${keys.join(", ")}.`);
  }
  const parsed = schema.safeParse(params);
  if (parsed.success) return parsed.data;
  // A schema of another library has no more than messages.
  const { issues } = parsed.error;
  const isOurs = Object.hasOwn(schema, "_zod");
  const problems: readonly { path: readonly PropertyKey[]; message: string }[] = isOurs
    ? problemsOf(issues, schema, params)
    : issues;
  const lines = problems.map(({ path, message }) => `${["params", ...path.map(String)].join(".")}: ${message}`);
  const text = lines.join("; ");
  throw new RecipeError(`Reward "${label}": ${text}${text.endsWith("?") ? "" : "."}`);
}
