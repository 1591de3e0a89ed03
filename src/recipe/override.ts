/** `--set a.b=c`: one value of a recipe, replaced from the command line. */
import { RecipeError } from "../errors.ts";
import { isForbiddenKey, type Path, parseValue } from "./source.ts";

export interface Override {
  /** "--set #2", counted from 1. */
  readonly label: string;
  /** As written. */
  readonly text: string;
  readonly keys: readonly string[];
  readonly value: unknown;
}

/** Throws RecipeError. The value is YAML: 0.3, true, [1, 2], {type: grpo}; anything else is text. */
export function parseOverride(text: string, index: number): Override {
  const label = `--set #${index + 1}`;
  const equals = text.indexOf("=");
  const keys = text.slice(0, Math.max(0, equals)).split(".");
  if (equals < 1 || keys.some((key) => key.trim() === "")) {
    throw new RecipeError(`${label}: expected key=value, such as engine.numThreads=2, got ${JSON.stringify(text)}.`);
  }
  const forbidden = keys.find(isForbiddenKey);
  if (forbidden !== undefined) throw new RecipeError(`${label}: ${forbidden} cannot be a key.`);
  return { label, text, keys, value: parseValue(text.slice(equals + 1), label) };
}

/** Sets the value inside `root`, and returns the path that its keys mean. Throws RecipeError where they lead nowhere. */
export function applyOverride(root: Record<string, unknown>, { label, keys, value }: Override): Path {
  const path: (string | number)[] = [];
  const steps = keys[0] === "stage" ? ["stages", "0", ...keys.slice(1)] : keys;
  let at: unknown = root;
  for (const [depth, key] of steps.entries()) {
    const isLast = depth === steps.length - 1;
    const where = path.length === 0 ? "the recipe" : path.join(".");
    if (Array.isArray(at)) {
      const index = indexIn(at, key, where, label);
      path.push(index);
      if (isLast) at[index] = value;
      else at = at[index];
    } else if (isMapping(at)) {
      path.push(key);
      if (isLast) at[key] = value;
      else {
        at[key] ??= {};
        at = at[key];
      }
    } else {
      throw new RecipeError(`${label}: cannot set ${key} in ${where}, which is ${JSON.stringify(at)}.`);
    }
  }
  return path;
}

/** Entries of a list go by index, stages also by name. */
function indexIn(list: readonly unknown[], key: string, where: string, label: string): number {
  if (/^\d+$/.test(key)) {
    if (Number(key) < list.length) return Number(key);
    throw new RecipeError(`${label}: ${where} has ${list.length} entries, so there is no ${where}.${key}.`);
  }
  const names = where === "stages" ? list.map(nameOf) : [];
  const matches = names.flatMap((name, index) => (name === key ? [index] : []));
  if (matches.length === 1) return matches[0]!;
  const expected = where === "stages" ? `an index or the name of one stage (${names.join(", ")})` : "an index from 0";
  throw new RecipeError(`${label}: expected ${expected} after ${where}, got ${JSON.stringify(key)}.`);
}

/** A stage's name as written: its own, or its type. */
export function nameOf(stage: unknown): string {
  return isMapping(stage) ? String(stage["name"] ?? stage["type"]) : "?";
}

export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
