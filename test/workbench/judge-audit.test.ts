/** Rule against judge over files: the sums, the table, the errors by label, and what a second run costs. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { judgeParams } from "../../src/judge/params.ts";
import { answerParams } from "../../src/verify/judge.ts";
import { auditJudge } from "../../src/workbench/judge-audit.ts";
import { grouper } from "../cli/grouper.ts";
import { type AskedRequest, type ScriptedReply, scriptedServer } from "../judge/scripted-server.ts";

const folder = mkdtempSync(join(tmpdir(), "grouper-audit-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** 120 rows in fours: right as written; right in another form; wrong; wrong too. Row i has the answer i. */
const ROWS = Array.from({ length: 120 }, (_, i) => {
  const said = [`${i}`, `${i}.0`, `${i + 1}`, `${i + 2}`][i % 4]!;
  return { completion: `So \\boxed{${said}}`, answer: String(i), question: `Q${i}?`, correct: i % 4 < 2 };
});
const data = join(folder, "rows.jsonl");
writeFileSync(data, ROWS.map((row) => `${JSON.stringify(row)}\n`).join(""));

/** Right but for 10 rows of the last kind that it accepts and 6 of the second that it cannot tell. Controls are wrong to it. */
function script({ user }: AskedRequest): ScriptedReply {
  const i = Number(/Q(\d+)\?/.exec(user)![1]);
  if (!/boxed\{\d/.test(user)) return "Verdict: DIFFERENT";
  if (i % 20 === 5) return "Verdict: AMBIGUOUS";
  return `Verdict: ${i % 4 < 2 || i % 12 === 3 ? "EQUIVALENT" : "DIFFERENT"}`;
}

const options = (url: string, cache: string | false, rescue = false) => ({
  files: [data],
  judge: judgeParams.parse({ url, model: "m", cache, retrySeconds: 0.01 }),
  answer: answerParams.parse({ method: "exact", from: "boxed" }),
  rescue,
  label: "correct",
});

describe("auditJudge", () => {
  it("counts every row once: kept, rescued, dropped; table and errors by hand", async () => {
    await using server = await scriptedServer(script);
    const audit = await auditJudge(options(server.url, false));
    expect(audit).toMatchObject({
      numRows: 120,
      keptByRule: 30,
      rescued: 24 + 10,
      dropped: 56,
      problems: { all: 120, kept: 30, rescued: 34 },
      notAsked: 0,
      numFailed: 0,
    });
    expect(audit.table).toMatchObject({
      ruleRight: { right: 30, wrong: 0, unknown: 0 },
      ruleWrong: { right: 34, wrong: 50, unknown: 6 },
      rescueYield: 64 / 120,
    });
    expect(audit.table.disagreements).toHaveLength(10);
    expect(audit.labelled).toEqual({
      rule: { truePositives: 30, falsePositives: 0, trueNegatives: 60, falseNegatives: 30, undecided: 0 },
      judge: { truePositives: 54, falsePositives: 10, trueNegatives: 50, falseNegatives: 0, undecided: 6 },
      rescue: { truePositives: 54, falsePositives: 10, trueNegatives: 50, falseNegatives: 0, undecided: 6 },
    });
  });

  it("rescue asks about what the rule rejects alone; a second run asks nothing and says the same", async () => {
    await using server = await scriptedServer(script);
    const output = join(folder, "verdicts.jsonl");
    const first = await auditJudge({ ...options(server.url, join(folder, "cache"), true), output });
    expect(first).toMatchObject({ keptByRule: 30, rescued: 34, dropped: 56, notAsked: 30 });
    expect(server.requests).toHaveLength(90 + first.cost.numControls);
    const numBefore = server.requests.length;
    const again = await auditJudge(options(server.url, join(folder, "cache"), true));
    expect(server.requests).toHaveLength(numBefore);
    expect({ ...again, cost: null }).toEqual({ ...first, cost: null });
    expect(again.cost).toMatchObject({ numCached: 90, numRequests: 0 });
    const lines = readFileSync(output, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines).toHaveLength(120);
    expect(lines[1]).toMatchObject({ answer: "1", verdict: { rule: "wrong", judge: "right", rescued: true } });
  });

  it("questions without an answer are counted and named, and are no verdicts", async () => {
    await using server = await scriptedServer((request) =>
      request.user.includes("Q7?") ? { status: 400 } : script(request),
    );
    const audit = await auditJudge(options(server.url, false));
    expect(audit).toMatchObject({ numFailed: 1, dropped: 56 });
    expect(audit.failures[0]).toMatch(/rows\.jsonl:8: judge \(m at .*after 1 try: 400/);
  });

  it("problems are counted once, as kept where any answer is kept, and only else as rescued", async () => {
    await using server = await scriptedServer(({ user }) =>
      /boxed\{\d/.test(user) && user.includes(".0") ? "Verdict: EQUIVALENT" : "Verdict: DIFFERENT",
    );
    const file = join(folder, "problems.jsonl");
    const row = (question: string, said: string) =>
      `${JSON.stringify({ completion: `\\boxed{${said}}`, answer: "5", question })}\n`;
    // Kept and rescued; rescued twice; neither; kept after wrong.
    const rows = [
      ["a", "5.0"],
      ["a", "5"],
      ["b", "5.0"],
      ["b", "5.00"],
      ["b", "6"],
      ["c", "7"],
      ["d", "8"],
      ["d", "5"],
    ] as const;
    writeFileSync(file, rows.map(([question, said]) => row(question, said)).join(""));
    const audit = await auditJudge({ ...options(server.url, false, true), files: [file], label: undefined });
    expect(audit.problems).toEqual({ all: 4, kept: 2, rescued: 1 });
    expect(audit).toMatchObject({ numRows: 8, keptByRule: 2, rescued: 3, dropped: 3 });
  });

  it("a second judge confirms: its word stands where rule and judge differ, and the errors are counted by the label", async () => {
    await using cheap = await scriptedServer(script);
    // Thinks first, and knows: the rows that are right are those of the first two kinds.
    await using thinking = await scriptedServer(({ user }) => {
      const i = Number(/Q(\d+)\?/.exec(user)![1]);
      if (!/boxed\{\d/.test(user)) return "Nothing is said.\nNO";
      return i === 1 ? "I cannot tell." : `Both are numbers.\n${i % 4 < 2 ? "YES" : "NO"}`;
    });
    const params = { url: thinking.url, model: "t", cache: false, protocol: "seed-thinking", retrySeconds: 0.01 };
    const audit = await auditJudge({ ...options(cheap.url, false), second: judgeParams.parse(params) });
    // Asked about the 34 rescues alone, of which 10 are refused and row 1 is unknown, after it was asked twice.
    expect(audit.secondCost!.numQuestions).toBe(34);
    expect(thinking.requests).toHaveLength(34 + 1 + audit.secondCost!.numControls);
    expect(audit).toMatchObject({ keptByRule: 30, rescued: 23, dropped: 67 });
    expect(audit.labelled!.rescue).toEqual({
      truePositives: 53,
      falsePositives: 0,
      trueNegatives: 60,
      falseNegatives: 0,
      undecided: 7,
    });
  });

  it("what a judge fails to say about an answer that the rule keeps changes nothing but the count", async () => {
    await using server = await scriptedServer((request) =>
      request.user.includes("Q4?") ? { status: 400 } : script(request),
    );
    const audit = await auditJudge(options(server.url, false));
    expect(audit).toMatchObject({ keptByRule: 30, rescued: 34, numFailed: 1, notAsked: 0 });
    expect(audit.table.numRows).toBe(119);
  });

  it("a judge that never answers ends it, before every row has waited for it", async () => {
    await using server = await scriptedServer(() => ({ status: 400, message: "no such model" }));
    const { judge, ...rest } = options(server.url, false);
    await expect(auditJudge({ ...rest, judge: { ...judge, concurrency: 4 } })).rejects.toThrow(
      /^Expected answers of the judge, got none to (16|17|18|19) questions: judge \(m at .*400: no such model/,
    );
    expect(server.requests.length).toBeLessThan(100);
    await expect(auditJudge({ ...options(server.url, false), limit: 3 })).rejects.toThrow("got none to 3 questions");
    // Nobody was asked, so nobody failed to answer.
    const unasked = await auditJudge({ ...options(server.url, false, true), limit: 1 });
    expect(unasked).toMatchObject({ keptByRule: 1, notAsked: 1, numFailed: 0 });
  });

  it("the last replies are vouched for by a control; why one could not be made is said", async () => {
    await using server = await scriptedServer(script);
    const budget = (maxRequests: number) => ({ ledger: join(folder, `ledger-${maxRequests}`), maxRequests });
    const run = async (params: object) => {
      const { judge, ...rest } = options(server.url, false);
      return auditJudge({ ...rest, judge: { ...judge, ...params } });
    };
    const whole = await run({});
    expect(whole.unproven).toBeUndefined();
    const { numRequests, numControls } = whole.cost;
    expect(numRequests).toBe(120 + numControls);
    // Three requests fewer: the last control is not paid for.
    const cut = await run({ budget: budget(numRequests - 3) });
    expect(cut.unproven).toMatch(/budget of \d+ requests is spent/);
    expect({ ...cut, cost: null, unproven: undefined }).toEqual({ ...whole, cost: null });
  });

  it("a judge that turns out to be fooled at the end ends the audit", async () => {
    let numControls = 0;
    await using server = await scriptedServer((request) => {
      const isControl = !/boxed\{\d/.test(request.user);
      return isControl && ++numControls > 3 ? "Verdict: EQUIVALENT" : script(request);
    });
    const { judge, ...rest } = options(server.url, join(folder, "fooled"));
    const output = join(folder, "never.jsonl");
    await expect(auditJudge({ ...rest, judge: { ...judge, controlEvery: 1000 }, output })).rejects.toThrow(
      "accepted the solution",
    );
    expect(existsSync(output)).toBe(false);
    // Its replies have left the cache, and the alarm stays.
    expect(
      readdirSync(join(folder, "fooled"), { recursive: true, encoding: "utf8" }).filter((f) => f.endsWith(".json")),
    ).toEqual([]);
    await expect(auditJudge({ ...rest, judge: { ...judge, controlEvery: 1000 } })).rejects.toThrow(
      "To try this one again, delete",
    );
  });
});

describe("grouper judge", () => {
  it("prints the table; a judge that accepts nothing at all ends it with one sentence", async () => {
    await using server = await scriptedServer(script);
    const at = (url: string) => [
      "judge",
      "--data",
      data,
      "--url",
      url,
      "--model",
      "m",
      "--from",
      "boxed",
      "--params",
      "{cache: false}",
    ];
    const { code, stdout, stderr } = await grouper([...at(server.url), "--samples", "2", "--label", "correct"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(
      /^120 rows: 30 kept by the rule, 34 rescued, 56 dropped; 0 not asked about, 0 without an answer\n/,
    );
    expect(stdout).toMatch(/^120 problems: 30 with a kept answer, 34 with a rescued one alone$/m);
    expect(stdout).toMatch(/^rule wrong +34 +50 +6$/m);
    expect(stdout.match(/rows\.jsonl:\d+: rule wrong, judge right/g)).toHaveLength(2);
    await using fooled = await scriptedServer(() => "Verdict: EQUIVALENT");
    const alarm = await grouper(at(fooled.url));
    expect(alarm.code).toBe(1);
    expect(alarm.stderr).toMatch(/^Judging stopped: judge .* accepted the solution ":"/);
    const wrong = await grouper([...at(server.url).slice(0, -1), "{protocl: r1}"]);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(/protocl/);
  });
});
