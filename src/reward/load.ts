/**
 * Loads reward files inside a worker: shipped ones as compiled modules, a user's .ts, .js or .mjs file through jiti, without a
 * build step. `grouper/reward`, `grouper/sandbox` and `zod` mean this installation's own, wherever the user's file lies.
 */
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createJiti } from "jiti";
import * as zod from "zod";
import { messageOf } from "../errors.ts";
import { nearest } from "../recipe/nearest.ts";
import * as sandboxModule from "../sandbox/score.ts";
import type { LoadRequest } from "./protocol.ts";
import type { RewardDefinition } from "./reward.ts";
import * as rewardModule from "./reward.ts";

export interface LoadedReward {
  readonly label: string;
  readonly definition: RewardDefinition;
  /** What the reward's schema made of the recipe's params. */
  readonly params: unknown;
}

/** dist/rewards beside dist/src/reward: this file runs compiled. */
const SHIPPED_REWARDS = fileURLToPath(new URL("../../rewards/", import.meta.url));

/** Throws an Error whose message is for the user. */
export async function loadReward({ label, source, params }: LoadRequest): Promise<LoadedReward> {
  const loaded = "name" in source ? await importShipped(source.name) : await importUserFile(source.file);
  const definition = checkDefinition(loaded, "name" in source ? `rewards/${source.name}` : source.file);
  const parsed = parseParams(label, definition, params);
  await prepare(label, definition, parsed);
  return { label, definition, params: parsed };
}

async function importShipped(name: string): Promise<unknown> {
  const file = join(SHIPPED_REWARDS, `${name}.js`);
  if (!/^[a-z][a-z0-9-]*$/.test(name) || !existsSync(file)) {
    const files = readdirSync(SHIPPED_REWARDS).filter((entry) => entry.endsWith(".js"));
    const known = files.map((entry) => basename(entry, ".js"));
    const meant = nearest(name, known);
    throw new Error(
      `Expected the name of a shipped reward, got "${name}". There are: ${known.join(", ")}; or name your own file with \`file\`.` +
        (meant === null ? "" : ` Did you mean ${meant}?`),
    );
  }
  return ((await import(file)) as { default?: unknown }).default;
}

async function importUserFile(file: string): Promise<unknown> {
  if (!existsSync(file)) throw new Error(`Expected a reward file at ${file}, but there is none.`);
  const jiti = createJiti(import.meta.url, {
    fsCache: join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "grouper", "jiti"),
    interopDefault: false,
    virtualModules: { "grouper/reward": rewardModule, "grouper/sandbox": sandboxModule, zod, "zod/v4": zod },
  });
  try {
    return ((await jiti.import(file)) as { default?: unknown }).default;
  } catch (error) {
    const reason = messageOf(error).replaceAll(/\s+/g, " ");
    throw new Error(`The reward file ${file} could not be loaded: ${reason}`, { cause: error });
  }
}

async function prepare(label: string, definition: RewardDefinition, params: unknown): Promise<void> {
  try {
    await definition.prepare?.(params);
  } catch (error) {
    throw new Error(`Reward "${label}" cannot work on this machine: ${messageOf(error)}`, { cause: error });
  }
}

function checkDefinition(value: unknown, where: string): RewardDefinition {
  const definition = (value ?? {}) as Partial<Record<"score" | "scoreGroup" | "params", unknown>>;
  const isOneKind = (typeof definition.score === "function") !== (typeof definition.scoreGroup === "function");
  if (!isOneKind) {
    throw new Error(
      `Expected ${where} to export default defineReward({ description, score }) or ({ description, scoreGroup }), ` +
        `got ${value === undefined ? "no default export" : "something else"}.`,
    );
  }
  if (
    definition.params !== undefined &&
    typeof (definition.params as { safeParse?: unknown }).safeParse !== "function"
  ) {
    throw new Error(
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
    throw new Error(`Reward "${label}" takes no params, got ${keys.join(", ")}.`);
  }
  const parsed = schema.safeParse(params);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => {
    const key = ["params", ...issue.path.map(String)].join(".");
    const value = issue.path.reduce<unknown>(
      (at, part) => (at as Record<PropertyKey, unknown> | undefined)?.[part],
      params,
    );
    const came = issue.code === "unrecognized_keys" ? "" : `, got ${JSON.stringify(value) ?? "nothing"}`;
    return `${key}: ${issue.message}${came}`;
  });
  throw new Error(`Reward "${label}": ${problems.join("; ")}.`);
}
