/**
 * Rule against judge on the same solutions: the table, what each would keep, and disagreements to read.
 *
 *              judge right   judge wrong   judge unknown
 *   rule right      a             b              e
 *   rule wrong      c             d              f
 *
 * b are the judge's losses or the rule's false positives, c the rescues or the judge's false positives: only reading tells which.
 * Agreement is (a + d) / (a + b + c + d); yields are shares of all solutions that were given to both.
 */
import { createRandom, seedFrom } from "../random.ts";
import type { Verdict } from "../verify/judge.ts";
import type { JudgeVerdict } from "./protocol.ts";

/** One solution that both have looked at. */
export interface ComparedRow {
  /** E.g. "traces.jsonl:17". */
  readonly where: string;
  /** null: the rule cannot read the reference. */
  readonly rule: Verdict | null;
  readonly judge: JudgeVerdict;
  readonly solution: string;
  readonly reference: string;
  /** What the judge wrote. */
  readonly reply: string | null;
}

type Counts = Readonly<Record<JudgeVerdict, number>>;

export interface RuleJudgeTable {
  readonly numRows: number;
  readonly ruleRight: Counts;
  /** Wrong, or without an answer that the rule can read. */
  readonly ruleWrong: Counts;
  /** The rule cannot read the reference. */
  readonly ruleSilent: Counts;
  /** Shares of all rows; null without rows. */
  readonly ruleYield: number | null;
  readonly judgeYield: number | null;
  /** Kept by the rule, or rescued by the judge. */
  readonly rescueYield: number | null;
  /** Of the rows on which both decided; null where there is none. */
  readonly agreement: number | null;
  /** A seeded sample of the rows on which they differ, in their order. */
  readonly disagreements: readonly ComparedRow[];
}

export function compareRuleAndJudge(
  rows: readonly ComparedRow[],
  { numSamples = 10, seed = 0 }: { readonly numSamples?: number; readonly seed?: number } = {},
): RuleJudgeTable {
  const count = (kept: readonly ComparedRow[]): Counts => ({
    right: kept.filter(({ judge }) => judge === "right").length,
    wrong: kept.filter(({ judge }) => judge === "wrong").length,
    unknown: kept.filter(({ judge }) => judge === "unknown").length,
  });
  const ruleRight = count(rows.filter(({ rule }) => rule === "right"));
  const ruleWrong = count(rows.filter(({ rule }) => rule === "wrong" || rule === "unparseable"));
  const ruleSilent = count(rows.filter(({ rule }) => rule === null));
  const share = (part: number, whole: number) => (whole === 0 ? null : part / whole);
  const numRuleRight = ruleRight.right + ruleRight.wrong + ruleRight.unknown;
  const numAgreed = ruleRight.right + ruleWrong.wrong;
  const numDecided = numAgreed + ruleRight.wrong + ruleWrong.right;
  return {
    numRows: rows.length,
    ruleRight,
    ruleWrong,
    ruleSilent,
    ruleYield: share(numRuleRight, rows.length),
    judgeYield: share(ruleRight.right + ruleWrong.right + ruleSilent.right, rows.length),
    rescueYield: share(numRuleRight + ruleWrong.right + ruleSilent.right, rows.length),
    agreement: share(numAgreed, numDecided),
    disagreements: sampleRows(rows.filter(differs), numSamples, seed),
  };
}

function differs({ rule, judge }: ComparedRow): boolean {
  return rule !== null && judge !== "unknown" && (rule === "right") !== (judge === "right");
}

/** `count` of the rows, all equally likely, in their order. */
function sampleRows(rows: readonly ComparedRow[], count: number, seed: number): ComparedRow[] {
  const random = createRandom(seedFrom(seed, "disagreements"));
  const chosen: ComparedRow[] = [];
  for (const [index, row] of rows.entries()) {
    if (random.below(rows.length - index) < count - chosen.length) chosen.push(row);
  }
  return chosen;
}

/** The table as text, a line per row. */
export function describeTable(table: RuleJudgeTable): string {
  const percent = (value: number | null) => (value === null ? "none" : `${(100 * value).toFixed(1)} %`);
  const line = (name: string, { right, wrong, unknown }: Counts) =>
    `${name.padEnd(22)}${[right, wrong, unknown].map((value) => String(value).padStart(14)).join("")}`;
  return [
    `${"".padEnd(22)}${["judge right", "judge wrong", "judge unknown"].map((name) => name.padStart(14)).join("")}`,
    line("rule right", table.ruleRight),
    line("rule wrong", table.ruleWrong),
    line("reference unreadable", table.ruleSilent),
    "",
    `kept by the rule ${percent(table.ruleYield)}, by the judge ${percent(table.judgeYield)}, by the rule or rescued ${percent(table.rescueYield)}; ` +
      `agreement ${percent(table.agreement)} where both decided`,
  ].join("\n");
}
