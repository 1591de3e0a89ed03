/**
 * From a file and the command line to a recipe that can run: read, extended, overridden, checked, with every path made absolute.
 * Whatever is wrong is said in one round, each problem with its place.
 */
import { isAbsolute, parse, resolve } from "node:path";
import { RecipeError } from "../errors.ts";
import { checkRecipe } from "./check.ts";
import { lintRecipe, type MeasuredStages } from "./lint.ts";
import type { ModelSpec } from "./model-schema.ts";
import { applyOverride, isMapping, nameOf, type Override, parseOverride } from "./override.ts";
import { type Problem, problemsOf } from "./problems.ts";
import { type DataSpec, type Recipe, type RewardsSpec, type Stage, recipe as schema } from "./schema.ts";
import { type Path, parseSource, readSource, type Source } from "./source.ts";

export interface LoadOptions {
  /** As after --set: "key.key=value". */
  readonly set?: readonly string[] | undefined;
  /** What relative paths in `set` and outputDir start from. Default: the working directory. */
  readonly workingDir?: string | undefined;
  /** What a run of this recipe showed, for the warnings that only rollouts can give. */
  readonly measured?: MeasuredStages | undefined;
}

export interface ResolvedRecipe {
  /** Defaults filled in, paths absolute, named: after its file, unless it says otherwise. */
  readonly recipe: Recipe;
  /** The same name, always there. */
  readonly name: string;
  /** One sentence each, with place and name. */
  readonly warnings: readonly string[];
  /** "quickstart.yaml:7:16" of the value that is written at `path`, or the --set that wrote it; null for a default. */
  readonly placeOf: (path: Path) => string | null;
}

const MAX_EXTENDS = 5;

/** Throws RecipeError with all problems of the file and of --set. */
export function loadRecipe(path: string, options: LoadOptions = {}): ResolvedRecipe {
  return resolveSources(readChain(readSource(path)), parse(path).name, options);
}

/** A recipe from text; `dir` is what its relative paths start from. Throws RecipeError. */
export function parseRecipe(
  text: string,
  { label = "recipe.yaml", dir = ".", ...options }: LoadOptions & { label?: string; dir?: string } = {},
): ResolvedRecipe {
  return resolveSources(readChain(parseSource(text, { label, dir })), parse(label).name, options);
}

/** The file and those that it extends, from the file itself to its furthest base. */
function readChain(first: Source): Source[] {
  const chain = [first];
  for (let source = first; ; ) {
    if (!isMapping(source.value))
      throw new RecipeError(
        `${source.label}: expected a mapping with model and stages, got ${JSON.stringify(source.value)?.slice(0, 80)}.`,
      );
    const base = source.value["extends"];
    if (base === undefined) return chain;
    if (typeof base !== "string")
      throw new RecipeError(`${source.locate(["extends"], "value")} extends: expected the path of another recipe.`);
    if (chain.length === MAX_EXTENDS)
      throw new RecipeError(`${first.label} extends more than ${MAX_EXTENDS - 1} recipes in a row; is there a circle?`);
    source = readSource(resolve(source.dir, base));
    chain.push(source);
  }
}

function resolveSources(
  chain: readonly Source[],
  fileName: string,
  { set = [], workingDir = process.cwd(), measured = {} }: LoadOptions,
): ResolvedRecipe {
  const shorthand = chain.map(({ value }) => isMapping(value) && value["stage"] !== undefined);
  const merged = chain.reduceRight((base: unknown, source) => merge(base, withStages(source, base)), {});
  if (!isMapping(merged)) throw new Error("a merged recipe is a mapping");
  // Beside `stages`, `stage` is a problem of its own, told below.
  const { extends: _, stage: __, ...raw } = merged;

  const overrides = set.map(parseOverride);
  const applied = overrides.map((override) => ({ override, path: applyOverride(raw, override) }));
  const places = new Places(chain, shorthand, stageNames(raw), applied);

  const parsed = schema.safeParse(raw);
  const crossed = checkRecipe(raw);
  const both = chain.filter(
    ({ value }) => isMapping(value) && value["stage"] !== undefined && value["stages"] !== undefined,
  );
  const problems: Problem[] = [
    ...both.map((): Problem => ({ path: ["stage"], part: "key", message: "expected stage or stages, got both" })),
    ...(parsed.success ? [] : problemsOf(parsed.error.issues, schema, raw)),
    ...crossed,
  ];
  if (!parsed.success || problems.length > 0) {
    const lines = problems.map(({ path, part, message }) => `${places.describe(path, part)}: ${message}`);
    throw new RecipeError(
      lines.length === 1 ? `${lines[0]}.` : `The recipe has ${lines.length} problems:\n  ${lines.join("\n  ")}`,
    );
  }
  const name = parsed.data.name ?? fileName;
  return {
    recipe: { ...withAbsolutePaths(parsed.data, places, workingDir), name },
    name,
    warnings: lintRecipe(parsed.data, measured).map(
      ({ name, path, message }) => `${places.describe(path, "value")}: ${message} [${name}]`,
    ),
    placeOf: (path) => places.placeOf(path),
  };
}

/** `stage: {…}` is short for a list of one; a mapping of stages changes those of `base`, the recipe that it extends, by their names. */
function withStages({ value, label, locate }: Source, base: unknown): unknown {
  if (!isMapping(value)) return value;
  const { stage, ...rest } = value;
  if (stage !== undefined && value["stages"] === undefined) return { ...rest, stages: [stage] };
  const changes = value["stages"];
  if (!isMapping(changes)) return value;
  const names = stageNames(base);
  for (const name of Object.keys(changes)) {
    if (names.includes(name)) continue;
    const expected =
      names.length === 0
        ? "a list of stages, since the file extends no recipe whose stages a mapping could change"
        : `the name of a stage of the recipe that it extends (${names.join(", ")})`;
    throw new RecipeError(
      `${locate(["stages", name], "key") ?? label} stages: expected ${expected}, got ${JSON.stringify(name)}.`,
    );
  }
  const before = isMapping(base) && Array.isArray(base["stages"]) ? base["stages"] : [];
  return { ...value, stages: before.map((one, i) => merge(one, changes[names[i]!] ?? {})) };
}

/** Names of a recipe's stages as written: a stage without a name goes by its type. */
function stageNames(value: unknown): string[] {
  if (!isMapping(value) || !Array.isArray(value["stages"])) return [];
  return value["stages"].map(nameOf);
}

/** Mappings merge key by key, everything else is replaced. What comes out shares nothing with what went in, as aliases in YAML do. */
function merge(base: unknown, layer: unknown): unknown {
  if (Array.isArray(layer)) return layer.map((item) => merge(undefined, item));
  if (!isMapping(layer)) return layer;
  const result: Record<string, unknown> = isMapping(base) ? { ...base } : {};
  for (const [key, value] of Object.entries(layer)) result[key] = merge(result[key], value);
  return result;
}

interface Applied {
  readonly override: Override;
  readonly path: Path;
}

/** Where each value of a merged recipe comes from. */
class Places {
  private readonly chain: readonly Source[];
  private readonly shorthand: readonly boolean[];
  private readonly stageNames: readonly string[];
  private readonly applied: readonly Applied[];

  constructor(
    chain: readonly Source[],
    shorthand: readonly boolean[],
    stageNames: readonly string[],
    applied: readonly Applied[],
  ) {
    this.chain = chain;
    this.shorthand = shorthand;
    this.stageNames = stageNames;
    this.applied = applied;
  }

  /** "quickstart.yaml:7:16 stages.0.rollout.groupSize"; for a value that is missing, the nearest mapping around it. */
  describe(path: Path, part: "key" | "value"): string {
    const name = path.length === 0 ? "" : ` ${path.join(".")}`;
    const override = this.overrideOf(path);
    if (override !== null) return `${override.label} (${override.text})${name}`;
    for (let length = path.length; length >= 0; length--) {
      const place = this.locate(path.slice(0, length), length === path.length ? part : "key");
      if (place !== null) return place + name;
    }
    return `${this.chain[0]!.label}${name}`;
  }

  /** Where the value itself is written; null where nobody wrote it. */
  placeOf(path: Path): string | null {
    const override = this.overrideOf(path);
    return override === null ? this.locate(path, "value") : `${override.label} (${override.text})`;
  }

  /** The folder that a relative path at `path` starts from. */
  dirOf(path: Path, workingDir: string): string {
    if (this.overrideOf(path) !== null) return workingDir;
    return (this.chain.find((source, i) => source.locate(this.inFile(path, i), "value") !== null) ?? this.chain[0]!)
      .dir;
  }

  private overrideOf(path: Path): Override | null {
    const set = this.applied.findLast(({ path: prefix }) =>
      prefix.every((step, i) => String(step) === String(path[i])),
    );
    return set?.override ?? null;
  }

  private locate(path: Path, part: "key" | "value"): string | null {
    for (const [i, source] of this.chain.entries()) {
      const place = source.locate(this.inFile(path, i), part);
      if (place !== null) return place;
    }
    return null;
  }

  private inFile(path: Path, index: number): Path {
    const { value } = this.chain[index]!;
    if (path[0] === "stages" && path.length > 1 && isMapping(value) && isMapping(value["stages"])) {
      return ["stages", this.stageNames[Number(path[1])] ?? "", ...path.slice(2)];
    }
    if (!this.shorthand[index] || path[0] !== "stages") return path;
    return path.length === 1 ? ["stage"] : ["stage", ...path.slice(2)];
  }
}

/** Inputs are relative to the file that names them (or, in --set, to the working directory); outputs to the working directory. */
function withAbsolutePaths(recipe: Recipe, places: Places, workingDir: string): Recipe {
  const input = (value: string, path: Path) =>
    isAbsolute(value) ? value : resolve(places.dirOf(path, workingDir), value);
  const output = (value: string) => resolve(workingDir, value);
  const { model, server } = recipe;

  const data = (spec: DataSpec, at: Path): DataSpec => {
    if (spec.type !== "file") return spec;
    const { path } = spec;
    const absolute =
      typeof path === "string" ? input(path, [...at, "path"]) : path.map((file, i) => input(file, [...at, "path", i]));
    return { ...spec, path: absolute };
  };
  const withFile = <Spec extends { file?: string | undefined }>(reward: Spec | string, at: Path): Spec | string =>
    typeof reward === "string" || reward.file === undefined
      ? reward
      : { ...reward, file: input(reward.file, [...at, "file"]) };
  const rewards = (spec: RewardsSpec, at: Path): RewardsSpec => ({
    ...spec,
    functions: spec.functions.map((reward, i) => withFile(reward, [...at, "functions", i])),
  });
  const stage = (spec: Stage, at: Path): Stage => {
    const withData = { ...spec, data: data(spec.data, [...at, "data"]) };
    if (withData.type === "sft") return withData;
    const withRewards = { ...withData, rewards: rewards(withData.rewards, [...at, "rewards"]) };
    if (withRewards.type === "rl" && withRewards.critic?.path !== undefined)
      withRewards.critic = { ...withRewards.critic, path: input(withRewards.critic.path, [...at, "critic", "path"]) };
    if (withRewards.type === "rl") {
      const shadow = withRewards.audit.shadow.map((reward, i) => withFile(reward, [...at, "audit", "shadow", i]));
      withRewards.audit = { ...withRewards.audit, shadow };
    }
    if (withRewards.type === "eval" || withRewards.eval === undefined) return withRewards;
    const evaluation = { ...withRewards.eval, data: data(withRewards.eval.data, [...at, "eval", "data"]) };
    if (evaluation.rewards !== undefined) evaluation.rewards = rewards(evaluation.rewards, [...at, "eval", "rewards"]);
    return { ...withRewards, eval: evaluation };
  };
  const absoluteModel: ModelSpec = { ...model };
  if (model.path !== undefined) absoluteModel.path = input(model.path, ["model", "path"]);
  if (typeof model.tokenizer === "string") absoluteModel.tokenizer = input(model.tokenizer, ["model", "tokenizer"]);
  return {
    ...recipe,
    outputDir: output(recipe.outputDir),
    model: absoluteModel,
    server:
      server.type === "vllm" ? { ...server, publish: { ...server.publish, dir: output(server.publish.dir) } } : server,
    stages: recipe.stages.map((spec, i) => stage(spec, ["stages", i])),
  };
}
