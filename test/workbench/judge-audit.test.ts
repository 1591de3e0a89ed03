/** Rule against judge over files: the sums, the table, the errors by label, and what a second run costs. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
