/** Lays sequences end to end in micro-batches of a token budget, and takes per-token numbers apart again. */
import type { Sequence, TokenOutputs } from "../types.ts";
import type { ForwardOptions } from "./engine.ts";

/** Sequences end to end, as they cross to the engine. */
export interface PackedBatch {
  /** [total] */
  readonly tokenIds: Int32Array;
  /** [sequences] tokens of each; they sum to total. */
  readonly lengths: Int32Array;
  /** [total] */
  readonly lossMask: Uint8Array;
}

/** [total] each, in the order of a packed batch. */
export interface PackedOutputs {
  readonly logprobs: Float32Array;
  readonly entropies?: Float32Array;
  readonly values?: Float32Array;
}

/**
 * Number of leading tokens that decide the outputs: attention is causal, so nothing after the last trained token matters.
 * 0 for a sequence that trains nothing, whose outputs are all zero.
 */
export function numNeededTokens({ lossMask }: Sequence): number {
  return lossMask.lastIndexOf(1) + 1;
}

/**
 * Micro-batches as lists of indices into `lengths`, ascending within each and by their first: first-fit decreasing, so that few are
 * needed. Empty sequences are left out. One that is longer than the budget gets a micro-batch of its own.
 */
export function planMicroBatches(lengths: readonly number[], maxTokens: number): number[][] {
  const order = lengths.map((_, index) => index).filter((index) => lengths[index]! > 0);
  order.sort((a, b) => lengths[b]! - lengths[a]! || a - b);
  const bins: { indices: number[]; numTokens: number }[] = [];
  for (const index of order) {
    const length = lengths[index]!;
    const bin = bins.find((candidate) => candidate.numTokens + length <= maxTokens);
    if (bin) {
      bin.indices.push(index);
      bin.numTokens += length;
    } else {
      bins.push({ indices: [index], numTokens: length });
    }
  }
  return bins.map((bin) => bin.indices.sort((a, b) => a - b)).sort((a, b) => a[0]! - b[0]!);
}

/** The first lengths[i] tokens of sequence i, for every i of `indices`. */
export function packSequences(
  sequences: readonly Sequence[],
  lengths: readonly number[],
  indices: readonly number[],
): PackedBatch {
  const total = indices.reduce((sum, index) => sum + lengths[index]!, 0);
  const tokenIds = new Int32Array(total);
  const lossMask = new Uint8Array(total);
  let offset = 0;
  for (const index of indices) {
    const sequence = sequences[index]!;
    tokenIds.set(sequence.tokenIds.subarray(0, lengths[index]!), offset);
    lossMask.set(sequence.lossMask.subarray(0, lengths[index]!), offset);
    offset += lengths[index]!;
  }
  return { tokenIds, lengths: Int32Array.from(indices, (index) => lengths[index]!), lossMask };
}

/** One array per sequence of a packed array, each as long as its whole sequence and 0 past what was packed. */
export function unpackTokens(
  packed: Float32Array,
  sequences: readonly Sequence[],
  lengths: readonly number[],
  indices: readonly number[],
): Float32Array[] {
  let offset = 0;
  return indices.map((index) => {
    const whole = new Float32Array(sequences[index]!.tokenIds.length);
    whole.set(packed.subarray(offset, offset + lengths[index]!));
    offset += lengths[index]!;
    return whole;
  });
}

/** What stands for a sequence that trains nothing and is not run. */
export function zeroOutputs({ tokenIds }: Sequence, { entropies, values }: ForwardOptions): TokenOutputs {
  return {
    logprobs: new Float32Array(tokenIds.length),
    ...(entropies ? { entropies: new Float32Array(tokenIds.length) } : {}),
    ...(values ? { values: new Float32Array(tokenIds.length) } : {}),
  };
}

/** The outputs of each packed sequence, in the order of `indices`. */
export function unpackOutputs(
  packed: PackedOutputs,
  sequences: readonly Sequence[],
  lengths: readonly number[],
  indices: readonly number[],
): TokenOutputs[] {
  const logprobs = unpackTokens(packed.logprobs, sequences, lengths, indices);
  const entropies = packed.entropies && unpackTokens(packed.entropies, sequences, lengths, indices);
  const values = packed.values && unpackTokens(packed.values, sequences, lengths, indices);
  return indices.map((_, i) => ({
    logprobs: logprobs[i]!,
    ...(entropies ? { entropies: entropies[i]! } : {}),
    ...(values ? { values: values[i]! } : {}),
  }));
}

/** The inverse of unpackTokens; an absent array stands for zeros. Undefined when all are absent. */
export function packTokens(
  arrays: readonly (Float32Array | undefined)[],
  lengths: readonly number[],
  indices: readonly number[],
): Float32Array | undefined {
  if (arrays.every((array) => array === undefined)) return undefined;
  const packed = new Float32Array(indices.reduce((sum, index) => sum + lengths[index]!, 0));
  let offset = 0;
  indices.forEach((index, i) => {
    const array = arrays[i];
    if (array) packed.set(array.subarray(0, lengths[index]!), offset);
    offset += lengths[index]!;
  });
  return packed;
}
