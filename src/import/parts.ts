/** The parts of a recipe that all three trainers have under different names: model, data, server, steps, rates, algorithm. */
import { basename } from "node:path";
import { objectiveSchema, objectiveTypes } from "../objectives/create.ts";
import { rollout as rolloutSchema } from "../recipe/schema.ts";
import type { Path } from "../recipe/source.ts";
import { assumption, certain, type Draft, type Known, shown } from "./draft.ts";

/** What the command line adds to the file. */
export interface ImportOptions {
  /** Processes that train; TRL's batch is counted per process. */
  readonly numProcesses: number | null;
  /** Rows of the dataset: what turns epochs into steps. */
  readonly rows: number | null;
}

/** The one stage of an imported recipe. */
export const STAGE: Path = ["stages", 0];

/** A path inside it. */
export function at(...path: Path): Path {
  return [...STAGE, ...path];
}

/** A name on the Hugging Face hub, not a folder: one slash, no dot or slash in front. */
function isHubName(name: string): boolean {
  return /^[A-Za-z0-9][\w.-]*\/[\w.-]+$/.test(name) && !/\.(jsonl?|parquet|gz)$/.test(name);
}

/** The model's folder: a recipe reads it from this machine. */
export function putModel(draft: Draft, key: string): void {
  const name = draft.optionalText(key);
  if (name === null) {
    draft.set(["model", "path"], assumption("models/MODEL", `the file does not say ${key}: name the model's folder`));
    return;
  }
  const folder = isHubName(name.value) || name.value.startsWith("~") ? `models/${basename(name.value)}` : name.value;
  const how =
    folder === name.value
      ? ""
      : isHubName(name.value)
        ? `hf download ${name.value} --local-dir ${folder}`
        : `${name.value}, of which the shell's ~ is not read here`;
  draft.set(["model", "path"], draft.derive(folder, how, [name]));
}

const LORA_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

/** An adapter of every linear layer, unless the file names some of them. */
export function putLora(
  draft: Draft,
  rank: Known<number>,
  alpha: Known<number>,
  targets: { readonly key: string; readonly known: Known<unknown> | null },
): void {
  draft.set(["model", "lora", "rank"], rank);
  draft.set(["model", "lora", "alpha"], alpha);
  if (targets.known === null || targets.known.value === "all-linear") return;
  const names = Array.isArray(targets.known.value) ? targets.known.value : [targets.known.value];
  const known = names.filter((name) => LORA_TARGETS.includes(String(name)));
  if (known.length > 0) draft.set(["model", "lora", "targets"], { ...targets.known, value: known });
  if (known.length < names.length) {
    draft.cannot(
      { key: targets.key, value: targets.known.value, place: targets.known.origin },
      `adapters here are on ${LORA_TARGETS.join(", ")}`,
    );
  }
}

/** Rows from the hub or from a file, under the trainer's names of the columns. */
export function putData(
  draft: Draft,
  path: Path,
  source: Known<string>,
  { question, answer, split }: { question: Known<string>; answer: Known<string>; split?: Known<string> | undefined },
): void {
  if (isHubName(source.value)) {
    draft.set([...path, "type"], certain("hub", source.origin));
    draft.set([...path, "dataset"], source);
    if (split !== undefined) draft.set([...path, "split"], split);
  } else {
    draft.set([...path, "type"], certain("file", source.origin));
    draft.set([...path, "path"], source);
    if (/^[~$]/.test(source.value))
      draft.assume(`${shown(source.value)} is written as the shell would read it: put the real path`);
    if (!/\.(jsonl(\.gz)?|parquet)$/.test(source.value))
      draft.assume(`${shown(source.value)} is read as .jsonl, .jsonl.gz or .parquet: a folder or a .json file is not`);
  }
  draft.set([...path, "columns", "question"], question);
  draft.set([...path, "columns", "answer"], answer);
}

/** A policy server of its own, or the embedded one. */
export function putServer(draft: Draft, isVllm: Known<boolean>, url: Known<string>, hasLora: boolean): void {
  draft.set(["engine", "device"], certain("cuda", "as there"));
  if (!isVllm.value) return;
  draft.set(["server", "type"], { ...isVllm, value: "vllm" });
  draft.set(["server", "url"], url);
  draft.set(
    ["server", "publish", "method"],
    certain(hasLora ? "lora" : "disk", hasLora ? "an adapter" : "all weights"),
  );
  draft.set(["server", "publish", "dir"], assumption("runs/published", "a folder that trainer and server both see"));
}

/** The address that vLLM serves at unless it is told otherwise. */
export const LOCAL_VLLM = "http://127.0.0.1:8000/v1";

/** Rollout batches: as the file counts them, or epochs of a dataset. The same for all three: an incomplete last batch is dropped. */
export function stepsOf(
  explicit: Known<number> | null,
  epochs: Known<number>,
  promptsPerStep: Known<number>,
  draft: Draft,
  { rows }: ImportOptions,
): Known<number> {
  if (explicit !== null) return { ...explicit, value: Math.max(1, Math.ceil(explicit.value)) };
  if (rows !== null) {
    const steps = Math.max(1, Math.floor(epochs.value * Math.floor(rows / promptsPerStep.value)));
    return draft.derive(steps, `${epochs.value} x ${rows} rows / ${promptsPerStep.value} prompts`, [
      epochs,
      promptsPerStep,
    ]);
  }
  return assumption(
    1000,
    `a guess: the file says ${epochs.value} epochs (${epochs.origin}) of a dataset whose size it does not say; give --rows`,
  );
}

/** Learning-rate schedules by their names in transformers. */
export interface Schedule {
  readonly schedule: "constant" | "linear" | "cosine";
  /** A constant rate has its own name with warm-up, and ignores warm-up without. */
  readonly hasWarmup: boolean;
}

export const SCHEDULES: Readonly<Record<string, Schedule>> = {
  constant: { schedule: "constant", hasWarmup: false },
  constant_with_warmup: { schedule: "constant", hasWarmup: true },
  linear: { schedule: "linear", hasWarmup: true },
  cosine: { schedule: "cosine", hasWarmup: true },
  cosine_with_min_lr: { schedule: "cosine", hasWarmup: true },
};

/** Writes the schedule, or says that there is none like it. */
export function putSchedule(draft: Draft, name: Known<string>, key: string): Schedule {
  const schedule = SCHEDULES[name.value];
  if (schedule === undefined) {
    draft.cannot({ key, value: name.value, place: name.origin }, "schedules here are constant, linear and cosine");
    return { schedule: "constant", hasWarmup: true };
  }
  draft.set(at("optimizer", "schedule"), { ...name, value: schedule.schedule });
  return schedule;
}

/** Options of an objective by their path below `algorithm`: "clipLow", "kl.coefficient". */
export type Options = Readonly<Record<string, Known<unknown> | null>>;

/** Writes the objective; an option that it does not have is said to have no equal. */
export function putAlgorithm(draft: Draft, type: Known<string>, options: Options): void {
  const schema = objectiveSchema.options.find((variant) => variant.shape.type.value === type.value);
  if (schema === undefined) {
    draft.cannot(
      { key: "objective", value: type.value, place: type.origin },
      `objectives here are ${objectiveTypes.join(", ")}; grpo stands in for it`,
    );
    putAlgorithm(draft, { ...type, value: "grpo" }, options);
    return;
  }
  draft.set(at("algorithm", "type"), type);
  for (const [name, known] of Object.entries(options)) {
    if (known === null) continue;
    const path = name.split(".");
    if (path[0]! in schema.shape) draft.set(at("algorithm", ...path), known);
    else if (known.kind === "said" && known.keys.length > 0)
      draft.cannot({ key: name, value: known.value, place: known.origin }, `${type.value} has no ${name} here`);
  }
}

/**
 * RLOO's advantages under a clipped ratio, which rloo here does not have: R - mean of the others is G / (G - 1) times R - mean, so
 * it is grpo without the deviation up to that factor.
 */
export function putClippedRloo(draft: Draft, estimator: Known<string>, options: Options): void {
  draft.assume(
    "RLOO with a clipped ratio is grpo without the deviation: advantages are (G - 1) / G times theirs, which Adam's step does not see",
  );
  putAlgorithm(
    draft,
    { ...estimator, value: "grpo" },
    { ...options, std: certain("none", "the mean of the others, no deviation") },
  );
}

/** One rule between trainer and server, with the settings it is from. */
export interface Correction {
  readonly rule: Readonly<Record<string, unknown>>;
  readonly from: Known<unknown>;
}

/** Writes the corrections between trainer and server: one, or a list whose weights are multiplied. */
export function putCorrections(draft: Draft, corrections: readonly Correction[]): void {
  const rules = corrections.map(({ rule }) => rule);
  if (rules.length === 0) return;
  const value = rules.length === 1 ? rules[0] : rules;
  const from = draft.derive(
    value,
    "",
    corrections.map((correction) => correction.from),
  );
  if (rolloutSchema.shape.correction.safeParse(value).success) draft.set(at("rollout", "correction"), from);
  else
    draft.cannot(
      { key: "correction", value, place: from.origin },
      "no such rules together here; rollout.correction: { type: tis } is the nearest",
    );
}

/** The type of the objective that was written. */
export function algorithmOf({ entries }: Draft): unknown {
  return entries.find(({ path }) => path[2] === "algorithm" && path[3] === "type")?.value;
}

/** A critic of its own with the policy's schedule and its own rate; call it after the policy's optimizer is written. */
export function putCritic(draft: Draft, learningRate: Known<number>, model: Known<string> | null): void {
  draft.set(at("critic", "weights"), certain("own", "a model of its own, as there"));
  if (model !== null) draft.set(at("critic", "path"), model);
  for (const { path, value } of [...draft.entries]) {
    if (path[2] !== "optimizer") continue;
    const name = String(path[3]);
    draft.set(
      at("critic", "optimizer", name),
      name === "learningRate" ? learningRate : certain(value, "as the policy's"),
    );
  }
}

/** A whole-number quotient, or what is nearest and said so. */
export function quotient(draft: Draft, name: string, above: Known<number>, below: Known<number>): Known<number> {
  const exact = above.value / below.value;
  const value = Math.max(1, Math.round(exact));
  const known = draft.derive(value, `${above.value} / ${below.value}`, [above, below]);
  if (exact !== value) {
    draft.cannot(
      { key: name, value: exact, place: known.origin },
      `${above.value} is not a multiple of ${below.value}; ${value} stands in for it`,
    );
  }
  return known;
}
