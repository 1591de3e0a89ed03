/**
 * Supervised fine-tuning: the likelihood of given responses, nothing of the prompts.
 *
 *   L = -1/N sum_i sum_t logp_t          N: trained tokens of the optimizer step
 *
 * The mean is over the whole step, so packing, micro-batches and accumulation change nothing. Rows are drawn without
 * replacement within an epoch, in an order that is a function of the seed.
 */
import type { CursorState, DataCursor } from "./dataset/cursor.ts";
import type { Engine } from "./engine/engine.ts";
import { mergeMetrics, metricValues } from "./metrics.ts";
import type { Reporter } from "./progress.ts";
import type { SftStage } from "./recipe/schema.ts";
import { adamParams, learningRateAt } from "./schedule.ts";
import type { Example, Sequence, SequenceLoss, TokenOutputs } from "./types.ts";

export interface SftState {
  readonly step: number;
  readonly numSkippedUpdates: number;
  readonly numTokens: number;
  readonly cursor: CursorState;
}

export interface SftContext {
  readonly name: string;
  readonly stage: SftStage;
  readonly numSteps: number;
  readonly engine: Engine;
  readonly sequences: readonly Sequence[];
  readonly cursor: DataCursor;
  readonly save: (state: SftState) => Promise<void>;
  readonly record: (record: Readonly<Record<string, unknown>>) => Promise<void>;
  readonly reporter: Reporter;
  readonly stopRequested: () => boolean;
}

export async function sft(context: SftContext, start: SftState): Promise<{ state: SftState; interrupted: boolean }> {
  const { name, stage, numSteps, engine, sequences, cursor, reporter } = context;
  let state = start;
  while (state.step < numSteps && !context.stopRequested()) {
    const startMs = performance.now();
    const batch = Array.from({ length: stage.batchSize }, () => sequences[cursor.next()]!);
    const numTokens = batch.reduce((sum, { lossMask }) => sum + countOnes(lossMask), 0);
    const losses = await engine.forwardBackward(batch.map(asExample), (example, outputs) =>
      likelihoodLoss(example, outputs, numTokens),
    );
    const learningRate = learningRateAt(state.step, numSteps, stage.optimizer);
    const { gradNorm, skipped } = await engine.optimStep(adamParams(stage.optimizer, learningRate));
    const seconds = (performance.now() - startMs) / 1000;
    state = {
      step: state.step + 1,
      numSkippedUpdates: state.numSkippedUpdates + (skipped ? 1 : 0),
      numTokens: state.numTokens + numTokens,
      cursor: cursor.state(),
    };
    const metrics = {
      loss: losses.reduce((sum, { loss }) => sum + loss, 0),
      ...metricValues(mergeMetrics(losses.map((loss) => loss.metrics))),
      grad_norm: gradNorm,
      learning_rate: learningRate,
      num_tokens: state.numTokens,
      skipped_updates: state.numSkippedUpdates,
      policy_version: engine.policyVersion,
      "time/step": seconds,
      "time/tokens_per_second": numTokens / seconds,
    };
    await context.record({ stage: name, step: state.step, ...metrics });
    reporter.step({ stage: name, step: state.step, numSteps, metrics });
    const { everySteps } = stage.checkpoint;
    if ((everySteps > 0 && state.step % everySteps === 0) || context.stopRequested()) await context.save(state);
  }
  return { state, interrupted: state.step < numSteps };
}

/** Prompt and response end to end; only the response is trained. */
export function supervisedSequence(promptTokenIds: readonly number[], responseTokenIds: readonly number[]): Sequence {
  const length = promptTokenIds.length + responseTokenIds.length;
  return {
    tokenIds: Int32Array.from([...promptTokenIds, ...responseTokenIds]),
    lossMask: new Uint8Array(length).fill(1, Math.max(1, promptTokenIds.length)),
    samplingLogprobs: new Float32Array(length),
  };
}

/** One sequence's share of the step's negative log-likelihood; `numTokens` is N of the whole step. */
export function likelihoodLoss(
  { sequence: { lossMask } }: Example,
  { logprobs }: TokenOutputs,
  numTokens: number,
): SequenceLoss {
  const dLogprobs = new Float32Array(lossMask.length);
  let loss = 0;
  for (let t = 0; t < lossMask.length; t++) {
    if (lossMask[t] === 0) continue;
    loss -= logprobs[t]! / numTokens;
    dLogprobs[t] = -1 / numTokens;
  }
  return { loss, gradient: { dLogprobs }, metrics: {} };
}

function asExample(sequence: Sequence): Example {
  const zeros = new Float32Array(sequence.tokenIds.length);
  return { sequence, group: 0, reward: 0, advantages: zeros, weights: zeros, old: { logprobs: zeros } };
}

function countOnes(mask: Uint8Array): number {
  let count = 0;
  for (const bit of mask) count += bit;
  return count;
}
