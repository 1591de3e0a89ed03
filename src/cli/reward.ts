/** `grouper reward test`: rewards over files of completions. */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import YAML from "yaml";
import { UsageError } from "../errors.ts";
import type { RewardSpec } from "../reward/reward.ts";
import type { GoldReport } from "../workbench/golds.ts";
import { type RewardReport, type RewardTestReport, testRewards } from "../workbench/test.ts";
import { cell, shortNumber } from "./table.ts";

export interface RewardTestArguments {
  /** Names of shipped rewards or paths of files, each with optional parameters: accuracy, ./mine.ts, accuracy:{method: numeric}. */
  readonly reward: readonly string[];
  readonly data: readonly string[];
  readonly limit: number | undefined;
  readonly maxTokens: number | undefined;
  /** How a right answer is given, with {answer} in it. */
  readonly gold: string | undefined;
  /** Exit code 1 where a gold is not at the top, or junk is as good as its gold. */
  readonly strict: boolean;
  readonly json: boolean;
}

export async function runRewardTest(args: RewardTestArguments, print: (text: string) => void): Promise<number> {
  const report = await testRewards({
    specs: args.reward.map(rewardSpecOf),
    files: args.data,
    ...(args.limit === undefined ? {} : { limit: args.limit }),
    ...(args.maxTokens === undefined ? {} : { maxTokens: args.maxTokens }),
    gold: args.gold,
  });
  print(args.json ? `${JSON.stringify(report)}\n` : describe(report));
  return args.strict && report.golds?.holds !== true ? 1 : 0;
}

/** accuracy, ./mine.ts, accuracy:{method: numeric}. Throws UsageError for parameters that are no mapping. */
export function rewardSpecOf(text: string): RewardSpec {
  const brace = text.indexOf(":{");
  const source = brace === -1 ? text : text.slice(0, brace);
  const params = brace === -1 ? {} : mappingOf(text.slice(brace + 1));
  if (params === null) {
    throw new UsageError(`Expected parameters like accuracy:{method: numeric}, got ${JSON.stringify(text)}.`);
  }
  const isFile = /\.[cm]?[jt]s$/.test(source) || existsSync(source);
  const named = isFile ? { file: source, as: basename(source).replace(/\.[cm]?[jt]s$/, "") } : { name: source };
  return { ...named, weight: 1, params };
}

/** Null where the text is not a YAML mapping. */
function mappingOf(text: string): Record<string, unknown> | null {
  const document = YAML.parseDocument(text, { schema: "core", logLevel: "silent" });
  const value: unknown = document.errors.length === 0 ? document.toJS() : null;
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : null;
}

function describe({
  numCompletions,
  rewards,
  meanTotal,
  numExcluded,
  numEstimatedLengths,
  golds,
}: RewardTestReport): string {
  const lines = [
    `${numCompletions} completions; mean total ${meanTotal?.toFixed(4) ?? "none"}; ${numExcluded} excluded`,
  ];
  if (numEstimatedLengths > 0)
    lines.push(`${numEstimatedLengths} rows have no numTokens; a token was taken to be 4 characters`);
  return `${[...lines, ...rewards.flatMap(describeReward), ...describeGolds(golds)].join("\n")}\n`;
}

function describeGolds(golds: GoldReport | null): string[] {
  if (golds === null) return ["", "No row has an answer: golds and junk were not tried."];
  const { shape, numGolds, top, numLow, numWithoutTotal, examples, junk } = golds;
  const numTop = numGolds - numLow - numWithoutTotal;
  const best =
    top === null ? "none has a total" : `${numTop} of ${numGolds} score the most that was seen, ${shortNumber(top)}`;
  const paid = junk.filter(({ numAsGood }) => numAsGood > 0);
  return [
    "",
    `golds (${shape}): ${best}; ${numLow} less, ${numWithoutTotal} without a total`,
    ...examples.map(
      ({ where, answer, total }) => `  ${where}: answer ${cell(answer, 40)} scores ${total ?? "nothing"}`,
    ),
    `junk: ${junk.length - paid.length} of ${junk.length} kinds score less than their golds throughout`,
    ...paid.flatMap(({ name, numAsGood, example }) => [
      `  ${name}: ${numAsGood} of ${numGolds} score as much as their gold`,
      ...(example === null
        ? []
        : [`    ${example.where}: ${cell(example.completion, 70)} scores ${shortNumber(example.total)}`]),
    ]),
  ];
}

function describeReward({
  name,
  numScored,
  numAbstained,
  numFailed,
  mean,
  min,
  max,
  histogram,
  elapsedMs,
  failures,
}: RewardReport): string[] {
  const largest = Math.max(1, ...histogram.map(({ count }) => count));
  return [
    "",
    `${name}: ${numScored} scored, ${numAbstained} abstained, ${numFailed} failed`,
    ...(mean === null ? [] : [`  mean ${mean.toFixed(4)}, from ${min} to ${max}`]),
    ...histogram.map(({ from, to, count }) => {
      const label = from === to ? String(from) : `${from.toFixed(3)} …`;
      return `  ${label.padStart(10)}  ${String(count).padStart(7)}  ${"#".repeat(Math.round((40 * count) / largest))}`;
    }),
    `  time per call: p50 ${elapsedMs.p50.toFixed(2)} ms, p95 ${elapsedMs.p95.toFixed(2)}, p99 ${elapsedMs.p99.toFixed(2)}, max ${elapsedMs.max.toFixed(2)}`,
    ...failures.map(({ where, error }) => `  ${where}: ${error}`),
  ];
}
