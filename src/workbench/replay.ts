/**
 * Rewards run again over the rollouts that a finished run kept. The function behind `grouper reward replay`.
 *
 * With the run's own rewards it says whether they give the same scores again; with others, how a verifier that was not trained on would
 * have judged, step by step: which completions only one of the two pays, and which siblings change their order. Either way the audit looks
 * over the steps.
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
import {
  correlationOf,
  isDifferent,
  isReordered,
  isWhole,
  type PaidBy,
  payersOf,
  type ScorePair,
} from "./agreement.ts";
import { rewardSpecsOf } from "./recipe-rewards.ts";
import { PATIENCE } from "./times.ts";

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
  /** Completions that only the run's total pays (puts above the middle of all its totals), and that only the replayed one does. */
  readonly numPaidByRun: number;
  readonly numPaidByReplay: number;
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
  /** Groups of which all have both totals, and those in which siblings change their order or a tie. */
  readonly numGroups: number;
  readonly numReordered: number;
  /** Replayed outcomes that failed, of any reward. */
  readonly numFailed: number;
  /** Why, each reason once; three at most. */
  readonly failures: readonly string[];
  /**
   * Five at most. Of its own rewards: those that lost or gained a total, then those whose totals differ most. Of others: completions that only
   * the run pays, then those that only the replay pays, one of each group.
   */
  readonly examples: readonly ReplayedCompletion[];
  readonly alarms: readonly Alarm[];
}

const MAX_EXAMPLES = 5;
const MAX_FAILURES = 3;
/** So many of the examples may be those that only the run pays. */
const MAX_PAID_BY_RUN = 3;

/** Throws RecipeError for a folder that is no run, a stage or steps that it does not have, or data that has changed since. */
export async function replayRewards(options: ReplayRewardsOptions): Promise<RewardReplay> {
  const run = await openRun(options.run);
  const stage = rlStageOf(run.recipe, options.stage);
  const steps = within(options.steps, await loggedSteps(run, stage));
  const own = rewardSpecsOf(stage);
  const specs = options.specs ?? own;
  const prompts = await promptsById(run, stage);
  const { threads = stage.rewards.threads, deadlineMs = 1000 * stage.rewards.deadlineSeconds } = options;
  await using pool = await openRewardPool({ rewards: specs, threads, deadlineMs, giveUpAfter: PATIENCE });
  const completions: ReplayedCompletion[] = [];
  const audited: AuditedStep[] = [];
  const primary = primaryReward(stage);
  const isOwn = options.specs === undefined;
  const failures = new Set<string>();
  let numFailed = 0;
  for (const step of steps) {
    const { log, options: trained } = await readStep(run, stage, step);
    const rescored = await scoreLog(pool, log, prompts, trained.maxCompletionTokens, run.path);
    const totals = rescored.map(({ outcomes }) => totalOf(outcomes, specs));
    for (const outcome of rescored.flatMap(({ outcomes }) => Object.values(outcomes))) {
      if (outcome.status !== "failed") continue;
      numFailed++;
      if (failures.size < MAX_FAILURES) failures.add(outcome.error);
    }
    completions.push(...log.map((rollout, i) => replayedOf(step, rollout, totals[i]!)));
    const shadows = totals.map((total) => (isOwn ? {} : { [specs.map(rewardLabel).join("+")]: outcomeOf(total) }));
    audited.push(
      auditedStepOf(
        step,
        log.map((rollout, i) => auditedOf(step, rollout, { prompts, own, primary, shadows: shadows[i]! })),
      ),
    );
  }
  const payerOf = payersOf(completions.map(pairOf));
  const groups = groupsOf(completions)
    .map((group) => group.map(pairOf))
    .filter((group) => group.every(isWhole));
  return {
    stage: stageName(stage),
    rewards: specs.map(rewardLabel),
    isOwn,
    steps: steps.map((step) => stepOf(step, completions, payerOf)),
    correlation: correlationOf(completions.map(pairOf)),
    numGroups: groups.length,
    numReordered: groups.filter(isReordered).length,
    numFailed,
    failures: [...failures],
    examples: isOwn ? furthest(completions) : disputed(completions, payerOf),
    alarms: auditSteps(audited, { ...stage.audit, primary }),
  };
}

function within(range: ReplayRewardsOptions["steps"], logged: readonly number[]): number[] {
  const found = logged.filter((step) => range === undefined || (step >= range.from && step <= range.to));
  if (found.length > 0) return found;
  throw new RecipeError(
    `Expected steps that the run has rollouts of (${logged[0]} to ${logged.at(-1)}), got ${range?.from === range?.to ? range?.from : `${range?.from} to ${range?.to}`}.`,
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

function pairOf({ logged, replayed }: ReplayedCompletion): ScorePair {
  return { before: logged, after: replayed };
}

function groupsOf(completions: readonly ReplayedCompletion[]): ReplayedCompletion[][] {
  const groups = new Map<string, ReplayedCompletion[]>();
  for (const one of completions) {
    const key = `${one.step} ${one.group}`;
    const members = groups.get(key) ?? [];
    members.push(one);
    groups.set(key, members);
  }
  return [...groups.values()];
}

/** Those that lost or gained a total, then those whose totals are furthest apart. */
function furthest(completions: readonly ReplayedCompletion[]): ReplayedCompletion[] {
  const distance = ({ logged, replayed }: ReplayedCompletion) =>
    logged === null || replayed === null ? Number.POSITIVE_INFINITY : Math.abs(logged - replayed);
  return completions
    .filter((one) => isDifferent(pairOf(one)))
    .toSorted((a, b) => compareNumbers(distance(b), distance(a)))
    .slice(0, MAX_EXAMPLES);
}

/** One of each group, the newest first: what is paid last is what the run has learned. */
function disputed(completions: readonly ReplayedCompletion[], payerOf: PayerOf): ReplayedCompletion[] {
  const newest = groupsOf(completions).toReversed();
  const paidBy = (payer: PaidBy) =>
    newest.flatMap((group) => group.find((one) => payerOf(pairOf(one)) === payer) ?? []);
  const byRun = paidBy("before").slice(0, MAX_PAID_BY_RUN);
  return [...byRun, ...paidBy("after")].slice(0, MAX_EXAMPLES);
}

type PayerOf = ReturnType<typeof payersOf>;

function stepOf(step: number, all: readonly ReplayedCompletion[], payerOf: PayerOf): ReplayedStep {
  const pairs = all.filter((one) => one.step === step).map(pairOf);
  const whole = pairs.filter(isWhole);
  const numPaidBy = (payer: PaidBy) => pairs.filter((pair) => payerOf(pair) === payer).length;
  return {
    step,
    numCompletions: pairs.length,
    logged: meanOf(whole.map(({ before }) => before)),
    replayed: meanOf(whole.map(({ after }) => after)),
    numDifferent: pairs.filter(isDifferent).length,
    numPaidByRun: numPaidBy("before"),
    numPaidByReplay: numPaidBy("after"),
  };
}

/** Infinities are equal to each other, which their difference is not. */
function compareNumbers(a: number, b: number): number {
  return a === b ? 0 : a - b;
}
