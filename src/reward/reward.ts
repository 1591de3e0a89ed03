/**
 * What a reward is. A reward file default-exports `defineReward({...})` and imports nothing else of Grouper.
 *
 * A result is three-state: a number (or a number with named parts), null to abstain, or an exception. An exception is never a
 * number: the completion is excluded, counted and shown.
 */
import { z } from "zod";
import type { FinishReason } from "../types.ts";

/** For the parameters of a reward file, which then needs no package of its own: `import { defineReward, z } from "grouper/reward"`. */
export { z };

/** All that a reward may know of one completion. */
export interface RewardInput {
  /** The rendered prompt, prefill included. */
  readonly prompt: string;
  /** The end of the prompt that belongs to the response, e.g. "<think>". */
  readonly prefill: string;
  /** What the model wrote, without the prefill and without the stop token's text. */
  readonly completion: string;
  /** `prefill + completion`: what a format is checked on. */
  readonly response: string;
  readonly answer: string | null;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly numTokens: number;
  /** The recipe's generation limit in tokens. */
  readonly maxTokens: number;
  readonly finishReason: FinishReason;
}

export type RewardScore = number | null | { readonly score: number; readonly parts: Readonly<Record<string, number>> };

/** [G] An Error in the place of a completion is the failure of that one alone; a thrown error fails all. */
export type GroupScores = (RewardScore | Error)[];

interface RewardBase<Params> {
  /** One sentence: what is scored, between which bounds. */
  readonly description: string;
  /** Where the definition comes from. */
  readonly source?: string;
  /** Parameters with defaults; the recipe's `params` are parsed with it before a run starts. */
  readonly params?: z.ZodType<Params>;
  /** Run once in each worker before the run starts: opens what the reward needs, and throws what the machine lacks. */
  readonly prepare?: (params: Params) => void | Promise<void>;
}

/** Scores one completion. */
export interface SampleReward<Params = unknown> extends RewardBase<Params> {
  readonly score: (input: RewardInput, params: Params) => RewardScore | Promise<RewardScore>;
}

/** Scores the [G] completions of one prompt together, for rewards that compare siblings. */
export interface GroupReward<Params = unknown> extends RewardBase<Params> {
  readonly scoreGroup: (inputs: readonly RewardInput[], params: Params) => GroupScores | Promise<GroupScores>;
}

export type RewardDefinition<Params = unknown> = SampleReward<Params> | GroupReward<Params>;

/** One reward of a run, as the recipe names it. */
export interface RewardSpec {
  /** A shipped reward, by its file name in rewards/; with `file`, the name in metrics. */
  readonly name?: string | undefined;
  /** A user's .ts, .js or .mjs file: an absolute path, or one relative to the working directory. */
  readonly file?: string | undefined;
  /** Name in metrics where `name` will not do, e.g. for the second of two accuracy rewards. */
  readonly as?: string | undefined;
  /** Factor in the total. 0 watches the reward without training on it: neither its score nor its failure touches the total. */
  readonly weight: number;
  /** What the reward's own schema parses. */
  readonly params?: Readonly<Record<string, unknown>> | undefined;
}

/** The name under which a reward's outcomes and metrics appear; a bare file goes by its name without the extension. */
export function rewardLabel({ as, name, file }: Pick<RewardSpec, "as" | "name" | "file">): string {
  return as ?? name ?? /([^/\\]*?)(?:\.[^./\\]*)?$/.exec(file ?? "")![1]!;
}

/** Types a reward; returns it unchanged. */
export function defineReward<Params>(definition: SampleReward<Params>): SampleReward<Params>;
export function defineReward<Params>(definition: GroupReward<Params>): GroupReward<Params>;
export function defineReward<Params>(definition: RewardDefinition<Params>): RewardDefinition<Params> {
  return definition;
}
