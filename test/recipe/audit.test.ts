/** The keys of an rl stage's audit: on by default, held-out rewards without a weight, and what the plan says of them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { runCheck } from "../../src/cli/check.ts";
import { parseRecipe } from "../../src/recipe/load.ts";
import { planOf } from "../../src/recipe/plan.ts";
import { primaryReward } from "../../src/recipe/primary.ts";
import type { RlStage } from "../../src/recipe/schema.ts";

const work = mkdtempSync(join(tmpdir(), "grouper-audit-recipe-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const text = (rewards: string, audit: string) => `name: watched
model:
  init: { hiddenSize: 16, intermediateSize: 32, numHiddenLayers: 1, numAttentionHeads: 2 }
  tokenizer: { characters: "0123456789+= " }
stage:
  type: rl
  data: { type: task, task: arithmetic, size: 20 }
  rewards: { functions: [${rewards}] }
  algorithm: { type: grpo }
  rollout: { promptsPerStep: 4, groupSize: 4, sampling: { maxTokens: 16 } }
  steps: 10
  optimizer: { learningRate: 1e-3 }
  audit: ${audit}
`;
const parsed = (audit: string, rewards = "accuracy, format") =>
  parseRecipe(text(rewards, audit), { label: "watched.yaml", dir: "/r", workingDir: "/w" }).recipe;
const rl = (audit: string, rewards?: string) => parsed(audit, rewards).stages[0] as RlStage;

describe("audit", () => {
  it("is on without a word, and off when told", () => {
    expect(rl("{}").audit).toMatchObject({ enabled: true, shadow: [], samplesPerStep: 64, windowSteps: 30 });
    expect(rl("{ enabled: false }").audit.enabled).toBe(false);
  });

  it("resolves files of held-out rewards against the recipe", () => {
    expect(rl("{ shadow: [format, { file: rewards/mine.ts }] }").audit.shadow).toEqual([
      "format",
      { file: "/r/rewards/mine.ts", params: {} },
    ]);
  });

  it.each([
    ["{ shadow: [{ name: accuracy, weight: 1 }] }", /audit\.shadow\.0.*weight/],
    ["{ shadow: [{ as: nameless }] }", /expected name or file/],
    [
      "{ shadow: [accuracy, { name: accuracy, params: { method: math } }] }",
      /shadow\.1: expected rewards with different names, got accuracy twice/,
    ],
    [
      "{ primary: acuracy }",
      /audit\.primary: expected the name of a reward of this stage \(accuracy, format\), got acuracy; did you mean accuracy\?/,
    ],
    ["{ windowSteps: 9 }", /audit\.windowSteps/],
  ])("refuses %s", (audit, message) => {
    expect(() => parsed(audit)).toThrow(message);
  });

  it("is about accuracy, by its name in the run; without one about the reward of most weight, or the one that it names", () => {
    expect(primaryReward(rl("{}", "{ name: format, weight: 5 }, { name: accuracy, as: right }"))).toBe("right");
    expect(primaryReward(rl("{}", "{ name: accuracy, weight: 0 }, { name: format, weight: 2 }, tag-count"))).toBe(
      "format",
    );
    expect(primaryReward(rl("{ primary: format }"))).toBe("format");
  });

  it("is in the plan: what is looked at, what is held out, or that nothing watches", () => {
    const sentence = (audit: string) => planOf(parsed(audit), null).stages[0]!.audit;
    expect(sentence("{ samplesPerStep: 8, shadow: [{ name: accuracy, as: strict }] }")).toBe(
      "The audit looks for signs of reward hacking in 8 completions of each step, and compares the held-out strict with accuracy.",
    );
    expect(sentence("{}")).toContain("with no held-out reward beside accuracy");
    expect(sentence("{ enabled: false }")).toBe("The audit is off: nothing watches for reward hacking.");
  });

  it("`check` loads held-out rewards, so that a wrong name is told before a run", async () => {
    const file = join(work, "watched.yaml");
    writeFileSync(file, text("accuracy", "{ shadow: [acuracy] }"));
    const args = { recipe: file, set: [], json: false };
    await expect(runCheck(args, () => undefined)).rejects.toThrow(/acuracy/);
    let printed = "";
    await runCheck({ ...args, set: ["stage.audit.shadow=[accuracy]"] }, (part) => {
      printed += part;
    });
    expect(printed).toContain("# rl: The audit looks for signs of reward hacking in 64 completions");
  });
});
