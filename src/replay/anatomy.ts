/**
 * Who moves the weights in a step: the gradient of each token, what holds or masks it, and its share of all that pulls.
 *
 * The gradient of a token is d loss / d logp_t of its own update. A clip holds a token when the policy term has no gradient there
 * though advantage and weight are not 0; it is judged without the KL term, which goes on pulling where the clip holds. Any objective
 * can be looked at in this way: nothing here knows how it clips.
 */
import { createObjective, type ResolvedObjectiveSpec } from "../objectives/create.ts";
import type { Objective } from "../objectives/objective.ts";
import type { Example, RewardOutcome, ScoredGroup, Sequence } from "../types.ts";
import type { Recomputed } from "./recompute.ts";
import type { LoggedStep } from "./reconstruct.ts";

/** Which clip holds a token: low (advantage < 0), high (> 0), or the dual clip's bound (< 0, and the ratio above 1). */
export type ClipBranch = "none" | "low" | "high" | "dual";
/** Why a token of a completion cannot move anything. */
export type MaskReason = "excluded" | "truncated" | "advantage 0" | "weight 0";

export interface TokenAnatomy {
  readonly tokenId: number;
  readonly advantage: number;
  /** exp(logp_t - old_t); null where nobody computed it. */
  readonly ratio: number | null;
  readonly clip: ClipBranch;
  readonly mask: MaskReason | null;
  readonly weight: number;
  /** d loss / d logp_t; below 0 makes the token likelier. */
  readonly gradient: number;
  /** Of the sum of |gradient| over the group, and over the step; from 0 to 1. */
  readonly shareOfGroup: number;
  readonly shareOfStep: number;
}

export interface CompletionAnatomy {
  readonly index: number;
  readonly text: string;
  readonly reward: number | null;
  readonly outcomes: Readonly<Record<string, RewardOutcome>>;
  readonly finishReason: string;
  /** Mean over its tokens. */
  readonly advantage: number;
  readonly mask: "excluded" | "truncated" | null;
  readonly shareOfGroup: number;
  readonly shareOfStep: number;
  readonly tokens: readonly TokenAnatomy[];
}

export interface GroupAnatomy {
  readonly group: number;
  readonly promptId: string;
  readonly prompt: string;
  readonly numPromptTokens: number;
  readonly answer: string | null;
  readonly shareOfStep: number;
  readonly completions: readonly CompletionAnatomy[];
}

/** A step as a whole. */
export interface StepSurvey {
  readonly numGroups: number;
  /** Tokens of completions, and those with a gradient. */
  readonly numTokens: number;
  readonly numMoving: number;
  /** Tokens that each clip holds. */
  readonly numHeld: Readonly<Record<Exclude<ClipBranch, "none">, number>>;
  /** The hundredth part of the step's tokens that pulls most (at least one), and its share of the sum of |gradient|. */
  readonly top: { readonly numTokens: number; readonly share: number };
  /** [groups] of the sum of |gradient|. */
  readonly shareOfGroup: readonly number[];
}

export interface AnatomyOptions {
  /** The same objective without KL in the loss. */
  readonly policyOnly: Objective;
  /** True where the objective has a dual clip, which can then hold a token whose advantage is negative. */
  readonly hasDualClip: boolean;
  readonly maskTruncated: boolean;
}

/** How to look at the tokens of this objective. */
export function anatomyOptions(spec: ResolvedObjectiveSpec, maskTruncated: boolean): AnatomyOptions {
  const { adaptive: _, ...kl } = spec.kl;
  return {
    policyOnly: createObjective({ ...spec, kl: { ...kl, coefficient: 0 } }),
    hasDualClip: "dualClip" in spec && spec.dualClip !== null,
    maskTruncated,
  };
}

export interface Anatomy {
  readonly survey: StepSurvey;
  /** The tokens of one group, from 0. */
  readonly dissect: (group: number) => GroupAnatomy;
}

export function anatomyOf({ groups }: LoggedStep, recomputed: Recomputed, options: AnatomyOptions): Anatomy {
  const parts = partsBySequence(recomputed, options);
  const sums = groups.map(({ rollouts }) => sum(rollouts.map(({ sequence }) => absoluteSum(parts.get(sequence)))));
  const total = sum(sums);
  const counts = { numTokens: 0, numMoving: 0, low: 0, high: 0, dual: 0 };
  const tokens = groups.flatMap(({ rollouts }) => rollouts.map(({ completion }) => completion.tokenIds.length));
  const gradients = new Float32Array(sum(tokens));
  for (const { rollouts, rewards } of groups) {
    rollouts.forEach(({ completion, sequence }, i) => {
      const mask = maskOf(rewards[i]!.total, completion.finishReason, options);
      const part = parts.get(sequence);
      for (let t = sequence.tokenIds.length - completion.tokenIds.length; t < sequence.tokenIds.length; t++) {
        const { gradient, clip } = tokenAt(part, t, mask, options);
        gradients[counts.numTokens++] = Math.abs(gradient);
        if (gradient !== 0) counts.numMoving++;
        if (clip !== "none") counts[clip]++;
      }
    });
  }
  const { numTokens, numMoving, low, high, dual } = counts;
  const numTop = Math.max(1, Math.ceil(numTokens / 100));
  const largest = gradients.sort().subarray(-numTop);
  return {
    survey: {
      numGroups: groups.length,
      numTokens,
      numMoving,
      numHeld: { low, high, dual },
      top: { numTokens: numTop, share: share(sum([...largest]), total) },
      shareOfGroup: sums.map((own) => share(own, total)),
    },
    dissect: (group) => dissectGroup(groups[group]!, group, parts, { total, ofGroup: sums[group]! }, options),
  };
}

function dissectGroup(
  { prompt, rollouts, rewards }: ScoredGroup,
  group: number,
  parts: ReadonlyMap<Sequence, Part>,
  { total, ofGroup }: { readonly total: number; readonly ofGroup: number },
  options: AnatomyOptions,
): GroupAnatomy {
  const completions = rollouts.map(({ completion, sequence }, index): CompletionAnatomy => {
    const { total: reward, outcomes } = rewards[index]!;
    const mask = maskOf(reward, completion.finishReason, options);
    const part = parts.get(sequence);
    const start = sequence.tokenIds.length - completion.tokenIds.length;
    const tokens = completion.tokenIds.map((tokenId, n): TokenAnatomy => {
      const token = tokenAt(part, start + n, mask, options);
      const size = Math.abs(token.gradient);
      return { tokenId, ...token, shareOfGroup: share(size, ofGroup), shareOfStep: share(size, total) };
    });
    const own = absoluteSum(part);
    return {
      index,
      text: completion.text,
      reward,
      outcomes,
      finishReason: completion.finishReason,
      advantage: share(sum(tokens.map(({ advantage }) => advantage)), tokens.length),
      mask,
      shareOfGroup: share(own, ofGroup),
      shareOfStep: share(own, total),
      tokens,
    };
  });
  const { id, text, tokenIds, answer } = prompt;
  return {
    group,
    promptId: id,
    prompt: text,
    numPromptTokens: tokenIds.length,
    answer,
    shareOfStep: share(ofGroup, total),
    completions,
  };
}

/** 0 of nothing. */
function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

/** What one sequence was trained with, and what came of it. */
interface Part {
  readonly example: Example;
  /** [L]; 0 for a sequence that rests. */
  readonly gradient: Float32Array;
  readonly policyGradient: Float32Array;
  /** [L]; null for a sequence that rests. */
  readonly ratios: Float64Array | null;
}

function partsBySequence({ updates }: Recomputed, { policyOnly }: AnatomyOptions): Map<Sequence, Part> {
  const parts = new Map<Sequence, Part>();
  for (const { batch, losses, outputs } of updates) {
    batch.examples.forEach((example, i) => {
      const none = new Float32Array(example.sequence.tokenIds.length);
      const current = outputs[i];
      parts.set(example.sequence, {
        example,
        gradient: losses[i]?.gradient.dLogprobs ?? none,
        policyGradient: current == null ? none : policyOnly.loss(example, current, batch).gradient.dLogprobs,
        ratios:
          current == null
            ? null
            : Float64Array.from(current.logprobs, (logprob, t) => Math.exp(logprob - example.old.logprobs[t]!)),
      });
    });
  }
  return parts;
}

function maskOf(
  total: number | null,
  finishReason: string,
  { maskTruncated }: AnatomyOptions,
): "excluded" | "truncated" | null {
  if (total === null) return "excluded";
  return maskTruncated && finishReason === "length" ? "truncated" : null;
}

function tokenAt(
  part: Part | undefined,
  t: number,
  mask: "excluded" | "truncated" | null,
  { hasDualClip }: AnatomyOptions,
): Omit<TokenAnatomy, "tokenId" | "shareOfGroup" | "shareOfStep"> {
  if (part === undefined) return { advantage: 0, ratio: null, clip: "none", mask, weight: 0, gradient: 0 };
  const advantage = part.example.advantages[t]!;
  const ratio = part.ratios?.[t] ?? null;
  // The weights of a sequence that rests may be of a policy that nobody asked.
  const weight = ratio === null ? 1 : part.example.weights[t]!;
  const gradient = part.gradient[t]!;
  const moves = gradient !== 0;
  const still = advantage === 0 ? "advantage 0" : weight === 0 ? "weight 0" : null;
  const isHeld = still === null && part.policyGradient[t] === 0;
  return {
    advantage,
    ratio,
    clip: isHeld ? heldBy(advantage, ratio, hasDualClip) : "none",
    mask: moves ? null : still,
    weight,
    gradient,
  };
}

function heldBy(advantage: number, ratio: number | null, hasDualClip: boolean): ClipBranch {
  if (advantage > 0) return "high";
  return hasDualClip && ratio !== null && ratio > 1 ? "dual" : "low";
}

function absoluteSum(part: Part | undefined): number {
  return part === undefined ? 0 : part.gradient.reduce((total, gradient) => total + Math.abs(gradient), 0);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
