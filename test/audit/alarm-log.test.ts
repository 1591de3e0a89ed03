/** audit.jsonl: alarms of stages side by side, cut where a run goes back to. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cutAlarms, logAlarms } from "../../src/audit/alarm-log.ts";
import type { Alarm, AuditedCompletion } from "../../src/audit/audit.ts";

let run: string;
beforeEach(() => {
  run = mkdtempSync(join(tmpdir(), "grouper-alarms-"));
});
afterEach(() => rmSync(run, { recursive: true, force: true }));

const suspect: AuditedCompletion = {
  ...{
    step: 7,
    group: 2,
    index: 1,
    promptId: "p",
    prompt: "How many?",
    answer: "7",
    numTokens: 9,
    finishReason: "stop",
  },
  ...{ response: `a${"b".repeat(2000)}c`, total: 1, components: { accuracy: 1 }, primary: 1, shadows: {} },
};
const alarm: Alarm = { name: "repeated-text", message: "It repeats.", examples: [{ suspect, control: null }] };
const lines = () =>
  readFileSync(join(run, "audit.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("audit.jsonl", () => {
  it("has a line for each alarm, with begin and end of the texts and the place in the rollout log", async () => {
    await logAlarms(run, "rl", 7, [alarm]);
    const [{ examples, ...rest }] = lines();
    expect(rest).toEqual({ stage: "rl", step: 7, alarm: "repeated-text", message: "It repeats." });
    expect(examples[0].control).toBeNull();
    expect(examples[0].suspect).toMatchObject({ step: 7, group: 2, index: 1, promptId: "p", answer: "7", total: 1 });
    expect(examples[0].suspect.response).toMatch(/^ab{299} … b{499}c$/);
    expect(readdirSync(run)).toEqual(["audit.jsonl"]);
  });

  it("is not there without an alarm", async () => {
    await logAlarms(run, "rl", 7, []);
    await cutAlarms(run, "rl", 3);
    expect(readdirSync(run)).toEqual([]);
  });

  it("loses what one stage wrote beyond a step, and nothing of another", async () => {
    for (const [stage, step] of [
      ["first", 90],
      ["second", 5],
      ["second", 6],
      ["second", 7],
    ] as const)
      await logAlarms(run, stage, step, [alarm]);
    await cutAlarms(run, "second", 6);
    expect(lines().map(({ stage, step }) => `${stage} ${step}`)).toEqual(["first 90", "second 5", "second 6"]);
    await cutAlarms(run, "second", 0);
    expect(lines().map(({ stage, step }) => `${stage} ${step}`)).toEqual(["first 90"]);
  });

  it("that somebody else wrote is refused with its line", async () => {
    writeFileSync(join(run, "audit.jsonl"), '{"stage":"rl","step":3}\nnotes of mine\n');
    await expect(cutAlarms(run, "rl", 6)).rejects.toThrow(
      /^Expected an alarm in line 2 of .*audit\.jsonl, got notes of mine\. Move the file away, then resume\.$/,
    );
  });
});
