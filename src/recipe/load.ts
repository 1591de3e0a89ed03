/** From a recipe file to a recipe: parsed, checked in one round, with every problem at its line and the nearest valid key. */
import { readFileSync } from "node:fs";
import { basename, dirname, isAbsolute, resolve } from "node:path";
import type { z } from "zod";
import { RecipeError } from "../errors.ts";
import { crossCheck, type Problem } from "./cross-check.ts";
import { allowedKeys, recipeJsonSchema } from "./json-schema.ts";
import { nearest } from "./nearest.ts";
import { type Recipe, recipe as recipeSchema, type Stage } from "./schema.ts";
import { parseRecipeYaml, type RecipeDocument } from "./yaml.ts";

export interface ResolvedRecipe {
  /** With defaults filled in and paths made absolute. */
  readonly recipe: Recipe;
  readonly path: string;
  /** Named doubts that do not stop a run, one sentence each with its position. */
  readonly warnings: readonly string[];
}

/** Throws RecipeError that lists every problem. */
export function loadRecipe(path: string, { set = [] }: { readonly set?: readonly string[] } = {}): ResolvedRecipe {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    throw new RecipeError(`Expected a recipe at ${path}, but it cannot be read. Give the path of a .yaml file, e.g. recipes/quickstart.yaml.`);
  }
  return parseRecipe(text, path, set);
}

/** `path` names the recipe in messages; relative paths inside are relative to its folder. */
export function parseRecipe(text: string, path: string, set: readonly string[] = []): ResolvedRecipe {
  const document = parseRecipeYaml(text, basename(path), set);
  const value = withStages(document.value, basename(path));
  const isShorthand = value !== document.value;
  // The shorthand's paths are the list's in messages of zod, and the file's in positions.
  const inFile = (at: readonly PropertyKey[]) => (isShorthand && at[0] === "stages" ? ["stage", ...at.slice(2)] : at);
  const parsed = recipeSchema.safeParse(value);
  if (!parsed.success) throw new RecipeError(report(parsed.error.issues.flatMap((issue) => describe(issue, document, value, inFile)), path));
  const named = { ...parsed.data, name: parsed.data.name ?? basename(path).replace(/\.ya?ml$/, "") };
  const problems = crossCheck(named);
  const sentence = ({ path: at, message }: Problem) => `${document.position(inFile(at))} ${inFile(at).join(".")}: ${message}`;
  const errors = problems.filter((problem) => problem.severity === "error");
  if (errors.length > 0) throw new RecipeError(report(errors.map(sentence), path));
  return {
    recipe: absolutePaths(named, dirname(resolve(path))),
    path,
    warnings: problems.filter((problem) => problem.severity === "warning").map(sentence),
  };
}

function report(problems: readonly string[], path: string): string {
  const distinct = [...new Set(problems)];
  return distinct.length === 1 ? distinct[0]! : `${path} has ${distinct.length} problems:\n${distinct.map((problem) => `  ${problem}`).join("\n")}`;
}

/** `stage: {...}` as the list of one that it stands for. */
function withStages(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new RecipeError(`Expected a recipe of keys and values in ${name}, got ${Array.isArray(value) ? "a list" : JSON.stringify(value)}.`);
  }
  if (!("stage" in value)) return value;
  if ("stages" in value) throw new RecipeError(`Expected either stage or stages in ${name}, got both.`);
  const { stage, ...rest } = value;
  return { ...rest, stages: [stage] };
}

type Issue = z.core.$ZodIssue;

/** One sentence per problem that an issue of zod stands for. */
function describe(
  issue: Issue,
  document: RecipeDocument,
  value: unknown,
  inFile: (path: readonly PropertyKey[]) => readonly PropertyKey[],
): string[] {
  const at = inFile(issue.path);
  const name = at.join(".") || "recipe";
  if (issue.code === "unrecognized_keys") {
    const allowed = allowedKeys(recipeJsonSchema(), issue.path, value);
    return issue.keys.map((key) => {
      const meant = nearest(key, allowed);
      const hint = meant === null ? `Keys here: ${allowed.join(", ")}.` : `Did you mean ${meant}?`;
      return `${document.position(at, key)} ${[...at, key].join(".")}: there is no such key. ${hint}`;
    });
  }
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    const branch = likeliestBranch(issue.errors);
    return branch.flatMap((inner) => describe({ ...inner, path: [...issue.path, ...inner.path] } as Issue, document, value, inFile));
  }
  const got = valueAt(value, issue.path);
  return [`${document.position(at)} ${name}: ${expectation(issue)}${got === undefined ? "" : `, got ${shorten(got)}`}.${hintOf(issue, got)}`];
}

/** The alternative that the user most likely meant: the one whose complaints lie deepest, then the one with the fewest. */
function likeliestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] {
  const depth = (branch: readonly Issue[]) => Math.max(...branch.map((issue) => issue.path.length));
  const isWrongType = (branch: readonly Issue[]) => branch.some((issue) => issue.path.length === 0 && issue.code === "invalid_type");
  return [...branches].sort((a, b) => Number(isWrongType(a)) - Number(isWrongType(b)) || depth(b) - depth(a) || a.length - b.length)[0]!;
}

function expectation(issue: Issue): string {
  if (issue.code === "invalid_type" && issue.input === undefined && issue.message.includes("undefined")) return "expected a value, but the key is missing";
  const message = issue.message.replace(/^Invalid input: /, "").replace(/, received .*$/, "").replace(/^Invalid (string|option|union)[^:]*: /, "");
  return message.startsWith("expected") ? message : message.charAt(0).toLowerCase() + message.slice(1);
}

function hintOf(issue: Issue, got: unknown): string {
  if (issue.code !== "invalid_value" || typeof got !== "string") return "";
  const meant = nearest(got, issue.values.map(String));
  return meant === null ? "" : ` Did you mean ${meant}?`;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((here, key) => (typeof here === "object" && here !== null ? (here as Record<PropertyKey, unknown>)[key] : undefined), value);
}

function shorten(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** Files that a recipe names are relative to the recipe, wherever it is run from. */
function absolutePaths(recipe: Recipe, dir: string): Recipe {
  const absolute = (path: string) => (isAbsolute(path) ? path : resolve(dir, path));
  const { model } = recipe;
  const ofData = <Data extends Stage["data"]>(data: Data): Data =>
    data.type === "file" ? { ...data, path: Array.isArray(data.path) ? data.path.map(absolute) : absolute(data.path) } : data;
  const ofRewards = <Rewards extends { readonly functions: readonly unknown[] }>(rewards: Rewards): Rewards => ({
    ...rewards,
    functions: rewards.functions.map((reward) =>
      typeof reward === "object" && reward !== null && "file" in reward && typeof reward.file === "string" ? { ...reward, file: absolute(reward.file) } : reward,
    ),
  });
  return {
    ...recipe,
    model: {
      ...model,
      ...(model.path === undefined ? {} : { path: absolute(model.path) }),
      ...(typeof model.tokenizer === "string" ? { tokenizer: absolute(model.tokenizer) } : {}),
    },
    stages: recipe.stages.map((stage): Stage => {
      if (stage.type === "sft") return { ...stage, data: ofData(stage.data) };
      const rewards = ofRewards(stage.rewards);
      if (stage.type === "eval") return { ...stage, data: ofData(stage.data), rewards };
      const held = stage.eval;
      return {
        ...stage,
        data: ofData(stage.data),
        rewards,
        ...(held === undefined ? {} : { eval: { ...held, data: ofData(held.data), ...(held.rewards === undefined ? {} : { rewards: ofRewards(held.rewards) }) } }),
      };
    }),
  };
}
