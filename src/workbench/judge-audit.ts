/**
 * Rule and judge over files of completions: the table of both, or only the rescues, with what they cost. Behind `grouper judge`.
 *
 * A row is {"completion": …, "answer": …, "question"?, "prefill"?, "finishReason"?, …}. `rescue` asks only about complete responses with an
 * answer that the rule rejects (Open-R1's filter); otherwise every row with a reference and something to judge is asked about.
 * kept by the rule + rescued + dropped = rows.
 */
import { readRows } from "../dataset/read.ts";
import { RecipeError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import { type Decision, decide } from "../judge/after-rule.ts";
import { BudgetSpent } from "../judge/budget.ts";
import { EndpointFailure } from "../judge/endpoint.ts";
import type { Judge, JudgeStats } from "../judge/judge.ts";
import { type JudgeParams, openJudge } from "../judge/params.ts";
import { summaryOf } from "../judge/reward-model.ts";
import { hasSubstance } from "../judge/substance.ts";
import { type ComparedRow, compareRuleAndJudge, type RuleJudgeTable } from "../judge/table.ts";
import { extractAnswer } from "../verify/extract.ts";
import { type AnswerParams, judgeAnswer } from "../verify/judge.ts";

export interface AuditOptions {
  readonly files: readonly string[];
  readonly judge: JudgeParams;
  /** Has to confirm what the judge would rescue. */
  readonly second?: JudgeParams | undefined;
  readonly answer: AnswerParams;
  readonly rescue: boolean;
  /** Column with the truth, true or false: errors of rule and judge are counted by it. */
  readonly label?: string | undefined;
  readonly limit?: number | undefined;
  /** Disagreements to show. Default 10. */
  readonly numSamples?: number | undefined;
  readonly seed?: number | undefined;
  /** Every row with its verdicts, as JSON Lines. */
  readonly output?: string | undefined;
}

/** Of the rows with a label, by one way of deciding. */
export interface Confusion {
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly trueNegatives: number;
  readonly falseNegatives: number;
  readonly undecided: number;
}

export interface JudgeAudit {
  readonly numRows: number;
  readonly keptByRule: number;
  readonly rescued: number;
  readonly dropped: number;
  /** Questions with an answer that the rule accepts, and those beside them that a rescue alone gives one; null for rows without questions. */
  readonly problems: { readonly all: number; readonly kept: number; readonly rescued: number } | null;
  /** Rows that were not asked about, and rows whose question got no answer. */
  readonly notAsked: number;
  readonly numFailed: number;
  /** The first five. */
  readonly failures: readonly string[];
  /** The first replies that left it unknown, where a wrong protocol shows; two at most. */
  readonly unknown: readonly { readonly where: string; readonly reply: string }[];
  /** Of the rows that were asked about. */
  readonly table: RuleJudgeTable;
  readonly labelled?: { readonly rule: Confusion; readonly judge: Confusion; readonly rescue: Confusion } | undefined;
  readonly cost: JudgeStats;
  readonly secondCost?: JudgeStats | undefined;
  /** Why the last replies have no control after them; absent where they have. */
  readonly unproven?: string;
}

interface Row {
  readonly where: string;
  readonly columns: Readonly<Record<string, unknown>>;
  readonly completion: string;
  readonly answer: string | null;
  readonly question: string | null;
  /** null: its question got no answer. */
  readonly decision: Decision | null;
  readonly failure: string | null;
}

interface Judges {
  readonly judge: Judge;
  readonly second?: Judge | undefined;
}

/** Throws RecipeError for rows that are no completions and for a judge that never answers; BudgetSpent and JudgeAlarm end the audit. */
export async function auditJudge(options: AuditOptions): Promise<JudgeAudit> {
  const judge = openJudge("judge", options.judge);
  const second = options.second === undefined ? undefined : openJudge("second judge", options.second);
  try {
    const rows = await decideAll(options, { judge, second });
    const unproven = await settle([judge, ...(second === undefined ? [] : [second])]);
    if (options.output !== undefined) await writeFileAtomic(options.output, rows.map(verdictLine).join(""));
    const report = { ...reportOf(rows, options), cost: judge.stats, secondCost: second?.stats };
    return unproven === undefined ? report : { ...report, unproven };
  } finally {
    await judge.close();
    await second?.close();
  }
}

/** What kept the last controls from being made. */
async function settle(judges: readonly Judge[]): Promise<string | undefined> {
  try {
    for (const judge of judges) await judge.settle();
    return undefined;
  } catch (error) {
    if (error instanceof EndpointFailure || error instanceof BudgetSpent) return error.message;
    throw error;
  }
}

/** A server that has not answered so many questions, and none before, is not there. */
const MAX_UNANSWERED = 16;

/** In the order of the files. A question's deadline counts from asking: no more rows are begun than questions may be in flight. */
async function decideAll(options: AuditOptions, judges: Judges): Promise<Row[]> {
  const { files, limit = Number.POSITIVE_INFINITY } = options;
  const rows: Row[] = [];
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let numRows = 0;
  let numAnswered = 0;
  const unanswered: string[] = [];
  const isGone = (most: number) => numAnswered === 0 && unanswered.length >= most;
  for (const file of files) {
    for await (const read of readRows(file)) {
      if (numRows >= limit || failures.length > 0 || isGone(MAX_UNANSWERED)) break;
      if ("fault" in read) throw new RecipeError(`${read.where}: ${read.fault}.`);
      const index = numRows++;
      const task = decideRow(read.where, read.row, options, judges)
        .then(
          (row) => {
            rows[index] = row;
            if (row.failure !== null) unanswered.push(row.failure);
            else if (row.decision?.judge != null) numAnswered++;
          },
          (error: unknown) => void failures.push(error),
        )
        .finally(() => running.delete(task));
      running.add(task);
      if (running.size >= options.judge.concurrency) await Promise.race(running);
    }
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
  if (isGone(1)) {
    throw new RecipeError(
      `Expected answers of the judge, got none to ${unanswered.length} questions: ${unanswered[0]}`,
    );
  }
  if (rows.length === 0) throw new RecipeError(`Expected completions in ${files.join(", ")}, got no rows.`);
  return rows;
}

function reportOf(rows: readonly Row[], { numSamples = 10, seed = 0, label }: AuditOptions): Omit<JudgeAudit, "cost"> {
  const compared = rows.flatMap((row): ComparedRow[] => {
    if (row.decision === null || row.decision.judge === null) return [];
    const { rule, judge, reply } = row.decision;
    const { where, completion } = row;
    return [{ where, rule, judge, solution: completion, reference: row.answer ?? "", reply }];
  });
  const keptByRule = rows.filter(({ decision }) => decision?.rule === "right").length;
  const rescued = rows.filter(({ decision }) => decision?.rule !== "right" && decision?.verdict === "right").length;
  const failures = rows.flatMap(({ where, failure }) => (failure === null ? [] : [`${where}: ${failure}`]));
  return {
    numRows: rows.length,
    keptByRule,
    rescued,
    dropped: rows.length - keptByRule - rescued,
    problems: countProblems(rows),
    notAsked: rows.filter(({ decision, failure }) => decision?.judge === null && failure === null).length,
    numFailed: failures.length,
    failures: failures.slice(0, 5),
    unknown: compared
      .flatMap(({ where, judge, reply }) => (judge === "unknown" && reply !== null ? [{ where, reply }] : []))
      .slice(0, 2),
    table: compareRuleAndJudge(compared, { numSamples, seed }),
    labelled: label === undefined ? undefined : labelled(rows, label),
  };
}

function countProblems(rows: readonly Row[]): JudgeAudit["problems"] {
  const best = new Map<string, "kept" | "rescued" | "none">();
  for (const { question, decision } of rows) {
    if (question === null) return null;
    const before = best.get(question) ?? "none";
    const here = decision?.rule === "right" ? "kept" : decision?.verdict === "right" ? "rescued" : "none";
    best.set(question, before === "kept" || here === "none" ? before : here);
  }
  const count = (kind: string) => [...best.values()].filter((value) => value === kind).length;
  return { all: best.size, kept: count("kept"), rescued: count("rescued") };
}

async function decideRow(
  where: string,
  columns: Readonly<Record<string, unknown>>,
  { answer: how, rescue }: AuditOptions,
  judges: Judges,
): Promise<Row> {
  const { completion, answer: gold = null, question, prompt, prefill = "", finishReason = "stop" } = columns;
  if (typeof completion !== "string") throw new RecipeError(`${where}: expected "completion" to be text.`);
  const answer = typeof gold === "number" ? String(gold) : typeof gold === "string" ? gold : null;
  const response = `${typeof prefill === "string" ? prefill : ""}${completion}`;
  const text = how.from === "whole" ? completion : response;
  const rule = judgeAnswer(text, { answer, fields: columns }, how);
  const extracted = extractAnswer(text, how.from);
  const isComplete = finishReason === "stop" && extracted !== null && hasSubstance(extracted, answer ?? "");
  const canAsk = answer !== null && answer.trim() !== "" && (isComplete || !rescue);
  const asked = [question, prompt].find((value) => typeof value === "string") ?? null;
  const judged = { question: asked ?? "", reference: answer ?? "", solution: summaryOf(response) };
  const row = { where, columns, completion, answer, question: asked };
  try {
    const decision = await decide(rule, canAsk, judged, { ...judges, judgeAll: !rescue });
    return { ...row, decision, failure: decision.failure ?? null };
  } catch (error) {
    if (!(error instanceof EndpointFailure)) throw error;
    return { ...row, decision: null, failure: error.message };
  }
}

function verdictLine({ columns, decision, failure }: Row): string {
  return `${JSON.stringify({ ...columns, verdict: decision ?? { failure } })}\n`;
}

function labelled(rows: readonly Row[], column: string): JudgeAudit["labelled"] {
  const known = rows.map((row) => {
    const truth = row.columns[column];
    if (typeof truth !== "boolean") throw new RecipeError(`${row.where}: expected "${column}" to be true or false.`);
    return { truth, decision: row.decision };
  });
  const confusion = (said: (decision: Decision) => boolean | null): Confusion => {
    const pairs = known.map(({ truth, decision }) => [truth, decision === null ? null : said(decision)] as const);
    const count = (truth: boolean, word: boolean) => pairs.filter(([t, w]) => t === truth && w === word).length;
    return {
      truePositives: count(true, true),
      falsePositives: count(false, true),
      trueNegatives: count(false, false),
      falseNegatives: count(true, false),
      undecided: pairs.filter(([, word]) => word === null).length,
    };
  };
  const sure = (verdict: string | null) => (verdict === null || verdict === "unknown" ? null : verdict === "right");
  return {
    rule: confusion(({ rule }) => sure(rule)),
    judge: confusion(({ judge }) => sure(judge)),
    rescue: confusion(({ verdict }) => sure(verdict)),
  };
}
