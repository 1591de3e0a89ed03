/** Rule first, judge as rescue: every combination of what the two say, and the table of both. */
import { describe, expect, it } from "vitest";
import { decide } from "../../src/judge/after-rule.ts";
import { Endpoint } from "../../src/judge/endpoint.ts";
import { Judge } from "../../src/judge/judge.ts";
import type { JudgeVerdict } from "../../src/judge/protocol.ts";
import { type ComparedRow, compareRuleAndJudge, describeTable } from "../../src/judge/table.ts";
import type { Verdict } from "../../src/verify/judge.ts";
import { type ScriptedServer, scriptedServer } from "./scripted-server.ts";

const WORDS: Readonly<Record<JudgeVerdict, string>> = { right: "EQUIVALENT", wrong: "DIFFERENT", unknown: "AMBIGUOUS" };
const judged = { question: "Q", reference: "5", solution: "five" };

function judgeAt(server: ScriptedServer): Judge {
  const endpoint = new Endpoint({ name: "judge", url: server.url, model: "m" });
  return new Judge({ endpoint, protocol: "open-r1", controlEvery: 0 });
}

describe("decide", () => {
  const rows: readonly [Verdict | null, JudgeVerdict, JudgeVerdict, boolean, number][] = [
    // rule, judge -> verdict, rescued, questions
    ["right", "wrong", "right", false, 0],
    ["wrong", "right", "right", true, 1],
    ["wrong", "wrong", "wrong", false, 1],
    ["wrong", "unknown", "unknown", false, 1],
    ["unparseable", "right", "right", true, 1],
    ["unparseable", "wrong", "wrong", false, 1],
    [null, "right", "right", false, 1],
    [null, "wrong", "wrong", false, 1],
  ];
  it.each(rows)("rule %s, judge %s -> %s", async (rule, said, verdict, rescued, numQuestions) => {
    await using server = await scriptedServer(() => `Verdict: ${WORDS[said]}`);
    expect(await decide(rule, true, judged, { judge: judgeAt(server) })).toMatchObject({ verdict, rescued, rule });
    expect(server.requests).toHaveLength(numQuestions);
  });

  it("where nothing can be rescued the rule's word stands, unasked", async () => {
    await using server = await scriptedServer(() => "Verdict: EQUIVALENT");
    const judge = judgeAt(server);
    expect((await decide("wrong", false, judged, { judge })).verdict).toBe("wrong");
    expect((await decide("right", false, judged, { judge })).verdict).toBe("right");
    expect((await decide(null, false, judged, { judge })).verdict).toBe("unknown");
    expect(server.requests).toHaveLength(0);
  });

  it("judgeAll asks about what the rule accepted, and changes nothing", async () => {
    await using server = await scriptedServer(() => "Verdict: DIFFERENT");
    const decision = await decide("right", true, judged, { judge: judgeAt(server), judgeAll: true });
    expect(decision).toMatchObject({
      verdict: "right",
      rule: "right",
      judge: "wrong",
      confirmed: null,
      rescued: false,
    });
    expect(decision.reply).toBe("Verdict: DIFFERENT");
  });

  it("a second judge decides about rescues, and about nothing else", async () => {
    for (const [first, second, verdict, numAsked] of [
      ["right", "right", "right", 1],
      ["right", "wrong", "wrong", 1],
      ["right", "unknown", "unknown", 1],
      ["wrong", "right", "wrong", 0],
    ] as const) {
      await using cheap = await scriptedServer(() => `Verdict: ${WORDS[first]}`);
      await using careful = await scriptedServer(() => `Verdict: ${WORDS[second]}`);
      const options = { judge: judgeAt(cheap), second: judgeAt(careful) };
      const decision = await decide("wrong", true, judged, options);
      expect([decision.verdict, decision.rescued]).toEqual([verdict, verdict === "right"]);
      expect(careful.requests).toHaveLength(numAsked);
    }
  });
});

describe("compareRuleAndJudge", () => {
  const row = (rule: Verdict | null, judge: JudgeVerdict, index: number): ComparedRow => ({
    where: `f:${index}`,
    rule,
    judge,
    solution: "s",
    reference: "r",
    reply: null,
  });
  const counts: readonly [Verdict | null, JudgeVerdict, number][] = [
    ["right", "right", 50],
    ["right", "wrong", 3],
    ["right", "unknown", 2],
    ["wrong", "right", 12],
    ["unparseable", "right", 4],
    ["wrong", "wrong", 20],
    ["unparseable", "unknown", 5],
    [null, "right", 4],
  ];
  const rows = counts.flatMap(([rule, judge, count]) => Array.from({ length: count }, () => [rule, judge] as const));
  const table = compareRuleAndJudge(
    rows.map(([rule, judge], index) => row(rule, judge, index)),
    { numSamples: 5, seed: 3 },
  );

  it("counts every row once", () => {
    expect(table).toMatchObject({
      numRows: 100,
      ruleRight: { right: 50, wrong: 3, unknown: 2 },
      ruleWrong: { right: 16, wrong: 20, unknown: 5 },
      ruleSilent: { right: 4, wrong: 0, unknown: 0 },
    });
  });

  it("yields and agreement by hand", () => {
    // 55 of 100 by the rule, 50 + 16 + 4 by the judge, 55 + 16 + 4 by either; 70 of 89 decided by both agree.
    expect([table.ruleYield, table.judgeYield, table.rescueYield]).toEqual([0.55, 0.7, 0.75]);
    expect(table.agreement).toBeCloseTo(70 / 89, 12);
  });

  it("samples disagreements alone, the same for the same seed", () => {
    expect(table.disagreements).toHaveLength(5);
    for (const { rule, judge } of table.disagreements) expect((rule === "right") !== (judge === "right")).toBe(true);
    const again = (seed: number) =>
      compareRuleAndJudge(
        rows.map(([rule, judge], index) => row(rule, judge, index)),
        { numSamples: 5, seed },
      ).disagreements.map(({ where }) => where);
    expect(again(3)).toEqual(table.disagreements.map(({ where }) => where));
    expect(again(4)).not.toEqual(again(3));
    expect(compareRuleAndJudge([row("wrong", "right", 0)], { numSamples: 5 }).disagreements).toHaveLength(1);
  });

  it("without rows there are no shares", () => {
    expect(compareRuleAndJudge([])).toMatchObject({ numRows: 0, ruleYield: null, agreement: null });
    expect(describeTable(compareRuleAndJudge([]))).toContain("kept by the rule none");
  });

  it("reads as a table", () => {
    expect(describeTable(table)).toContain("rule wrong                        16            20             5");
  });
});
