/** `grouper explain`: what a recipe minimises, and the numbers of one batch. */
import picocolors from "picocolors";
import { UsageError } from "../errors.ts";
import { EXAMPLE_TOKENS } from "../explain/example.ts";
import { type BatchReport, explainExample, explainRecipe, explainStep } from "../explain/explain.ts";
import type { Explained } from "../explain/terms.ts";
import type { Formula } from "../objectives/objective.ts";
import { stageName } from "../pipeline.ts";
import { loadRecipe } from "../recipe/load.ts";
import type { Recipe, RlStage } from "../recipe/schema.ts";
import type { CompletionAnatomy, GroupAnatomy, StepSurvey, TokenAnatomy } from "../replay/anatomy.ts";
import { loggedSteps, openRun, readStep, rlStageOf } from "../replay/run.ts";
import { openTokenizer } from "../stages/open.ts";
import { type Column, cell, percentOf, shortNumber, tableLines, wrapped } from "./table.ts";

export interface ExplainArguments {
  /** Default: that of the run. */
  readonly recipe: string | undefined;
  readonly set: readonly string[];
  readonly run: string | undefined;
  /** Default: the run's last one. */
  readonly step: number | undefined;
  /** Name of an rl stage; default: the last one. */
  readonly stage: string | undefined;
  /** Default: the one that pulls most. */
  readonly group: number | undefined;
  readonly completion: number | undefined;
  readonly json: boolean;
}

export interface Page {
  readonly columns: number;
  readonly hasColors: boolean;
}

export async function runExplain(args: ExplainArguments, page: Page, print: (text: string) => void): Promise<number> {
  const { recipe: path, set, run: runPath } = args;
  if (path === undefined && runPath === undefined)
    throw new UsageError("Expected a recipe, e.g. grouper explain recipes/quickstart.yaml, or --run RUN.");
  if (runPath === undefined && args.step !== undefined) throw new UsageError("Expected --run RUN beside --step.");
  const run = runPath === undefined ? null : await openRun(runPath);
  const resolved = path === undefined ? null : loadRecipe(path, { set });
  if (resolved === null && set.length > 0)
    throw new UsageError("Expected a recipe beside --set: a run's own numbers were made by the recipe it ran with.");
  const recipe = resolved?.recipe ?? run!.recipe;
  const stage = rlStageOf(recipe, args.stage);
  const explained = explainRecipe(recipe, stage, resolved?.placeOf ?? (() => null));

  // What happened is explained by the recipe that it happened under.
  const ranStage = run === null ? stage : rlStageOf(run.recipe, stageName(stage));
  const step =
    run === null ? null : await readStep(run, ranStage, args.step ?? (await loggedSteps(run, ranStage)).at(-1)!);
  const report = step === null ? explainExample(stage) : explainStep(ranStage, step);
  const batch = { ...report, notes: [...report.notes, ...differences(ranStage, stage)] };
  const group = batch.anatomy.dissect(groupIndex(batch.anatomy.survey, args.group));
  const completion = completionOf(group, args.completion);
  const textOf = await tokenTexts(run?.recipe ?? null, batch, group);
  if (args.json) {
    const named = { recipe: path ?? null, run: runPath ?? null, stage: stageName(stage) };
    print(`${JSON.stringify({ ...named, ...jsonOf(explained, batch, group, textOf) })}\n`);
    return 0;
  }
  const lines = [
    ...formulaLines(explained, stageName(stage), page),
    "",
    ...batchLines(batch, runPath, page),
    "",
    ...groupLines(group),
    "",
    ...tokenLines(group, completion, textOf, page),
  ];
  print(`${lines.join("\n")}\n`);
  return 0;
}

function differences(ran: RlStage, stage: RlStage): string[] {
  if (JSON.stringify(ran.algorithm) === JSON.stringify(stage.algorithm)) return [];
  return ["The formula is the recipe's; the run was trained by another algorithm, and these are its numbers."];
}

/** One group with all its tokens; of the others, what they pull. */
function jsonOf(
  { type, objective, stage, options }: Explained,
  { anatomy, ...numbers }: BatchReport,
  group: GroupAnatomy,
  textOf: (id: number) => string,
): Record<string, unknown> {
  const completions = group.completions.map((completion) => ({
    ...completion,
    tokens: completion.tokens.map((token) => ({ text: textOf(token.tokenId), ...token })),
  }));
  return {
    type,
    terms: { objective, stage },
    options,
    batch: { ...numbers, ...anatomy.survey },
    group: { ...group, completions },
  };
}

function groupIndex({ numGroups, shareOfGroup }: StepSurvey, index: number | undefined): number {
  const found = index ?? shareOfGroup.indexOf(shareOfGroup.reduce((a, b) => Math.max(a, b)));
  if (found < numGroups) return found;
  throw new UsageError(`Expected a group from 0 to ${numGroups - 1} for --group, got ${index}.`);
}

function completionOf({ completions }: GroupAnatomy, index: number | undefined): CompletionAnatomy {
  const largest = completions.reduce((best, one) => (best.shareOfGroup >= one.shareOfGroup ? best : one));
  const found = index === undefined ? largest : completions[index];
  if (found !== undefined) return found;
  throw new UsageError(`Expected a completion from 0 to ${completions.length - 1} for --completion, got ${index}.`);
}

/** The text of a token of the group; its id where the run's tokenizer is not on this machine. */
async function tokenTexts(
  recipe: Recipe | null,
  { step }: BatchReport,
  { completions }: GroupAnatomy,
): Promise<(id: number) => string> {
  if (step === null) return (id) => EXAMPLE_TOKENS[id] ?? `#${id}`;
  const tokenizer = await openTokenizer(recipe!.model, recipe!.model.path).catch(() => null);
  if (tokenizer === null) return (id) => `#${id}`;
  const ids = new Set(completions.flatMap(({ tokens }) => tokens.map(({ tokenId }) => tokenId)));
  const texts = new Map([...ids].map((id) => [id, tokenizer.decode([id], { skipSpecialTokens: false }) || `#${id}`]));
  return (id) => texts.get(id) ?? `#${id}`;
}

function formulaLines(
  { type, objective, stage, options }: Explained,
  name: string,
  { columns, hasColors }: Page,
): string[] {
  const { bold } = picocolors.createColors(hasColors);
  const set = options.filter(({ place }) => place !== null);
  const defaults = options.filter(({ place }) => place === null);
  const names: Column[] = [{ head: "" }, { head: "", align: "right" }, { head: "" }];
  return [
    bold(`Stage ${name} minimises, by ${type}:`),
    ...termLines(objective, columns),
    "",
    bold("where"),
    ...termLines(stage, columns),
    "",
    ...(set.length === 0
      ? []
      : [
          bold("Set by the recipe:"),
          ...tableLines(
            names,
            set.map(({ path, value, place }) => [path, JSON.stringify(value), place!]),
          ),
          "",
        ]),
    bold(set.length === 0 ? "Options:" : "Left at their defaults:"),
    ...wrapped(defaults.map(({ path, value }) => `${path}=${JSON.stringify(value)}`).join(" "), columns - 2).map(
      (line) => `  ${line}`,
    ),
  ];
}

/** Symbol, expression, source in three columns; a source that does not fit stands on a line of its own. */
function termLines(terms: readonly Formula[], columns: number): string[] {
  const symbolWidth = Math.max(...terms.map(({ symbol }) => symbol.length));
  const expressionWidth = columns - symbolWidth - 7;
  return terms.flatMap(({ symbol, expression, source }) => {
    const [first = "", ...rest] = wrapped(expression, expressionWidth);
    const head = `  ${symbol.padEnd(symbolWidth)} ${symbol === "" ? " " : "="} ${first}`;
    const indent = " ".repeat(symbolWidth + 5);
    const body = [head, ...rest.map((line) => indent + line)];
    const last = body.at(-1)!;
    const sourceColumn = Math.max(last.length + 2, columns - source.length);
    if (sourceColumn + source.length <= columns) return [...body.slice(0, -1), last.padEnd(sourceColumn) + source];
    return [...body, source.padStart(columns)];
  });
}

function batchLines(
  { step, loss, metrics, comparisons, notes, advantagesAgree, anatomy }: BatchReport,
  run: string | undefined,
  page: Page,
): string[] {
  const { bold, red } = picocolors.createColors(page.hasColors);
  const { numTokens, numMoving, numHeld, top, numGroups } = anatomy.survey;
  const title =
    step === null
      ? "A made-up batch, to show how the numbers come about (nobody sampled it; --run RUN shows a real one):"
      : `Step ${step} of ${run}: ${numGroups} groups`;
  return [
    bold(title),
    ...notes.flatMap((note) => wrapped(note, page.columns - 2).map((line) => `  ${line}`)),
    ...(comparisons.length > 0
      ? tableLines(
          [{ head: "" }, { head: "recorded", align: "right" }, { head: "recomputed", align: "right" }, { head: "" }],
          comparisons.map(({ name, recorded, recomputed, agrees }) => [
            name,
            recorded.toPrecision(7),
            recomputed.toPrecision(7),
            agrees ? "agrees" : red("DIFFERS"),
          ]),
        )
      : [`  loss ${shortNumber(loss)}`]),
    ...(advantagesAgree === null
      ? []
      : [
          advantagesAgree
            ? "  Advantages computed from the logged rewards are those that were trained, bit for bit."
            : red("  Advantages computed from the logged rewards are NOT those that were trained."),
        ]),
    `  ${numMoving} of ${numTokens} tokens have a gradient; clips hold ${numHeld.low} low, ${numHeld.high} high, ${numHeld.dual} dual.`,
    `  The ${top.numTokens === 1 ? "token that pulls" : `${top.numTokens} tokens (1 %) that pull`} most: ${percentOf(top.share)} of the step's absolute gradient.`,
    ...(metrics["kl"] === undefined ? [] : [`  kl ${shortNumber(metrics["kl"])} per token`]),
  ];
}

function groupLines({ group, prompt, answer, numPromptTokens, completions, shareOfStep }: GroupAnatomy): string[] {
  const labels = [...new Set(completions.flatMap(({ outcomes }) => Object.keys(outcomes)))];
  const columns: Column[] = [
    { head: "completion", align: "right" },
    { head: "reward", align: "right" },
    ...labels.map((head): Column => ({ head, align: "right" })),
    { head: "advantage", align: "right" },
    { head: "tokens", align: "right" },
    { head: "finish" },
    { head: "gradient", align: "right" },
    { head: "text" },
  ];
  return [
    `Group ${group}, ${percentOf(shareOfStep)} of the step's absolute gradient; prompt of ${numPromptTokens} tokens, not trained:`,
    `  ${cell(prompt, 90)}${answer === null ? "" : `, answer ${cell(answer, 20)}`}`,
    ...tableLines(
      columns,
      completions.map(({ index, text, reward, outcomes, advantage, tokens, finishReason, mask, shareOfGroup }) => [
        String(index),
        reward === null ? "none" : shortNumber(reward),
        ...labels.map((label) => {
          const outcome = outcomes[label];
          return outcome?.status === "scored" ? shortNumber(outcome.score) : (outcome?.status ?? "");
        }),
        shortNumber(advantage),
        String(tokens.length),
        mask ?? finishReason,
        percentOf(shareOfGroup),
        cell(text, 24),
      ]),
    ),
  ];
}

/** More tokens than this are for --json. */
const MAX_TOKENS = 48;

function tokenLines(
  { group }: GroupAnatomy,
  { index, tokens }: CompletionAnatomy,
  textOf: (id: number) => string,
  { hasColors }: Page,
): string[] {
  const { dim, green, red } = picocolors.createColors(hasColors);
  const numbered = tokens.map((token, t) => ({ ...token, t }));
  const largestFirst = [...numbered].sort((a, b) => Math.abs(b.gradient) - Math.abs(a.gradient) || a.t - b.t);
  const shown = largestFirst.slice(0, MAX_TOKENS).sort((a, b) => a.t - b.t);
  const [head, ...rows] = tableLines(
    [
      { head: "t", align: "right" },
      { head: "token" },
      { head: "advantage", align: "right" },
      { head: "ratio", align: "right" },
      { head: "clip" },
      { head: "mask" },
      { head: "weight", align: "right" },
      { head: "dL/dlogp", align: "right" },
      { head: "of group", align: "right" },
      { head: "of step", align: "right" },
    ],
    shown.map((token) => tokenCells(token, token.t, textOf)),
  );
  const colored = rows.map((row, i) => {
    const { gradient } = shown[i]!;
    if (gradient === 0) return dim(row);
    return gradient < 0 ? green(row) : red(row);
  });
  const left = tokens.length - shown.length;
  return [
    `Completion ${index} of group ${group}, token by token (dL/dlogp below 0 makes a token likelier):`,
    head!,
    ...colored,
    ...(left === 0 ? [] : [`  … and ${left} tokens that pull less; --json has all.`]),
  ];
}

function tokenCells(token: TokenAnatomy, t: number, textOf: (id: number) => string): string[] {
  const { tokenId, advantage, ratio, clip, mask, weight, gradient, shareOfGroup, shareOfStep } = token;
  return [
    String(t),
    cell(textOf(tokenId), 16),
    shortNumber(advantage),
    ratio === null ? "" : shortNumber(ratio),
    clip,
    mask ?? "",
    shortNumber(weight),
    shortNumber(gradient),
    percentOf(shareOfGroup),
    percentOf(shareOfStep),
  ];
}
