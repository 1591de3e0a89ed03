/**
 * Rule and judge over files of completions: the table of both, or only the rescues, with what they cost. Behind `grouper judge`.
 *
 * A row is {"completion": …, "answer": …, "question"?, "prefill"?, "finishReason"?, …}. `rescue` asks only about complete responses with an
 * answer that the rule rejects (Open-R1's filter); otherwise every row with a reference and something to judge is asked about.
 * kept by the rule + rescued + dropped = rows.
 */
import { readRows } from "./dataset/read.ts";
import { RecipeError } from "./errors.ts";
import { writeFileAtomic } from "./files.ts";
import { type Decision, decide } from "./judge/after-rule.ts";
import { EndpointFailure } from "./judge/endpoint.ts";
import type { Judge, JudgeStats } from "./judge/judge.ts";
import { type JudgeParams, openJudge } from "./judge/params.ts";
import { summaryOf } from "./judge/reward-model.ts";
import { type ComparedRow, compareRuleAndJudge, type RuleJudgeTable } from "./judge/table.ts";
import { extractAnswer } from "./verify/extract.ts";
import { type AnswerParams, judgeAnswer } from "./verify/judge.ts";

export interface AuditOptions {
  readonly files: readonly string[];
  readonly judge: JudgeParams;
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
  /** Rows that were not asked about, and rows whose question got no answer. */
  readonly notAsked: number;
  readonly numFailed: number;
  /** The first five. */
  readonly failures: readonly string[];
  /** Of the rows that were asked about. */
  readonly table: RuleJudgeTable;
  readonly labelled?: { readonly rule: Confusion; readonly judge: Confusion; readonly rescue: Confusion } | undefined;
  readonly cost: JudgeStats;
}

interface Row {
  readonly where: string;
  readonly columns: Readonly<Record<string, unknown>>;
  readonly completion: string;
  readonly answer: string | null;
  /** null: its question got no answer. */
  readonly decision: Decision | null;
  readonly failure: string | null;
}

/** Throws RecipeError for rows that are no completions; BudgetSpent and JudgeAlarm end the audit. */
export async function auditJudge(options: AuditOptions): Promise<JudgeAudit> {
  const judge = openJudge("judge", options.judge);
  try {
    const rows = await decideAll(options, judge);
    if (options.output !== undefined) await writeFileAtomic(options.output, rows.map(verdictLine).join(""));
    return reportOf(rows, options, judge.stats);
  } finally {
    await judge.close();
  }
}

async function decideAll(options: AuditOptions, judge: Judge): Promise<Row[]> {
  const { files, limit = Number.POSITIVE_INFINITY } = options;
  const rows: Row[] = [];
  // A question's deadline counts from asking: no more are asked at once than may be in flight.
  let batch: Promise<Row>[] = [];
  const settle = async () => {
    rows.push(...(await Promise.all(batch)));
    batch = [];
  };
  for (const file of files) {
    for await (const read of readRows(file)) {
      if (rows.length + batch.length >= limit) break;
      if ("fault" in read) throw new RecipeError(`${read.where}: ${read.fault}.`);
      batch.push(decideRow(read.where, read.row, options, judge));
      if (batch.length >= options.judge.concurrency) await settle();
    }
  }
  await settle();
  if (rows.length === 0) throw new RecipeError(`Expected completions in ${files.join(", ")}, got no rows.`);
  return rows;
}

function reportOf(
  rows: readonly Row[],
  { numSamples = 10, seed = 0, label }: AuditOptions,
  cost: JudgeStats,
): JudgeAudit {
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
    notAsked: rows.filter(({ decision }) => decision !== null && decision.judge === null).length,
    numFailed: failures.length,
    failures: failures.slice(0, 5),
    table: compareRuleAndJudge(compared, { numSamples, seed }),
    labelled: label === undefined ? undefined : labelled(rows, label),
    cost,
  };
}

async function decideRow(
  where: string,
  columns: Readonly<Record<string, unknown>>,
  { answer: how, rescue }: AuditOptions,
  judge: Judge,
): Promise<Row> {
  const { completion, answer: gold = null, question, prompt, prefill = "", finishReason = "stop" } = columns;
  if (typeof completion !== "string") throw new RecipeError(`${where}: expected "completion" to be text.`);
  const answer = typeof gold === "number" ? String(gold) : typeof gold === "string" ? gold : null;
  const response = `${typeof prefill === "string" ? prefill : ""}${completion}`;
  const text = how.from === "whole" ? completion : response;
  const rule = judgeAnswer(text, { answer, fields: columns }, how);
  const extracted = extractAnswer(text, how.from);
  const isComplete = finishReason === "stop" && extracted !== null && extracted !== "";
  const canAsk = answer !== null && answer.trim() !== "" && (isComplete || !rescue);
  const asked = [question, prompt].find((value) => typeof value === "string");
  const judged = { question: asked ?? "", reference: answer ?? "", solution: summaryOf(response) };
  const row = { where, columns, completion, answer };
  try {
    return { ...row, decision: await decide(rule, canAsk, judged, { judge, judgeAll: !rescue }), failure: null };
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
