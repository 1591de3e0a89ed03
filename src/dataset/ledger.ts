/**
 * What a run knows of its prompts: how many rollouts of each were judged, and how many passed. Counts are exact; a rollout that could
 * not be judged (its reward abstained or failed) is none.
 */
import type { Reward, ScoredGroup } from "../types.ts";

/** What was made of one prompt in a step, its completions let go. */
export type JudgedGroup = Pick<ScoredGroup, "prompt" | "rewards">;

/** Of one prompt: judged rollouts, and those that passed. */
export interface PassCount {
  readonly samples: number;
  readonly passes: number;
}

/** Parallel lists over the prompts that were judged, by ascending index: what was never sampled takes no room. */
export interface LedgerState {
  readonly index: readonly number[];
  readonly samples: readonly number[];
  readonly passes: readonly number[];
  readonly lastSamples: readonly number[];
  readonly lastPasses: readonly number[];
}

export const emptyLedger: LedgerState = { index: [], samples: [], passes: [], lastSamples: [], lastPasses: [] };

export interface Ledger {
  /** Adds one group of the prompt at `index`; a group without a judged rollout changes nothing. */
  add(index: number, count: PassCount): void;
  /** Over all groups of the run. */
  all(index: number): PassCount;
  /** Of the prompt's last judged group. */
  last(index: number): PassCount;
  /** Prompts with a judged rollout, and how many of them passed never, always, and in between. */
  summary(): { readonly seen: number; readonly never: number; readonly sometimes: number; readonly always: number };
  state(): LedgerState;
}

/** The ledger of `size` prompts. */
export function createLedger(size: number, start: LedgerState = emptyLedger): Ledger {
  const samples = new Uint32Array(size);
  const passes = new Uint32Array(size);
  const lastSamples = new Uint32Array(size);
  const lastPasses = new Uint32Array(size);
  start.index.forEach((index, i) => {
    samples[index] = start.samples[i]!;
    passes[index] = start.passes[i]!;
    lastSamples[index] = start.lastSamples[i]!;
    lastPasses[index] = start.lastPasses[i]!;
  });
  return {
    add(index, count) {
      if (count.samples === 0) return;
      samples[index]! += count.samples;
      passes[index]! += count.passes;
      lastSamples[index] = count.samples;
      lastPasses[index] = count.passes;
    },
    all: (index) => ({ samples: samples[index]!, passes: passes[index]! }),
    last: (index) => ({ samples: lastSamples[index]!, passes: lastPasses[index]! }),
    summary() {
      let [numSeen, never, always] = [0, 0, 0];
      for (let index = 0; index < size; index++) {
        if (samples[index] === 0) continue;
        numSeen++;
        if (passes[index] === 0) never++;
        if (passes[index] === samples[index]) always++;
      }
      return { seen: numSeen, never, sometimes: numSeen - never - always, always };
    },
    // Asked for at every step: one pass over the counts.
    state() {
      const state: Record<keyof LedgerState, number[]> = {
        index: [],
        samples: [],
        passes: [],
        lastSamples: [],
        lastPasses: [],
      };
      for (let index = 0; index < size; index++) {
        if (samples[index] === 0) continue;
        state.index.push(index);
        state.samples.push(samples[index]!);
        state.passes.push(passes[index]!);
        state.lastSamples.push(lastSamples[index]!);
        state.lastPasses.push(lastPasses[index]!);
      }
      return state;
    },
  };
}

/** A pass is a score above 0.5 of the reward `metric`, or a total above 0.5 where none is named; null: could not be judged. */
export function passed({ total, outcomes }: Reward, metric: string | undefined): boolean | null {
  if (metric === undefined) return total === null ? null : total > 0.5;
  const outcome = outcomes[metric];
  return outcome?.status === "scored" ? outcome.score > 0.5 : null;
}

/** The judged rollouts of a group, and those that passed. */
export function passCountOf({ rewards }: JudgedGroup, metric: string | undefined): PassCount {
  const verdicts = rewards.map((reward) => passed(reward, metric)).filter((verdict) => verdict !== null);
  return { samples: verdicts.length, passes: verdicts.filter(Boolean).length };
}

/**
 * solved_none, solved_some, solved_all: shares of a step's sampled groups in which none, some and all of the judged rollouts passed.
 * Groups without a judged rollout are left out of all three.
 */
export function solvedMetrics(groups: readonly JudgedGroup[], metric: string | undefined): Record<string, number> {
  const counts = groups.map((group) => passCountOf(group, metric)).filter(({ samples }) => samples > 0);
  if (counts.length === 0) return {};
  const share = (matches: (count: PassCount) => boolean) => counts.filter(matches).length / counts.length;
  return {
    solved_none: share(({ passes }) => passes === 0),
    solved_some: share(({ samples, passes }) => passes > 0 && passes < samples),
    solved_all: share(({ samples, passes }) => passes === samples),
  };
}
