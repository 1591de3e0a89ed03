/**
 * Rewards run again over the rollouts that a finished run kept. The function behind `grouper reward replay`.
 *
 * With the run's own rewards it says whether they give the same scores again; with others, how a verifier that was not trained on would
 * have judged, step by step, and where the two differ most. Either way the audit looks over the steps.
 */
import { type Alarm, type AuditedCompletion, type AuditedStep, meanOf } from "../audit/audit.ts";
import { componentsOf, scoreOf } from "../audit/audited.ts";
import { auditSteps } from "../audit/detectors.ts";
import { RecipeError } from "../errors.ts";
import { stageName } from "../pipeline.ts";
import { silentReporter } from "../progress.ts";
import { primaryReward } from "../recipe/primary.ts";
import type { RlStage } from "../recipe/schema.ts";
import { type LoggedRun, loggedSteps, openRun, readStep, rlStageOf } from "../replay/run.ts";
import { openRewardPool, type RewardPool } from "../reward/pool.ts";
import { type RewardSpec, rewardLabel } from "../reward/reward.ts";
import type { CompletionGroup } from "../reward/units.ts";
import type { LoggedRollout } from "../rollout-log.ts";
import { totalOf } from "../score.ts";
import { openPrompts, openTokenizer } from "../stages/open.ts";
import type { Prompt, RewardOutcome } from "../types.ts";

export interface ReplayRewardsOptions {
  /** Run folder. */
  readonly run: string;
  /** Name of an rl stage; default: the last one. */
  readonly stage?: string | undefined;
  /** First and last step to read; default: all that the run kept. */
  readonly steps?: { readonly from: number; readonly to: number } | undefined;
  /** Default: the rewards of the stage. */
  readonly specs?: readonly RewardSpec[] | undefined;
  readonly threads?: number;
  readonly deadlineMs?: number;
}

export interface ReplayedStep {
  readonly step: number;
  readonly numCompletions: number;
  /** Means of totals, over completions that have one on both sides; null when none has. */
  readonly logged: number | null;
  readonly replayed: number | null;
  /** Completions with another total than the run logged, or with none on one side. */
  readonly numDifferent: number;
}

export interface ReplayedCompletion {
  readonly step: number;
  readonly group: number;
  readonly index: number;
  readonly promptId: string;
  readonly completion: string;
  readonly answer: string | null;
  readonly logged: number | null;
  readonly replayed: number | null;
}

export interface RewardReplay {
  readonly stage: string;
  readonly rewards: readonly string[];
  /** True for the rewards of the stage itself, which should give every score again. */
  readonly isOwn: boolean;
  readonly steps: readonly ReplayedStep[];
  /** Pearson's, of logged with replayed totals; null where one of them never changes. */
  readonly correlation: number | null;
  /** Replayed outcomes that failed, of any reward. */
  readonly numFailed: number;
  /** The five whose totals differ most, and those that lost or gained one. */
  readonly examples: readonly ReplayedCompletion[];
  readonly alarms: readonly Alarm[];
}

const MAX_EXAMPLES = 5;
const TOLERANCE = 1e-9;

/** Throws RecipeError for a folder that is no run, a stage or steps that it does not have, or data that has changed since. */
export async function replayRewards(options: ReplayRewardsOptions): Promise<RewardReplay> {
  const run = await openRun(options.run);
  const stage = rlStageOf(run.recipe, options.stage);
  const steps = within(options.steps, await loggedSteps(run, stage));
  const own = stage.rewards.functions.map(specOf);
  const specs = options.specs ?? own;
  const prompts = await promptsById(run, stage);
  const { threads = stage.rewards.threads, deadlineMs = 1000 * stage.rewards.deadlineSeconds } = options;
  await using pool = await openRewardPool({ rewards: specs, threads, deadlineMs });
  const completions: ReplayedCompletion[] = [];
  const audited: AuditedStep[] = [];
  const primary = primaryReward(stage);
  let numFailed = 0;
  for (const step of steps) {
    const { log, options: trained } = await readStep(run, stage, step);
    const rescored = await scoreLog(pool, log, prompts, trained.maxCompletionTokens, run.path);
    const totals = rescored.map(({ outcomes }) => totalOf(outcomes, specs));
    numFailed += rescored
      .flatMap(({ outcomes }) => Object.values(outcomes))
      .filter((o) => o.status === "failed").length;
    completions.push(...log.map((rollout, i) => replayedOf(step, rollout, totals[i]!)));
    const shadows = totals.map((total) =>
      options.specs === undefined ? {} : { [specs.map(rewardLabel).join("+")]: outcomeOf(total) },
    );
    audited.push(
      auditedStepOf(
        step,
        log.map((rollout, i) => auditedOf(step, rollout, { prompts, own, primary, shadows: shadows[i]! })),
      ),
    );
  }
  const different = completions.filter(isDifferent);
  const distance = ({ logged, replayed }: ReplayedCompletion) =>
    logged === null || replayed === null ? Number.POSITIVE_INFINITY : Math.abs(logged - replayed);
  return {
    stage: stageName(stage),
    rewards: specs.map(rewardLabel),
    isOwn: options.specs === undefined,
    steps: steps.map((step) => stepOf(step, completions)),
    correlation: correlationOf(completions),
    numFailed,
    examples: different.toSorted((a, b) => compareNumbers(distance(b), distance(a))).slice(0, MAX_EXAMPLES),
    alarms: auditSteps(audited, { ...stage.audit, primary }),
  };
}

function specOf(spec: RlStage["rewards"]["functions"][number]): RewardSpec {
  return typeof spec === "string" ? { name: spec, weight: 1, params: {} } : spec;
}

function within(range: ReplayRewardsOptions["steps"], logged: readonly number[]): number[] {
  const found = logged.filter((step) => range === undefined || (step >= range.from && step <= range.to));
  if (found.length > 0) return found;
  throw new RecipeError(
    `Expected steps that the run has rollouts of (${logged[0]} to ${logged.at(-1)}), got ${range?.from} to ${range?.to}.`,
  );
}

/** As the run rendered them: the log keeps a prompt's text, not its prefill and columns. */
async function promptsById({ recipe }: LoggedRun, stage: RlStage): Promise<ReadonlyMap<string, Prompt>> {
  const tokenizer = await openTokenizer(recipe.model, recipe.model.path);
  const { prompts } = await openPrompts(stage.data, stage.template, tokenizer, silentReporter);
  return new Map(prompts.map((prompt) => [prompt.id, prompt]));
}

/** In the order of the log. */
async function scoreLog(
  pool: RewardPool,
  log: readonly LoggedRollout[],
  prompts: ReadonlyMap<string, Prompt>,
  maxTokens: number,
  runPath: string,
) {
  const groups: LoggedRollout[][] = [];
  for (const rollout of log) {
    if (rollout.index === 0) groups.push([rollout]);
    else groups.at(-1)!.push(rollout);
  }
  const packed = groups.map(([first, ...rest]): CompletionGroup => {
    const { promptId, prompt, answer } = first!;
    const source = prompts.get(promptId);
    if (source === undefined)
      throw new RecipeError(
        `Expected the data of ${runPath} to have the prompt ${promptId} still, but it does not. Give back the data that the run was trained on.`,
      );
    return {
      prompt,
      prefill: source.prefill,
      answer,
      fields: source.fields,
      maxTokens,
      completions: [first!, ...rest].map(({ completion, tokenIds, finishReason }) => ({
        text: completion,
        numTokens: tokenIds.length,
        finishReason,
      })),
    };
  });
  return (await pool.score(packed)).flat();
}

function replayedOf(
  step: number,
  { group, index, promptId, completion, answer, reward }: LoggedRollout,
  replayed: number | null,
): ReplayedCompletion {
  return { step, group, index, promptId, completion, answer, logged: reward, replayed };
}

/** The log has what was trained; what dynamic sampling left out is not in it. */
function auditedStepOf(step: number, completions: readonly AuditedCompletion[]): AuditedStep {
  return {
    ...{ step, completions, sample: completions },
    reward: meanOf(completions.flatMap(({ total }) => total ?? [])),
    primary: meanOf(completions.flatMap((completion) => completion.primary ?? [])),
  };
}

interface LoggedContext {
  readonly prompts: ReadonlyMap<string, Prompt>;
  readonly own: readonly RewardSpec[];
  readonly primary: string;
  readonly shadows: AuditedCompletion["shadows"];
}

function auditedOf(
  step: number,
  rollout: LoggedRollout,
  { prompts, own, primary, shadows }: LoggedContext,
): AuditedCompletion {
  const { group, index, promptId, prompt, answer, completion, tokenIds, finishReason, reward, outcomes } = rollout;
  const weights = Object.fromEntries(own.map((spec) => [rewardLabel(spec), spec.weight]));
  return {
    ...{ step, group, index, promptId, prompt, answer, finishReason, shadows },
    response: (prompts.get(promptId)?.prefill ?? "") + completion,
    numTokens: tokenIds.length,
    total: reward,
    components: componentsOf(outcomes, weights),
    primary: scoreOf({ outcomes }, primary),
  };
}

function outcomeOf(total: number | null): RewardOutcome {
  return total === null ? { status: "abstained" } : { status: "scored", score: total };
}

function isDifferent({ logged, replayed }: ReplayedCompletion): boolean {
  if (logged === null || replayed === null) return logged !== replayed;
  return Math.abs(logged - replayed) > TOLERANCE;
}

type Paired = ReplayedCompletion & { readonly logged: number; readonly replayed: number };

function pairedOf(completions: readonly ReplayedCompletion[]): Paired[] {
  return completions.filter((one): one is Paired => one.logged !== null && one.replayed !== null);
}

function stepOf(step: number, all: readonly ReplayedCompletion[]): ReplayedStep {
  const completions = all.filter((one) => one.step === step);
  const paired = pairedOf(completions);
  return {
    step,
    numCompletions: completions.length,
    logged: meanOf(paired.map(({ logged }) => logged)),
    replayed: meanOf(paired.map(({ replayed }) => replayed)),
    numDifferent: completions.filter(isDifferent).length,
  };
}

function correlationOf(completions: readonly ReplayedCompletion[]): number | null {
  const paired = pairedOf(completions);
  const [x, y] = [meanOf(paired.map(({ logged }) => logged)), meanOf(paired.map(({ replayed }) => replayed))];
  if (x === null || y === null) return null;
  let [xx, yy, xy] = [0, 0, 0];
  for (const { logged, replayed } of paired) {
    xx += (logged - x) ** 2;
    yy += (replayed - y) ** 2;
    xy += (logged - x) * (replayed - y);
  }
  return xx === 0 || yy === 0 ? null : xy / Math.sqrt(xx * yy);
}

/** Infinities are equal to each other, which their difference is not. */
function compareNumbers(a: number, b: number): number {
  return a === b ? 0 : a - b;
}
