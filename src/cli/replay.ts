/** `grouper replay`: several objectives on the rollouts that a run kept. */
import { readModelFolder } from "../engine/model-folder.ts";
import { RecipeError, UsageError } from "../errors.ts";
import { objectiveSchema } from "../objectives/create.ts";
import { stageName } from "../pipeline.ts";
import type { RlStage } from "../recipe/schema.ts";
import { parseValue } from "../recipe/source.ts";
import {
  type Alignment,
  alignments,
  type Candidate,
  cosines,
  type NotComputable,
  type Replayed,
  replay,
} from "../replay/compare.ts";
import { type ModelChoice, nearestCheckpoint, openModelFolder } from "../replay/model.ts";
import { type LoggedRun, loggedSteps, openRun, type RunStep, readStep, rlStageOf } from "../replay/run.ts";
import { policyOutputs, weightSpace } from "../replay/weight-space.ts";
import type { Page } from "./explain.ts";
import { type Column, percentOf, shortNumber, tableLines, wrapped } from "./table.ts";

export interface ReplayArguments {
  readonly run: string;
  /** dapo,grpo,dapo:{clipHigh: 0.3} */
  readonly objective: string;
  /** 3 or 3-7; default: the run's last one. */
  readonly step: string | undefined;
  readonly stage: string | undefined;
  /** Model folder; default: the run's checkpoint nearest to the step. */
  readonly model: string | undefined;
  /** False: log-probability space alone. */
  readonly weights: boolean;
  readonly json: boolean;
}

/** One table: objectives by one policy. */
interface Space {
  readonly replayed: readonly Summary[];
  readonly notComputable: readonly NotComputable[];
  readonly cosines: readonly (readonly (number | null)[])[];
  readonly aligned: readonly Alignment[];
}

type Summary = Omit<Replayed, "gradients">;

interface WeightReport extends Space {
  readonly model: string;
  readonly stepsBehind: number | null;
  /** [K] by the weights. */
  readonly gradNorms: readonly number[];
}

interface StepReport extends Space {
  readonly step: number;
  readonly inWeights: WeightReport | null;
}

export async function runReplay(args: ReplayArguments, page: Page, print: (text: string) => void): Promise<number> {
  const candidates = candidatesOf(args.objective);
  const run = await openRun(args.run);
  const stage = rlStageOf(run.recipe, args.stage);
  const steps = stepsOf(args.step, await loggedSteps(run, stage));
  if (args.model !== undefined && steps.length > 1)
    throw new UsageError("Expected one --step beside --model: a model is at one point of the run.");
  const notes: string[] = [];
  const reports: StepReport[] = [];
  for (const step of steps) {
    const logged = await readStep(run, stage, step);
    const inWeights =
      steps.length > 1 || !args.weights ? null : await weightReport(args, run, stage, logged, candidates, notes);
    reports.push({ step, ...spaceOf(replay(logged.logged, candidates, logged.options)), inWeights });
  }
  if (args.json) print(`${JSON.stringify({ run: args.run, stage: stageName(stage), notes, steps: reports })}\n`);
  else print(`${reports.flatMap((report) => reportLines(report, notes, page)).join("\n")}\n`);
  return 0;
}

function spaceOf({
  replayed,
  notComputable,
}: {
  readonly replayed: readonly Replayed[];
  readonly notComputable: readonly NotComputable[];
}): Space {
  const matrix = cosines(replayed);
  const labels = replayed.map(({ label }) => label);
  const norms = replayed.map(({ gradientNorm }) => gradientNorm);
  return {
    replayed: replayed.map(({ gradients: _, ...summary }) => summary),
    notComputable,
    cosines: matrix,
    aligned: alignments(labels, norms, matrix),
  };
}

/** By the policy of a model: null, with a note, where the run keeps none or the engine is not set up. */
async function weightReport(
  { model }: ReplayArguments,
  run: LoggedRun,
  stage: RlStage,
  { step, logged, options }: RunStep,
  candidates: readonly Candidate[],
  notes: string[],
): Promise<WeightReport | null> {
  const choice: ModelChoice | null =
    model === undefined ? await nearestCheckpoint(run, stage, step) : { dir: model, stepsBehind: null };
  if (choice === null) {
    notes.push(
      `Not in weight space: ${run.path} keeps no checkpoint of stage ${stageName(stage)}; --model DIR names one.`,
    );
    return null;
  }
  const folder = await readModelFolder(choice.dir);
  const { temperature } = stage.rollout.sampling;
  const longest = logged.groups
    .flatMap(({ rollouts }) => rollouts)
    .reduce((most, { sequence }) => Math.max(most, sequence.tokenIds.length), 0);
  if (longest > folder.config.maxPositionEmbeddings)
    throw new RecipeError(
      `Expected a model of at least ${longest} positions, as long as the longest rollout, but ${choice.dir} has ${folder.config.maxPositionEmbeddings}.`,
    );
  const opened = await openModelFolder(run.recipe, choice.dir).catch((error: unknown) => {
    // Nobody asked for this model; without an engine the rollouts still say what they say.
    if (model !== undefined || !(error instanceof RecipeError)) throw error;
    notes.push(`Not in weight space: ${error.message}`);
    return null;
  });
  if (opened === null) return null;
  await using engine = opened;
  const forward = { temperature: temperature === 0 ? 1 : temperature };
  const current = await policyOutputs(engine, logged, forward);
  const result = replay(logged, candidates, { ...options, current });
  const gradients = result.replayed.map((one) => one.gradients);
  const { gradNorms, cosines: matrix } = await weightSpace(engine, gradients, forward);
  const labels = result.replayed.map(({ label }) => label);
  return {
    model: choice.dir,
    stepsBehind: choice.stepsBehind,
    ...spaceOf(result),
    gradNorms,
    cosines: matrix,
    aligned: alignments(labels, gradNorms, matrix),
  };
}

/** Throws UsageError. */
function candidatesOf(text: string): Candidate[] {
  const labels = splitList(text);
  if (labels.length === 0) throw new UsageError("Expected --objective with objectives, e.g. --objective dapo,grpo.");
  const twice = labels.find((label, i) => labels.indexOf(label) !== i);
  if (twice !== undefined) throw new UsageError(`Expected different objectives, got ${twice} twice.`);
  return labels.map((label) => {
    const [, type = "", options = "{}"] = /^([^:{]*)(?::\s*(\{.*\}))?$/s.exec(label) ?? [];
    if (type === "")
      throw new UsageError(`Expected an objective like dapo or dapo:{clipHigh: 0.3}, got ${JSON.stringify(label)}.`);
    const value = parseValue(options, `--objective ${label}`);
    const parsed = objectiveSchema.safeParse({ ...(typeof value === "object" ? value : {}), type: type.trim() });
    if (parsed.success) return { label, spec: parsed.data };
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "options"}: ${message}`);
    throw new UsageError(`--objective ${label} does not fit: ${problems.join("; ")}.`);
  });
}

/** Commas inside braces and brackets belong to the options. */
function splitList(text: string): string[] {
  const parts = [""];
  let depth = 0;
  for (const character of text) {
    if ("{[".includes(character)) depth++;
    if ("}]".includes(character)) depth--;
    if (character === "," && depth === 0) parts.push("");
    else parts[parts.length - 1] += character;
  }
  return parts.map((part) => part.trim()).filter((part) => part !== "");
}

function stepsOf(text: string | undefined, logged: readonly number[]): number[] {
  if (text === undefined) return logged.slice(-1);
  const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  if (from === undefined || Number(to) < Number(from))
    throw new UsageError(`Expected a step or a range for --step, such as 3 or 3-7, got ${JSON.stringify(text)}.`);
  const found = logged.filter((step) => step >= Number(from) && step <= Number(to));
  if (found.length > 0) return found;
  throw new RecipeError(
    `Expected a step that the run has rollouts of (${logged[0]} to ${logged.at(-1)}), got ${text}.`,
  );
}

/** A reason that both spaces share is told once. */
function onlyHere(inWeights: WeightReport, { notComputable }: Space): WeightReport {
  const known = new Set(notComputable.map(({ reason }) => reason));
  return { ...inWeights, notComputable: inWeights.notComputable.filter(({ reason }) => !known.has(reason)) };
}

function reportLines({ step, inWeights, ...space }: StepReport, notes: readonly string[], page: Page): string[] {
  const distance = inWeights?.stepsBehind;
  const behind =
    distance == null || distance === 0
      ? ""
      : `, ${Math.abs(distance)} step${Math.abs(distance) === 1 ? "" : "s"} ${distance > 0 ? "before" : "after"} the policy that sampled`;
  return [
    `Step ${step}, by the log-probabilities of the pass that trained:`,
    ...spaceLines(space, null, page),
    ...(inWeights === null
      ? []
      : [
          "",
          `In weight space, by the policy of ${inWeights.model}${behind}:`,
          ...spaceLines(onlyHere(inWeights, space), inWeights.gradNorms, page),
        ]),
    ...notes.flatMap((note) => ["", ...wrapped(note, page.columns)]),
    "",
  ];
}

function spaceLines(
  { replayed, notComputable, cosines: matrix, aligned }: Space,
  gradNorms: readonly number[] | null,
  { columns }: Page,
): string[] {
  const right = (head: string): Column => ({ head, align: "right" });
  const heads = ["loss", "low", "high", "dual", "moving", "ESS", "|dL/dlogp|", "per token"].map(right);
  const numbers = replayed.map(
    ({ label, loss, clipped, movingShare, effectiveSampleShare, gradientNorm, gradientPerToken }, k) => [
      label,
      shortNumber(loss),
      percentOf(clipped.low),
      percentOf(clipped.high),
      percentOf(clipped.dual),
      percentOf(movingShare),
      effectiveSampleShare === null ? "" : percentOf(effectiveSampleShare),
      shortNumber(gradientNorm),
      shortNumber(gradientPerToken),
      ...(gradNorms === null ? [] : [shortNumber(gradNorms[k]!)]),
    ],
  );
  const table = tableLines(
    [{ head: "objective" }, ...heads, ...(gradNorms === null ? [] : [right("|dL/dtheta|")])],
    numbers,
  );
  const cosineTable = tableLines(
    [{ head: "cosine" }, ...replayed.map((_, k) => right(`[${k + 1}]`))],
    replayed.map(({ label }, k) => [
      `[${k + 1}] ${label}`,
      ...matrix[k]!.map((cosine) => (cosine === null ? "none" : cosine.toFixed(5))),
    ]),
  );
  return [
    ...(replayed.length === 0 ? [] : table),
    ...(replayed.length < 2 ? [] : ["", ...cosineTable]),
    ...aligned.map(alignedSentence),
    ...notComputable.flatMap(({ reason }) => wrapped(reason, columns - 2).map((line) => `  ${line}`)),
  ];
}

function alignedSentence({ a, b, cosine, scale }: Alignment): string {
  const length = Math.abs(scale - 1) < 5e-4 ? "of the same length" : `${shortNumber(scale)} times as long`;
  if (cosine < 0) return `  ${b} pulls against ${a} on these rollouts, ${length}.`;
  return `  ${b} = ${a} on these rollouts: the same direction, ${length}.`;
}
