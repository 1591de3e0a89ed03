/**
 * Which prompt comes next. Without options: every prompt once per epoch, in the shuffle of cursor.ts. `rollout.prompts` composes:
 *
 *   window       once, before the first step: prompts whose column lies inside (Light-R1, arXiv 2503.10460: pass rate .25 to .625)
 *   curriculum   the order of an epoch, or what belongs to it in each part of the run
 *   online       by this run's own ledger: prompts whose pass rate leaves the window are drawn no more. SRPO's history resampling
 *                (arXiv 2504.14286) is "last group all right", i.e. max 1, open; the mining of Open-Reasoner-Zero (arXiv 2503.24290)
 *                is max 4/64, open, over all
 *   easyPool     prompts above the window (by default: solved) are drawn with a fixed share (MiMo, arXiv 2505.07608: 10 %), and
 *                come back once they are no longer solved
 *
 * A prompt is judged when it is drawn, by all steps observed until then. As an epoch draws each prompt once, that is SRPO's judgement at
 * the epoch's end. When no prompt is left, the epoch takes all of them and says so: a run that has solved its data still ends as planned,
 * and is told by its metrics.
 */
import { RecipeError } from "../errors.ts";
import { createRandom, permutation, seedFrom } from "../random.ts";
import type { PromptsSpec } from "../recipe/prompts-schema.ts";
import type { Prompt } from "../types.ts";
import { type CursorState, createCursor, type EpochOrder } from "./cursor.ts";
import { cellOf } from "./dataset.ts";
import { createLedger, emptyLedger, type JudgedGroup, type LedgerState, passCountOf } from "./ledger.ts";

/** All that a source knows beyond its options; plain JSON. */
export interface PromptSourceState {
  readonly cursor: CursorState;
  /** Prompts given out; the easy pool draws its lots by this number. */
  readonly numDraws: number;
  /** Index of the curriculum's stage. */
  readonly stage: number;
  /** True in an epoch for which the online window left no prompt. */
  readonly takesAll: boolean;
  readonly ledger: LedgerState;
}

export interface PromptSource {
  /** The next prompt of a step, which is known by the number of finished steps before it. */
  next(step: number): Prompt;
  /** Tells what became of prompts that `next` gave; steps are told in order. */
  observe(groups: readonly JudgedGroup[]): void;
  state(): PromptSourceState;
  /**
   * prompts/epoch; prompts/seen: prompts with a judged rollout, and shares of them that this run solved never, sometimes and always;
   * prompts/dropped: prompts that are drawn no more; prompts/easy_pool: prompts in the pool.
   */
  metrics(): Record<string, number>;
}

export interface PromptSourceOptions {
  readonly prompts: readonly Prompt[];
  readonly spec?: PromptsSpec | undefined;
  readonly seed: number;
  readonly start?: PromptSourceState | undefined;
  /** Gets a sentence about what the offline window keeps, and one when the online window leaves nothing. */
  readonly note?: (sentence: string) => void;
}

/** What the ledger says of a prompt. */
type Standing = "inside" | "below" | "above";

/** Throws RecipeError when a column lacks a number or a window holds no prompt. */
export function createPromptSource({
  prompts,
  spec = {},
  seed,
  start,
  note = () => {},
}: PromptSourceOptions): PromptSource {
  const { curriculum, easyPool } = spec;
  const online = spec.online ?? (easyPool === undefined ? undefined : SOLVED);
  const indexOf = new Map(prompts.map((prompt, index) => [prompt, index]));
  const ledger = createLedger(prompts.length, start?.ledger ?? emptyLedger);
  const kept = keptBy(spec.window, prompts);
  if (spec.window !== undefined) {
    note(
      `Using ${kept.length} of ${prompts.length} prompts: those whose ${spec.window.column} lies ${rangeOf(spec.window)}.`,
    );
  }
  const orderOf = orderBy(curriculum, kept, prompts);

  let stage = start?.stage ?? 0;
  let chosen = chosenBy(curriculum, stage, kept, prompts);
  let cursor = createCursor(chosen.length, seed, start?.cursor, orderOf);
  let numDraws = start?.numDraws ?? 0;
  let takesAll = start?.takesAll ?? false;
  let pool = poolOf();

  function standing(index: number): Standing {
    if (online === undefined || ledger.all(index).samples < online.minSamples) return "inside";
    const { samples, passes } = online.over === "last" ? ledger.last(index) : ledger.all(index);
    return standingOf(passes / samples, online);
  }

  function poolOf(): readonly number[] {
    return easyPool === undefined ? [] : chosen.filter((index) => standing(index) === "above");
  }

  function enterStage(step: number): void {
    if (curriculum?.type !== "stages") return;
    const due = curriculum.stages.findLastIndex(({ afterStep }) => afterStep <= step);
    if (due <= stage) return;
    stage = due;
    chosen = chosenBy(curriculum, stage, kept, prompts);
    cursor = createCursor(chosen.length, seed, { epoch: cursor.state().epoch + 1, position: 0 });
    pool = poolOf();
    beginEpoch(cursor.state().epoch);
  }

  function beginEpoch(epoch: number): void {
    if (online === undefined) return;
    const before = takesAll;
    const standings = chosen.map(standing);
    takesAll = !standings.includes("inside");
    if (!takesAll || before) return;
    const numAbove = standings.filter((each) => each === "above").length;
    note(
      `None of the ${chosen.length} prompts lies inside rollout.prompts.online any more: ${numAbove} are above it, ${chosen.length - numAbove} below. ` +
        `Epoch ${epoch + 1} goes on with all of them; harder prompts would teach more.`,
    );
  }

  function nextIndex(): number {
    numDraws++;
    if (easyPool !== undefined && !takesAll && pool.length > 0) {
      const lot = createRandom(seedFrom(seed, "easy-pool", numDraws));
      if (lot.next() < easyPool.share) return pool[lot.below(pool.length)]!;
    }
    for (;;) {
      const { epoch, position } = cursor.state();
      if (position === chosen.length) beginEpoch(epoch + 1);
      const index = chosen[cursor.next()]!;
      if (takesAll || standing(index) === "inside") return index;
    }
  }

  return {
    next(step) {
      enterStage(step);
      return prompts[nextIndex()]!;
    },
    observe(groups) {
      for (const group of groups) {
        const index = indexOf.get(group.prompt);
        if (index === undefined) throw new Error(`prompt ${group.prompt.id} is not of this source`);
        ledger.add(index, passCountOf(group, spec.metric));
      }
      pool = poolOf();
    },
    state: () => ({ cursor: cursor.state(), numDraws, stage, takesAll, ledger: ledger.state() }),
    metrics() {
      const { seen, never, sometimes, always } = ledger.summary();
      const outside = online === undefined ? 0 : chosen.filter((index) => standing(index) !== "inside").length;
      return {
        "prompts/epoch": cursor.state().epoch,
        "prompts/seen": seen,
        ...(seen === 0
          ? {}
          : {
              "prompts/never_solved": never / seen,
              "prompts/sometimes_solved": sometimes / seen,
              "prompts/always_solved": always / seen,
            }),
        ...(online === undefined ? {} : { "prompts/dropped": outside - pool.length }),
        ...(easyPool === undefined ? {} : { "prompts/easy_pool": pool.length }),
      };
    },
  };
}

/** What an easy pool takes where no online window is given: prompts whose last group was all right. */
const SOLVED: NonNullable<PromptsSpec["online"]> = { max: 1, ends: "open", over: "last", minSamples: 1 };

interface Window {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  readonly ends: "open" | "closed";
}

function standingOf(value: number, { min, max, ends }: Window): Standing {
  const isOpen = ends === "open";
  if (max !== undefined && (value > max || (isOpen && value === max))) return "above";
  if (min !== undefined && (value < min || (isOpen && value === min))) return "below";
  return "inside";
}

/** Indices of the prompts inside the offline window, in the dataset's order. */
function keptBy(window: PromptsSpec["window"], prompts: readonly Prompt[]): readonly number[] {
  const all = prompts.map((_, index) => index);
  if (window === undefined) return all;
  const kept = all.filter(
    (index) => standingOf(numberIn(prompts[index]!, window.column, "window"), window) === "inside",
  );
  if (kept.length > 0) return kept;
  throw new RecipeError(
    `Expected prompts whose column "${window.column}" lies ${rangeOf(window)}, but none of ${prompts.length} does. Widen rollout.prompts.window.`,
  );
}

/** Those of them that the curriculum's stage draws. */
function chosenBy(
  curriculum: PromptsSpec["curriculum"],
  stage: number,
  kept: readonly number[],
  prompts: readonly Prompt[],
): readonly number[] {
  if (curriculum?.type !== "stages") return kept;
  const window = { ...curriculum.stages[stage]!, ends: "closed" as const };
  const { column } = curriculum;
  const chosen = kept.filter(
    (index) => standingOf(numberIn(prompts[index]!, column, "curriculum"), window) === "inside",
  );
  if (chosen.length > 0) return chosen;
  throw new RecipeError(
    `Expected prompts whose column "${column}" lies ${rangeOf(window)}, for stage ${stage + 1} of rollout.prompts.curriculum, but none of ${kept.length} does. Change the stage.`,
  );
}

/** A shuffle, sorted by the column where the curriculum says so: equal values stay shuffled. */
function orderBy(
  curriculum: PromptsSpec["curriculum"],
  kept: readonly number[],
  prompts: readonly Prompt[],
): EpochOrder {
  // Every stage's window is tried before the first step, not when its time has come.
  if (curriculum?.type === "stages") {
    for (const i of curriculum.stages.keys()) chosenBy(curriculum, i, kept, prompts);
  }
  if (curriculum?.type !== "sorted") return permutation;
  const sign = curriculum.easiest === "lowest" ? 1 : -1;
  const values = kept.map((index) => sign * numberIn(prompts[index]!, curriculum.column, "curriculum"));
  return (size, seed) => permutation(size, seed).sort((a, b) => values[a]! - values[b]!);
}

function numberIn({ id, fields }: Prompt, column: string, key: string): number {
  const value = cellOf(fields, column);
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new RecipeError(
    `Expected a number in column "${column}" of every prompt, as rollout.prompts.${key} says, got ${JSON.stringify(value) ?? "none"} in prompt ${id} (columns: ${Object.keys(fields).join(", ")}).`,
  );
}

/** e.g. "in [0.25, 0.625]", "in (0.1, 0.9)". */
function rangeOf({ min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, ends }: Window): string {
  return ends === "closed" ? `in [${min}, ${max}]` : `in (${min}, ${max})`;
}
