/**
 * Gradients of several objectives by the weights of a model, without ever holding two of them: the engine says only how long a
 * gradient is, and that is enough.
 *
 *   |a^ + b^|^2 = |a^|^2 + |b^|^2 + 2 <a^, b^>,   a^ = a / |a|        so   cosine(a, b) = |a^ + b^|^2 / 2 - 1
 *
 * Both are scaled to length 1 first, so that one that is a thousand times longer does not drown the other in float32. The weights stay
 * as they are: the optimizer steps with a learning rate of 0. K objectives cost K (K + 1) / 2 passes.
 */
import type { AdamParams, Engine, ForwardOptions } from "../engine/engine.ts";
import { RecipeError } from "../errors.ts";
import type { Example, Sequence, SequenceLoss, TokenGradient, TokenOutputs } from "../types.ts";
import type { GradientBySequence } from "./compare.ts";
import type { CurrentOutputs } from "./recompute.ts";
import type { LoggedStep } from "./reconstruct.ts";

export interface WeightSpace {
  /** [K] L2 norms. */
  readonly gradNorms: readonly number[];
  /** [K][K]; null where one of the two has no gradient. */
  readonly cosines: readonly (readonly (number | null)[])[];
}

/** What the engine's policy says of every rollout of the step. */
export async function policyOutputs(
  engine: Engine,
  { groups }: LoggedStep,
  options: ForwardOptions,
): Promise<CurrentOutputs> {
  const sequences = groups.flatMap(({ rollouts }) => rollouts.map(({ sequence }) => sequence));
  const outputs = await engine.forward(sequences, { ...options, entropies: true });
  const bySequence = new Map<Sequence, TokenOutputs>(sequences.map((sequence, i) => [sequence, outputs[i]!]));
  return (sequence) => bySequence.get(sequence);
}

/** `gradients` are [K], by the outputs of the engine's own policy. Throws RecipeError where one is not finite. */
export async function weightSpace(
  engine: Engine,
  gradients: readonly GradientBySequence[],
  options: ForwardOptions,
): Promise<WeightSpace> {
  const gradNorms: number[] = [];
  for (const gradient of gradients) gradNorms.push(await gradNorm(engine, [{ gradient, factor: 1 }], options));
  const matrix = gradNorms.map((): (number | null)[] => []);
  for (const [i, ofA] of gradNorms.entries()) {
    matrix[i]![i] = ofA === 0 ? null : 1;
    for (const [j, ofB] of gradNorms.slice(0, i).entries()) {
      const units = [
        { gradient: gradients[i]!, factor: 1 / ofA },
        { gradient: gradients[j]!, factor: 1 / ofB },
      ];
      const cosine = ofA === 0 || ofB === 0 ? null : (await gradNorm(engine, units, options)) ** 2 / 2 - 1;
      matrix[i]![j] = cosine;
      matrix[j]![i] = cosine;
    }
  }
  return { gradNorms, cosines: matrix };
}

interface Scaled {
  readonly gradient: GradientBySequence;
  readonly factor: number;
}

const FROZEN: AdamParams = {
  learningRate: 0,
  beta1: 0.9,
  beta2: 0.999,
  eps: 1e-8,
  weightDecay: 0,
  maxGradNorm: Number.POSITIVE_INFINITY,
};

/** The norm of a sum; the gradient by the outputs is known already, so what the engine computes of them is not read. */
async function gradNorm(engine: Engine, parts: readonly Scaled[], options: ForwardOptions): Promise<number> {
  const sequences = [...new Set(parts.flatMap(({ gradient }) => [...gradient.keys()]))];
  if (sequences.length === 0) return 0;
  const losses = new Map(sequences.map((sequence) => [sequence, lossOf(sequence, parts)]));
  const loss = ({ sequence }: Example) => losses.get(sequence)!;
  await engine.forwardBackward(sequences.map(bareExample), loss, { ...options, entropies: true });
  const { gradNorm: length, skipped } = await engine.optimStep(FROZEN);
  if (!skipped) return length;
  throw new RecipeError("Expected gradients that are finite numbers by the model's weights, got one that is not.");
}

function lossOf(sequence: Sequence, parts: readonly Scaled[]): SequenceLoss {
  const own = parts.flatMap(({ gradient, factor }) => {
    const ofSequence = gradient.get(sequence);
    return ofSequence === undefined ? [] : [{ ofSequence, factor }];
  });
  const summed = (name: "dLogprobs" | "dEntropies"): Float32Array => {
    const sum = new Float32Array(sequence.tokenIds.length);
    for (const { ofSequence, factor } of own) {
      const values = ofSequence[name];
      if (values === undefined) continue;
      for (let t = 0; t < sum.length; t++) sum[t]! += factor * values[t]!;
    }
    return sum;
  };
  const hasEntropies = own.some(({ ofSequence }) => ofSequence.dEntropies !== undefined);
  const gradient: TokenGradient = {
    dLogprobs: summed("dLogprobs"),
    ...(hasEntropies ? { dEntropies: summed("dEntropies") } : {}),
  };
  return { loss: 0, gradient, metrics: {} };
}

/** The engine reads the sequence alone; the loss is known. */
function bareExample(sequence: Sequence): Example {
  const none = new Float32Array(sequence.tokenIds.length);
  return { sequence, group: 0, reward: 0, advantages: none, weights: none, old: { logprobs: none } };
}
