/** `grouper judge`: rule against judge over files of completions. */
import YAML from "yaml";
import { z } from "zod";
import { messageOf, RecipeError, UsageError } from "../errors.ts";
import { BudgetSpent } from "../judge/budget.ts";
import { JudgeAlarm } from "../judge/controls.ts";
import type { JudgeStats } from "../judge/judge.ts";
import { judgeParams } from "../judge/params.ts";
import { type ComparedRow, describeTable } from "../judge/table.ts";
import { answerParams } from "../verify/judge.ts";
import { auditJudge, type Confusion, type JudgeAudit } from "../workbench/judge-audit.ts";
import { cell, counted, ending } from "./table.ts";

export interface JudgeArguments {
  readonly data: readonly string[];
  readonly url: string;
  readonly model: string;
  readonly protocol: string | undefined;
  readonly method: string | undefined;
  readonly from: string | undefined;
  /** Further parameters of the judge as a YAML mapping. */
  readonly params: string | undefined;
  /** A judge that confirms rescues, as a YAML mapping of its parameters. */
  readonly second: string | undefined;
  readonly rescue: boolean;
  readonly label: string | undefined;
  readonly output: string | undefined;
  readonly limit: number | undefined;
  readonly samples: number | undefined;
  readonly json: boolean;
}

export async function runJudge(args: JudgeArguments, print: (text: string) => void): Promise<number> {
  const { url, model, protocol, method, from, label, output, limit, samples, rescue } = args;
  const judge = parsed(judgeParams, { ...mappingOf("params", args.params), ...given({ url, model, protocol }) });
  const second = args.second === undefined ? undefined : parsed(judgeParams, mappingOf("second", args.second));
  const answer = parsed(answerParams, given({ method, from }));
  let audit: JudgeAudit;
  try {
    const how = { rescue, label, output, limit, numSamples: samples };
    audit = await auditJudge({ files: args.data, judge, second, answer, ...how });
  } catch (error) {
    if (error instanceof JudgeAlarm || error instanceof BudgetSpent) {
      throw new RecipeError(`Judging stopped: ${messageOf(error)}`, { cause: error });
    }
    throw error;
  }
  print(args.json ? `${JSON.stringify(audit)}\n` : describe(audit));
  return 0;
}

function given(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function parsed<Output>(schema: z.ZodType<Output>, values: Readonly<Record<string, unknown>>): Output {
  const result = schema.safeParse(values);
  if (result.success) return result.data;
  throw new UsageError(`The judge's parameters: ${z.prettifyError(result.error).replaceAll(/\s*\n\s*/g, " ")}`);
}

function mappingOf(option: string, text: string | undefined): Record<string, unknown> {
  if (text === undefined) return {};
  const document = YAML.parseDocument(text, { schema: "core", logLevel: "silent" });
  const value: unknown = document.errors.length === 0 ? document.toJS() : null;
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new UsageError(`Expected --${option} like '{maxTokens: 512, cache: false}', got ${JSON.stringify(text)}.`);
}

function describe(audit: JudgeAudit): string {
  const { numRows, keptByRule, rescued, dropped, problems, notAsked, numFailed, failures, table, labelled } = audit;
  const lines = [
    `${counted(numRows, "row")}: ${keptByRule} kept by the rule, ${rescued} rescued, ${dropped} dropped; ${notAsked} not asked about, ${numFailed} without an answer`,
    ...(problems === null
      ? []
      : [
          `${counted(problems.all, "problem")}: ${problems.kept} with a kept answer, ${problems.rescued} with a rescued one alone`,
        ]),
    "",
    describeTable(table),
    "",
    costLine("judge", audit.cost),
    ...(audit.secondCost === undefined ? [] : [costLine("second judge", audit.secondCost)]),
    ...(audit.unproven === undefined ? [] : [`No control after the last replies: ${audit.unproven}`]),
    ...failures.map((failure) => `  ${failure}`),
    ...audit.unknown.map(({ where, reply }) => `  ${where}: unknown by the reply ${cell(ending(reply, 160), 200)}`),
  ];
  if (labelled !== undefined) {
    lines.push(
      "",
      `${"".padEnd(22)}${["right", "false right", "wrong", "false wrong", "undecided"].map((n) => n.padStart(12)).join("")}`,
    );
    lines.push(confusionLine("rule", labelled.rule), confusionLine("judge", labelled.judge));
    lines.push(
      confusionLine(audit.secondCost === undefined ? "rule, then judge" : "rule, then judges", labelled.rescue),
    );
  }
  return `${[...lines, ...table.disagreements.flatMap(describeDisagreement)].join("\n")}\n`;
}

function costLine(name: string, cost: JudgeStats): string {
  return (
    `${name}: ${cost.numQuestions} questions, ${cost.numCached} from the cache; ${cost.numRequests} requests (${cost.numRetries} retries, ` +
    `${cost.numControls} controls), ${cost.promptTokens} + ${cost.replyTokens} tokens`
  );
}

function confusionLine(name: string, confusion: Confusion): string {
  const { truePositives, falsePositives, trueNegatives, falseNegatives, undecided } = confusion;
  const cells = [truePositives, falsePositives, trueNegatives, falseNegatives, undecided];
  return `${name.padEnd(22)}${cells.map((value) => String(value).padStart(12)).join("")}`;
}

function describeDisagreement({ where, rule, judge, solution, reference, reply }: ComparedRow): string[] {
  const short = (text: string) => JSON.stringify(text.length <= 160 ? text : `… ${text.slice(-160)}`);
  return [
    "",
    `${where}: rule ${rule}, judge ${judge}`,
    `  reference ${short(reference)}`,
    `  solution  ${short(solution)}`,
    ...(reply === null ? [] : [`  judge     ${short(reply)}`]),
  ];
}
