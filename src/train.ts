/**
 * The loop that learns, in the order of the picture:
 *
 *   dataset ─► Prompt[] ─► rollout ─► Group[] ─► score ─► ScoredGroup[] ─► assemble ─► Batch ─► engine ─► publish ─► checkpoint
 *
 * Everything random is a function of the run's seed and the step, so that a resumed run continues with the numbers of an
 * uninterrupted one.
 */
import type { Auditor } from "./audit/audited.ts";
import type { AuditState } from "./audit/history.ts";
import { advanceContext, type Context, type ContextState, contextOf } from "./context-schedule.ts";
import { criticOf } from "./critic.ts";
import { solvedMetrics } from "./dataset/ledger.ts";
import type { PromptSource, PromptSourceState } from "./dataset/prompt-source.ts";
import { addEvidence, explainNoLearning, noEvidence } from "./diagnosis.ts";
import type { Engine, SamplingParams } from "./engine/engine.ts";
import { RecipeError } from "./errors.ts";
import type { Evaluation } from "./evaluate.ts";
import { rolloutMetrics } from "./metrics.ts";
import { type Controls, coefficientMetrics, controlledSpec, nextControls } from "./objectives/control.ts";
import { createObjective } from "./objectives/create.ts";
import type { Objective } from "./objectives/objective.ts";
import type { Reporter } from "./progress.ts";
import { createRandom, seedFrom } from "./random.ts";
import type { RlStage } from "./recipe/schema.ts";
import { type Collected, collect, sampleGreedy, sampleGroups, samplingMetrics } from "./rollout.ts";
import type { PolicyServer } from "./server/server.ts";
import type { Group, ScoredGroup } from "./types.ts";
import { type Update, updatePolicy } from "./update.ts";

/** The loop's own counters, as a checkpoint keeps them. */
export interface LoopState {
  /** Finished steps. */
  readonly step: number;
  /** Optimizer steps that changed the weights; the schedule counts these. */
  readonly numUpdates: number;
  readonly numSkippedUpdates: number;
  readonly numSamples: number;
  readonly numTokens: number;
  /** Where the data stand, and what is known of them. */
  readonly prompts: PromptSourceState;
  readonly context: ContextState;
  /** Coefficients that follow what they act on. */
  readonly controls: Controls;
  /** What the audit remembers. */
  readonly audit: AuditState;
  /** Best evaluation so far. */
  readonly bestScore: number | null;
}

export interface TrainContext {
  readonly name: string;
  readonly stage: RlStage;
  readonly seed: number;
  readonly engine: Engine;
  readonly server: PolicyServer;
  readonly objective: Objective;
  /** Of a critic of its own; null without one. */
  readonly criticEngine?: Engine | null;
  readonly source: PromptSource;
  /** As the first context of the stage has them. */
  readonly params: SamplingParams;
  /** `maxTokens` is the limit that the completions were sampled under. */
  readonly score: (groups: readonly Group[], maxTokens: number) => Promise<ScoredGroup[]>;
  /** Null where the stage has no held-out data. */
  readonly evaluate: (() => Promise<Evaluation>) | null;
  /** Makes the server sample from the engine's weights. */
  readonly publish: () => Promise<void>;
  readonly save: (state: LoopState, isBest: boolean) => Promise<void>;
  /** Appends one line to metrics.jsonl. */
  readonly record: (record: Readonly<Record<string, unknown>>) => Promise<void>;
  readonly logRollouts: (step: number, groups: readonly ScoredGroup[], trained: Update["trained"]) => Promise<void>;
  /** Watches for reward hacking, and changes nothing; null where the recipe turns it off. */
  readonly auditor?: Auditor | null;
  readonly reporter: Reporter;
  /** True once the user asked to stop: the step in progress ends and is saved, and nothing new begins. */
  readonly stopRequested: () => boolean;
}

export interface TrainResult {
  readonly state: LoopState;
  readonly interrupted: boolean;
}

export async function train(context: TrainContext, start: LoopState): Promise<TrainResult> {
  const { name, stage, engine, auditor, reporter } = context;
  const watch = new LearningWatch(context);
  let state = start.step === 0 ? await evaluateAt(context, start) : start;
  let ahead: Promise<Step> | null = null;
  // Between two steps the weights are whole: what was trained is kept before a reward or a server ends the run. That the engine or the
  // disk cannot save any more says less than what went wrong first.
  const saveAndThrow = async (error: unknown): Promise<never> => {
    if (state.step > start.step) await context.save(state, false).catch(() => undefined);
    throw error;
  };
  while (state.step < stage.steps && !context.stopRequested()) {
    const startMs = performance.now();
    const {
      collected,
      limits,
      after,
      metrics: stepMetrics,
    }: Step = await (ahead ?? collectStep(context, state.step, state.context)).catch((error) => saveAndThrow(error));
    const sampledMs = performance.now();
    const isAhead = stage.rollout.prefetch === 1 && state.step + 1 < stage.steps;
    ahead = isAhead ? collectStep(context, state.step + 1, after.context) : null;
    // Awaited in the next turn; until then a failure must not count as unhandled.
    ahead?.catch(() => undefined);

    const auditing = auditor?.look({ step: state.step + 1, ...collected }, limits.maxTokens, state.audit);
    auditing?.catch(() => undefined);
    const update = await trainOn(context, state, collected.groups, limits);
    const trainedMs = performance.now();
    const publishing = await context.publish().then(
      () => null,
      (error: unknown) => ({ error }),
    );
    const publishedMs = performance.now();
    const audited = (await auditing) ?? { state: state.audit, alarms: [], metrics: {} };
    const seconds = (performance.now() - startMs) / 1000;

    state = {
      step: state.step + 1,
      numUpdates: state.numUpdates + update.numUpdates,
      numSkippedUpdates: state.numSkippedUpdates + update.numSkipped,
      numSamples: state.numSamples + collected.evidence.numRollouts + collected.greedy.length,
      numTokens: state.numTokens + update.numTokens,
      ...after,
      controls: nextControls(stage.algorithm, state.controls, {
        entropy: update.metrics["entropy"],
        kl: update.metrics["kl"],
        numCompletions: collected.groups.reduce((sum, { rollouts }) => sum + rollouts.length, 0),
      }),
      audit: audited.state,
      bestScore: state.bestScore,
    };
    const metrics = {
      ...rolloutMetrics(collected.groups),
      ...update.metrics,
      ...stepMetrics,
      ...audited.metrics,
      num_samples: state.numSamples,
      num_tokens: state.numTokens,
      skipped_updates: state.numSkippedUpdates,
      policy_version: engine.policyVersion,
      "time/step": seconds,
      "time/wait_for_rollout": (sampledMs - startMs) / 1000,
      "time/rollout": collected.rolloutSeconds,
      "time/reward": collected.rewardSeconds,
      "time/train": (trainedMs - sampledMs) / 1000,
      "time/wait_for_audit": seconds - (publishedMs - startMs) / 1000,
      "time/tokens_per_second": update.numTokens / seconds,
    };
    await context.logRollouts(state.step, collected.groups, update.trained);
    await context.record({ stage: name, step: state.step, ...metrics });
    reporter.step({ stage: name, step: state.step, numSteps: stage.steps, metrics });
    await auditor?.tell(state.step, audited.alarms);
    if (publishing !== null) await saveAndThrow(publishing.error);
    watch.add(collected, update);

    const before = state.bestScore;
    state = await evaluateAt(context, state);
    const isBest = stage.checkpoint.everySteps > 0 && state.bestScore !== before;
    if (isBest || isDue(stage.checkpoint.everySteps, state.step) || context.stopRequested())
      await context.save(state, isBest);
  }
  await ahead?.catch(() => undefined);
  return { state, interrupted: state.step < stage.steps };
}

interface Step {
  readonly collected: Collected;
  /** What its completions were sampled under. */
  readonly limits: Context;
  /** Where prompts and contexts stand after this step. */
  readonly after: Pick<LoopState, "prompts" | "context">;
  readonly metrics: Readonly<Record<string, number>>;
}

/** Samples and scores one step, and tells the prompt source and the context schedule what came of it. */
async function collectStep(context: TrainContext, step: number, contextState: ContextState): Promise<Step> {
  const { stage, seed, server, source, score } = context;
  const { promptsPerStep, dynamicSampling, contextSchedule, prompts: promptsSpec } = stage.rollout;
  const limits = contextOf(stage.rollout, contextState);
  const { groupSize, maxTokens } = limits;
  const params = { ...context.params, maxTokens };
  const needsGreedy = context.objective.needs.includes("greedyReward");
  const firstSeed = seedFrom(seed, "rollout", step);
  const collected = await collect({
    promptsPerStep,
    dynamicSampling,
    nextPrompts: (count) => Array.from({ length: count }, () => source.next(step)),
    sample: (chosen, firstGroup) => {
      const seedOf = (i: number) => firstSeed + (firstGroup + i) * groupSize;
      return sampleGroups(server, chosen, { groupSize, params, seedOf });
    },
    sampleGreedy: needsGreedy ? (chosen) => sampleGreedy(server, chosen, params) : undefined,
    score: (groups) => score(groups, maxTokens),
  });
  source.observe(collected.sampled);
  const metrics = {
    ...solvedMetrics(collected.sampled, promptsSpec?.metric),
    ...samplingMetrics(collected, dynamicSampling),
    ...source.metrics(),
    ...(contextSchedule === undefined ? {} : { "rollout/max_tokens": maxTokens, "rollout/group_size": groupSize }),
  };
  const after = { prompts: source.state(), context: nextContext(context, step, contextState, collected) };
  return { collected, limits, after, metrics };
}

/** The context of the next step, told where it is a new one. */
function nextContext(
  { name, stage, reporter }: TrainContext,
  step: number,
  state: ContextState,
  { evidence }: Collected,
): ContextState {
  const truncatedShare = evidence.numTruncated / evidence.numRollouts;
  const next = advanceContext(stage.rollout, state, { numSteps: step + 1, truncatedShare });
  if (next.numEntered > state.numEntered && step + 1 < stage.steps) {
    const { maxTokens, groupSize } = contextOf(stage.rollout, next);
    reporter.note(
      `From step ${step + 2} on, stage ${name} samples ${groupSize} completions per prompt of at most ${maxTokens} tokens (cut off in step ${step + 1}: ${(100 * truncatedShare).toFixed(1)} %).`,
    );
  }
  return next;
}

async function trainOn(
  { stage, seed, engine, criticEngine, objective: plain, params }: TrainContext,
  state: LoopState,
  groups: readonly ScoredGroup[],
  { maxTokens }: Context,
): Promise<Update> {
  const { updatesPerBatch, epochsPerBatch, optimizer, refreshReferenceEverySteps } = stage;
  const spec = controlledSpec(stage.algorithm, state.controls);
  const objective = spec === stage.algorithm ? plain : createObjective(spec);
  const random = createRandom(seedFrom(seed, "updates", state.step));
  const criticRandom = createRandom(seedFrom(seed, "critic-updates", state.step));
  const pretrainingSteps = objective.critic?.pretrainingSteps ?? 0;
  const update = await updatePolicy(groups, {
    engine,
    objective,
    updatesPerBatch,
    epochsPerBatch,
    maskTruncated: stage.rollout.maskTruncated,
    correction: stage.rollout.correction,
    temperature: params.temperature === 0 ? 1 : params.temperature,
    maxCompletionTokens: maxTokens,
    optimizer,
    critic: criticOf(stage, criticEngine ?? null, () => criticRandom.next()),
    isPretraining: state.step < pretrainingSteps,
    numUpdatesBefore: state.numUpdates,
    numUpdatesTotal: (stage.steps - pretrainingSteps) * updatesPerBatch * epochsPerBatch,
    random: () => random.next(),
  });
  // An objective that reads no reference is trained without one.
  const hasReference = objective.needs.includes("refLogprobs");
  if (hasReference && isDue(refreshReferenceEverySteps ?? 0, state.step + 1)) await engine.refreshReference();
  return { ...update, metrics: { ...update.metrics, ...coefficientMetrics(spec) } };
}

/** Evaluates where the stage says so: before the first step, every so many, after the last. */
async function evaluateAt(context: TrainContext, state: LoopState): Promise<LoopState> {
  const { name, stage, evaluate, reporter } = context;
  if (evaluate === null || stage.eval === undefined) return state;
  const isDueNow = state.step === 0 || state.step === stage.steps || isDue(stage.eval.everySteps, state.step);
  if (!isDueNow) return state;
  const startMs = performance.now();
  const evaluation = await evaluate();
  await context.record({
    stage: name,
    step: state.step,
    ...Object.fromEntries(Object.entries(evaluation.metrics).map(([key, value]) => [`eval/${key}`, value])),
    ...Object.fromEntries(Object.entries(evaluation.passAtK).map(([k, value]) => [`eval/pass@${k}`, value])),
    "eval/standard_error": evaluation.standardError,
    "eval/cons@k": evaluation.consAtK,
    "eval/unjudged": evaluation.numUnjudged,
    "time/eval": (performance.now() - startMs) / 1000,
  });
  const { numPrompts, numSamples, passAt1, standardError } = evaluation;
  reporter.evaluated({ stage: name, step: state.step, numPrompts, numSamples, passAt1, standardError });
  return { ...state, bestScore: Math.max(state.bestScore ?? 0, passAt1) };
}

function isDue(everySteps: number, step: number): boolean {
  return everySteps > 0 && step % everySteps === 0;
}

/** Steps that must have taught nothing before the run says why. */
const WINDOW = 10;
const MAX_SKIPS_IN_A_ROW = 3;

/** Says in a sentence, once per reason, when a window of steps had nothing to learn from; stops a run whose gradient stays broken. */
class LearningWatch {
  private evidence = noEvidence;
  private gradNorms: number[] = [];
  private numSteps = 0;
  private readonly skipsInARow = { policy: 0, critic: 0 };
  private said: string | null = null;
  private readonly context: TrainContext;

  constructor(context: TrainContext) {
    this.context = context;
  }

  add({ evidence }: Collected, { gradNorms, criticGradNorms, learningRate }: Update): void {
    const { objective, stage, reporter } = this.context;
    this.countSkips("policy", gradNorms);
    this.countSkips("critic", criticGradNorms);
    this.evidence = addEvidence(this.evidence, evidence);
    this.gradNorms.push(...gradNorms, ...criticGradNorms);
    this.numSteps++;
    if (this.numSteps < Math.min(WINDOW, stage.steps)) return;
    const { comparesSiblings } = objective;
    const updates = {
      gradNorms: this.gradNorms,
      learningRate,
      comparesSiblings,
      maskTruncated: stage.rollout.maskTruncated,
    };
    const reason = explainNoLearning(this.evidence, updates);
    if (reason !== null && reason !== this.said)
      reporter.note(`Nothing to learn from in the last ${this.numSteps} steps. ${reason}`);
    this.said = reason;
    this.evidence = noEvidence;
    this.gradNorms = [];
    this.numSteps = 0;
  }

  private countSkips(whose: "policy" | "critic", gradNorms: readonly number[]): void {
    for (const norm of gradNorms) this.skipsInARow[whose] = Number.isFinite(norm) ? 0 : this.skipsInARow[whose] + 1;
    const numSkips = this.skipsInARow[whose];
    if (numSkips < MAX_SKIPS_IN_A_ROW) return;
    throw new RecipeError(
      `The ${whose === "critic" ? "critic's " : ""}gradient was not finite in ${numSkips} optimizer steps in a row, all of them skipped. Lower the learning rate of ${whose === "critic" ? "the critic of " : ""}stage ${this.context.name} and resume from the last checkpoint.`,
    );
  }
}
