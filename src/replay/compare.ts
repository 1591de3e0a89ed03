/**
 * Several objectives on the same rollouts: how much of the step each one uses, how hard it pulls, and whether two pull the same way.
 *
 *   cosine(a, b) = <g_a, g_b> / (|g_a| |g_b|)        g: d loss / d logp_t over every token of the step
 *   effective sample size = (sum w)^2 / (N sum w^2)  of the weights w_t, as a share of the N tokens
 *
 * Each objective takes the step as one optimizer step, so that their denominators count the same examples.
 */
import { RecipeError } from "../errors.ts";
import { createObjective, type ResolvedObjectiveSpec } from "../objectives/create.ts";
import type { Sequence, TokenGradient } from "../types.ts";
import { anatomyOf, anatomyOptions, type ClipBranch } from "./anatomy.ts";
import { type CurrentOutputs, type Recomputed, type RecomputeOptions, recompute } from "./recompute.ts";
import type { LoggedStep } from "./reconstruct.ts";

export interface Candidate {
  /** As the user wrote it. */
  readonly label: string;
  readonly spec: ResolvedObjectiveSpec;
}

export interface Replayed {
  readonly label: string;
  readonly loss: number;
  /** Share of the step's tokens that each clip holds. */
  readonly clipped: Readonly<Record<Exclude<ClipBranch, "none">, number>>;
  /** Share of the step's tokens with a gradient. */
  readonly movingShare: number;
  /** Of the weights, as a share of the tokens whose weights are known; null where none is. */
  readonly effectiveSampleShare: number | null;
  /** |g| over all tokens, and its root mean square per token. */
  readonly gradientNorm: number;
  readonly gradientPerToken: number;
  /** What the objective reports itself, under the names of metrics.jsonl. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly gradients: GradientBySequence;
}

export type GradientBySequence = ReadonlyMap<Sequence, TokenGradient>;

export interface NotComputable {
  readonly label: string;
  /** One sentence. */
  readonly reason: string;
}

export interface ReplayOptions extends Omit<RecomputeOptions, "objective" | "updatesPerBatch" | "epochsPerBatch"> {
  /** Default: the pass that trained, from the log. */
  readonly current?: CurrentOutputs | undefined;
}

/** Every candidate on one step; those that need what nobody has are named with the reason. */
export function replay(
  step: LoggedStep,
  candidates: readonly Candidate[],
  options: ReplayOptions,
): { readonly replayed: readonly Replayed[]; readonly notComputable: readonly NotComputable[] } {
  const replayed: Replayed[] = [];
  const notComputable: NotComputable[] = [];
  for (const { label, spec } of candidates) {
    try {
      replayed.push(replayOne(step, label, spec, options));
    } catch (error) {
      if (!(error instanceof RecipeError)) throw error;
      notComputable.push({ label, reason: error.message });
    }
  }
  return { replayed, notComputable };
}

function replayOne(
  step: LoggedStep,
  label: string,
  spec: ResolvedObjectiveSpec,
  { current, ...options }: ReplayOptions,
): Replayed {
  const objective = { ...createObjective(spec), name: label };
  const recomputed = recompute(step, { ...options, objective, updatesPerBatch: 1, epochsPerBatch: 1 }, current);
  const { survey } = anatomyOf(step, recomputed, anatomyOptions(spec, options.maskTruncated));
  const gradients = gradientsOf(recomputed);
  const norm = Math.sqrt(dot(gradients, gradients));
  const perToken = (count: number) => count / Math.max(1, survey.numTokens);
  const { low, high, dual } = survey.numHeld;
  return {
    label,
    loss: recomputed.loss,
    clipped: { low: perToken(low), high: perToken(high), dual: perToken(dual) },
    movingShare: perToken(survey.numMoving),
    effectiveSampleShare: effectiveSampleShare(recomputed),
    gradientNorm: norm,
    gradientPerToken: norm / Math.sqrt(Math.max(1, survey.numTokens)),
    metrics: recomputed.metrics,
    gradients,
  };
}

function gradientsOf({ updates }: Recomputed): GradientBySequence {
  const gradients = new Map<Sequence, TokenGradient>();
  for (const { batch, losses } of updates) {
    batch.examples.forEach(({ sequence }, i) => {
      const loss = losses[i];
      if (loss != null) gradients.set(sequence, loss.gradient);
    });
  }
  return gradients;
}

function effectiveSampleShare({ updates }: Recomputed): number | null {
  let count = 0;
  let sum = 0;
  let squares = 0;
  for (const { batch, outputs } of updates) {
    batch.examples.forEach(({ sequence: { lossMask }, weights }, i) => {
      // The weights of a sequence that rests may be of a policy that nobody asked.
      if (outputs[i] === null) return;
      for (let t = 0; t < lossMask.length; t++) {
        if (lossMask[t] === 0) continue;
        count++;
        sum += weights[t]!;
        squares += weights[t]! * weights[t]!;
      }
    });
  }
  return squares === 0 ? null : (sum * sum) / (count * squares);
}

/** Over the log-probabilities of every token; a sequence that one of them leaves alone adds nothing. */
function dot(a: GradientBySequence, b: GradientBySequence): number {
  let product = 0;
  for (const [sequence, { dLogprobs }] of a) {
    const other = b.get(sequence)?.dLogprobs;
    if (other === undefined) continue;
    for (let t = 0; t < dLogprobs.length; t++) product += dLogprobs[t]! * other[t]!;
  }
  return product;
}

/** [K][K] in log-probability space; null where one of the two has no gradient. */
export function cosines(replayed: readonly Replayed[]): (number | null)[][] {
  return replayed.map((a) =>
    replayed.map((b) => {
      const size = a.gradientNorm * b.gradientNorm;
      return size === 0 ? null : dot(a.gradients, b.gradients) / size;
    }),
  );
}

/** Two objectives that pull the same way (or, at -1, against each other) up to their step size. */
export interface Alignment {
  readonly a: string;
  readonly b: string;
  readonly cosine: number;
  /** |g_b| / |g_a| */
  readonly scale: number;
}

const ALIGNED = 0.9999;

/** Of each objective with the first one before it that it is aligned with. */
export function alignments(
  labels: readonly string[],
  norms: readonly number[],
  matrix: readonly (readonly (number | null)[])[],
): Alignment[] {
  return labels.flatMap((label, i) => {
    const first = matrix[i]!.findIndex((cosine, j) => j < i && cosine !== null && Math.abs(cosine) > ALIGNED);
    if (first < 0) return [];
    return [{ a: labels[first]!, b: label, cosine: matrix[i]![first]!, scale: norms[i]! / norms[first]! }];
  });
}
