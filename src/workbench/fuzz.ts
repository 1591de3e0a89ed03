/**
 * Mutates saved completions and says how the score changes. The function behind `grouper reward fuzz`.
 *
 * Tried on completions that are good: those whose total lies in the upper half of the totals of the file. Mutants of bad ones say little,
 * since a bad completion may well become better. For rows without completions a right one and a wrong one are written from the answer.
 */
import { meanOf } from "../audit/audit.ts";
import { RecipeError } from "../errors.ts";
import { openRewardPool, type RewardPool } from "../reward/pool.ts";
import { type RewardSpec, rewardLabel } from "../reward/reward.ts";
import type { CompletionGroup, ScoredCompletion } from "../reward/units.ts";
import { totalOf } from "../score.ts";
import { middleOf } from "./agreement.ts";
import { shapeOf, withoutPrefill, wrongAnswers } from "./answers.ts";
import {
  completionGroupOf,
  estimateTokens,
  groupRows,
  isCompletion,
  readSavedRows,
  type SavedCompletion,
  type SavedRow,
} from "./completions.ts";
import { bestShape, goldRowOf, rotated } from "./golds.ts";
import { type Expectation, MUTATIONS, type Mutation } from "./mutations.ts";
import { PATIENCE } from "./times.ts";

export interface FuzzOptions {
  readonly specs: readonly RewardSpec[];
  readonly files: readonly string[];
  /** What has been read already, instead of files. */
  readonly rows?: readonly SavedRow[] | undefined;
  /** For rows without completions: how a right answer is given, with {answer} in it; default: of several shapes, the one that earns most. */
  readonly gold?: string | undefined;
  /** Column with the answer as a response would give it; default: the row's answer. */
  readonly answerColumn?: string | undefined;
  /** Rows to read. Default 200. */
  readonly limit?: number;
  /** The generation limit that length rewards see. Default 4096. */
  readonly maxTokens?: number;
  readonly threads?: number;
  readonly deadlineMs?: number;
}

export interface MutationReport {
  readonly name: string;
  readonly expectation: Expectation;
  readonly numTried: number;
  /** Means over what was tried, of totals; null where nothing has one on both sides. */
  readonly before: number | null;
  readonly after: number | null;
  /** By reward: mean change of its score, where both sides have one. */
  readonly changes: Readonly<Record<string, number>>;
  /** Mutants without a total, which train nothing. */
  readonly numExcluded: number;
  /** Mutants whose total does not do what it must. */
  readonly numUnexpected: number;
  /** The first three of them. */
  readonly examples: readonly {
    readonly where: string;
    readonly before: number;
    readonly after: number;
    readonly completion: string;
    readonly mutant: string;
  }[];
}

export interface FuzzReport {
  readonly numCompletions: number;
  /** The shape of completions that were written from the rows' answers; null for saved ones. */
  readonly shape: string | null;
  /** Those that were mutated, and the total from which a completion counts as good. */
  readonly numGood: number;
  readonly goodFrom: number;
  readonly mutations: readonly MutationReport[];
  /** Nothing unexpected. */
  readonly holds: boolean;
}

/** One good completion: `position` in its group. */
interface Candidate {
  readonly rows: readonly SavedCompletion[];
  readonly position: number;
  readonly before: ScoredCompletion;
  readonly total: number;
}

const NUM_WRONG = 10;
const MAX_EXAMPLES = 3;
const TOLERANCE = 1e-9;

/** Throws a RecipeError when all completions of the files earn the same: there is nothing to lose. */
export async function fuzzRewards(options: FuzzOptions): Promise<FuzzReport> {
  const { specs, files, answerColumn, limit = 200, maxTokens = 4096, threads = 2, deadlineMs = 10_000 } = options;
  await using pool = await openRewardPool({ rewards: specs, threads, deadlineMs, giveUpAfter: PATIENCE });
  const saved = (options.rows ?? (await readSavedRows(files, limit))).slice(0, limit);
  const { completions, shape } = saved.every(isCompletion)
    ? { completions: saved, shape: null }
    : await writeCompletions(pool, saved, { ...options, maxTokens });
  const groups = groupRows(completions);
  const packed = groups.map((rows) => completionGroupOf(rows, maxTokens, estimateTokens));
  const scored = await pool.score(packed);
  const totals = scored.flat().map(({ outcomes }) => totalOf(outcomes, specs));
  const goodFrom = goodFromOf(totals, files);
  const candidates = groups.flatMap((rows, g) =>
    rows.flatMap((_, position): Candidate[] => {
      const before = scored[g]![position]!;
      const total = totalOf(before.outcomes, specs);
      return total !== null && total > goodFrom ? [{ rows, position, before, total }] : [];
    }),
  );
  const answers = answersOf(completions, answerColumn);
  const mutations: MutationReport[] = [];
  for (const mutation of MUTATIONS) {
    const mutants = candidates.flatMap((candidate) => {
      const row = candidate.rows[candidate.position]!;
      // Tasks that keep their answer in other columns have their own answers for the right one.
      const gold = goldRowOf(row, answerColumn)?.answer ?? "";
      const input = {
        completion: row.text,
        prompt: row.group.prompt,
        gold,
        wrong: wrongAnswers(gold, answers, NUM_WRONG),
      };
      const mutant = mutation.apply(input);
      return mutant === null ? [] : [{ candidate, mutant }];
    });
    // In the place of its original among the siblings, which group rewards compare it with.
    const inPlace = mutants.map(({ candidate: { rows, position }, mutant }): CompletionGroup => {
      const group = completionGroupOf(rows, maxTokens, estimateTokens);
      const original = group.completions[position]!;
      const completion = {
        text: mutant.text,
        numTokens: mutatedLength(original, mutant.text),
        finishReason: mutant.finishReason ?? original.finishReason,
      };
      const isAlone = pool.rewards.every(({ kind }) => kind === "sample");
      return { ...group, completions: isAlone ? [completion] : group.completions.with(position, completion) };
    });
    const after = (await pool.score(inPlace)).map((group, index) =>
      group.length === 1 ? group[0]! : group[mutants[index]!.candidate.position]!,
    );
    mutations.push(
      reportOf(
        mutation,
        specs,
        mutants.map((one, index) => ({ ...one, after: after[index]! })),
      ),
    );
  }
  return {
    numCompletions: totals.length,
    shape,
    numGood: candidates.length,
    goodFrom,
    mutations,
    holds: mutations.every(({ numUnexpected }) => numUnexpected === 0),
  };
}

/** A right and a wrong completion of every row that has an answer. */
async function writeCompletions(
  pool: RewardPool,
  rows: readonly SavedRow[],
  { specs, gold, answerColumn, maxTokens }: Omit<FuzzOptions, "maxTokens"> & { readonly maxTokens: number },
): Promise<{ readonly completions: SavedCompletion[]; readonly shape: string }> {
  const golds = rows.flatMap((row) => goldRowOf(row, answerColumn) ?? []);
  const shape = gold === undefined ? await bestShape(pool, specs, golds, maxTokens) : shapeOf(gold);
  const answers = answersOf(rows, answerColumn);
  const completions = rows.flatMap((row, index) => {
    const right = goldRowOf(row, answerColumn)?.answer;
    if (right === undefined) return [];
    const [wrong] = wrongAnswers(right, rotated(answers, index), 1);
    return [right, wrong!].map((answer) => ({ ...row, text: withoutPrefill(shape.render(answer), row.group.prefill) }));
  });
  return { completions, shape: shape.name };
}

function answersOf(rows: readonly SavedRow[], column: string | undefined): string[] {
  return [...new Set(rows.flatMap((row) => goldRowOf(row, column)?.answer ?? []))];
}

function goodFromOf(totals: readonly (number | null)[], files: readonly string[]): number {
  const known = totals.filter((total) => total !== null);
  const middle = middleOf(known);
  if (middle !== null) return middle;
  throw new RecipeError(
    `Expected completions${files.length === 0 ? "" : ` in ${files.join(", ")}`} that earn different totals, ` +
      `got ${known.length === 0 ? "none with a total" : `${known.length} that earn ${known[0]}`}. Add right and wrong ones, or look at them with: grouper reward test.`,
  );
}

/** As many tokens per character as the original has. */
function mutatedLength(original: { readonly text: string; readonly numTokens: number }, text: string): number {
  if (original.text.length === 0) return estimateTokens(text);
  return Math.ceil((text.length * original.numTokens) / original.text.length);
}

function reportOf(
  { name, expectation }: Mutation,
  specs: readonly RewardSpec[],
  mutants: readonly {
    readonly candidate: Candidate;
    readonly mutant: { readonly text: string };
    readonly after: ScoredCompletion;
  }[],
): MutationReport {
  const pairs = mutants.flatMap(({ candidate, mutant, after }) => {
    const total = totalOf(after.outcomes, specs);
    if (total === null) return [];
    const { where, text } = candidate.rows[candidate.position]!;
    return [{ where, before: candidate.total, after: total, completion: text, mutant: mutant.text }];
  });
  const unexpected = pairs.filter(({ before, after }) => !isExpected(expectation, after - before));
  return {
    name,
    expectation,
    numTried: mutants.length,
    before: meanOf(pairs.map(({ before }) => before)),
    after: meanOf(pairs.map(({ after }) => after)),
    changes: Object.fromEntries(
      specs.map(rewardLabel).flatMap((label) => {
        const changes = mutants.flatMap(({ candidate, after }) => changeOf(candidate.before, after, label));
        const mean = meanOf(changes);
        return mean === null ? [] : [[label, mean]];
      }),
    ),
    numExcluded: mutants.length - pairs.length,
    numUnexpected: unexpected.length,
    examples: unexpected.slice(0, MAX_EXAMPLES),
  };
}

function isExpected(expectation: Expectation, change: number): boolean {
  switch (expectation) {
    case "falls":
      return change < -TOLERANCE;
    case "no rise":
      return change <= TOLERANCE;
    case "stays":
      return Math.abs(change) <= TOLERANCE;
  }
  return expectation satisfies never;
}

function changeOf(before: ScoredCompletion, after: ScoredCompletion, label: string): number[] {
  const [from, to] = [before.outcomes[label]!, after.outcomes[label]!];
  return from.status === "scored" && to.status === "scored" ? [to.score - from.score] : [];
}
