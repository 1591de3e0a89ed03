/** What counts as a verdict and what does not, protocol by protocol; traps of mission.md Appendix C (15) among them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { escapeJudged } from "../../src/judge/escape.ts";
import { fillTemplate } from "../../src/judge/protocol.ts";
import { PROTOCOL_NAMES, PROTOCOLS, type ProtocolName } from "../../src/judge/protocols.ts";
import { readKey } from "../../src/judge/read-verdict.ts";
import { cpuMs } from "../cpu-time.ts";

const TABLE: Readonly<Record<ProtocolName, readonly (readonly [string, string | null])[]>> = {
  "open-r1": [
    ["Both are 5.\nVerdict: EQUIVALENT", "right"],
    ["Both are 5.\n\n**Verdict: EQUIVALENT**\n", "right"],
    ['- "Verdict: DIFFERENT".', "wrong"],
    ["**Verdict:** AMBIGUOUS", "unknown"],
    ["verdict： equivalent", "right"],
    ["<think>Verdict: EQUIVALENT</think>\nVerdict: DIFFERENT", "wrong"],
    // The word inside the explanation, and a verdict that is taken back.
    ["I would say Verdict: EQUIVALENT at first sight.\nVerdict: DIFFERENT", "wrong"],
    ["Verdict: EQUIVALENT\nWait, 5 is not 6.\nVerdict: DIFFERENT", "wrong"],
    ["I would say Verdict: EQUIVALENT at first sight, but no.", null],
    // The last line that is meant to be the verdict decides alone.
    ["Verdict: EQUIVALENT\nVerdict: NOT EQUIVALENT", null],
    ["Verdict: EQUIVALENT or DIFFERENT", null],
    ["The answers are EQUIVALENT.", null],
    ["Verdict", null],
    ["Verdict: constructor", null],
    ["<think>Verdict: EQUIVALENT", null],
    ["<think>hm\nVerdict: EQUIVALENT", null],
    ["", null],
    // Somebody else's words: a quotation, a label that is put together from pieces.
    ["Verdict: DIFFERENT\n> Verdict: EQUIVALENT", "wrong"],
    ["> Verdict: EQUIVALENT", null],
    ["Ver*dict: EQUIVALENT", null],
    ["Not the Verdict: EQUIVALENT", null],
    // Verdicts in thinking of other kinds, and a judge that went on with the next turn.
    ["[THINK]Verdict: EQUIVALENT[/THINK]", null],
    ["◁think▷hm\nVerdict: EQUIVALENT◁/think▷\nVerdict: DIFFERENT", "wrong"],
    ["<thinking>\nVerdict: EQUIVALENT", null],
    ["Verdict: DIFFERENT<|im_end|>\n<|im_start|>assistant\nVerdict: EQUIVALENT", null],
    ["<|channel|>analysis<|message|>hm\nVerdict: EQUIVALENT", null],
    ["I'm sorry, but I can't help with that.", null],
  ],
  "open-r1-chinese": [
    ["两者都是 5。\n结果: 一样", "right"],
    ["两者不同。\n结果：不一样。", "wrong"],
    ["**结果: “不确定”**", "unknown"],
    ["结果: 一样\n再想一下。\n结果: 不一样", "wrong"],
    ["两个答案一样。", null],
    ["结果: 不 一样", null],
  ],
  openthoughts: [
    ['{"reasoning": "same", "correct": true}', "right"],
    ['```json\n{"correct": false, "reasoning": "5 is not 6"}\n```', "wrong"],
    ['Here it is: {"reasoning": "it said {\\"correct\\": true} itself", "correct": false}. Done.', "wrong"],
    ['{"correct": "true"}', null],
    ['{"reasoning": "same", "correct": tr', null],
    ['{"correct": true}\n{"correct": true}', "right"],
    // Two answers, in two objects or under one key; and objects inside something that is not whole.
    ['{"correct": false}\n{"correct": true}', null],
    ['{"correct": false, "correct": true}', null],
    ['{"reasoning": "it wrote {"correct": true} itself", "correct": false', null],
    ['{"reasoning": "it wrote "{"correct": true}" itself", "correct": false}', null],
    ['{"verdict": {"correct": true}}', null],
    ['{"correct": null}', null],
    ['{"Correct": true}', null],
    ["{correct: true}", null],
    ['The set {1, 2} it is. {"correct": true}', "right"],
    ["true", null],
  ],
  r1: [
    ['{"analysis": "a", "correctness": "correct"}', "right"],
    ['{"analysis": "not correct", "correctness": "incorrect"}', "wrong"],
    ['{"analysis": "a", "correctness": "maybe"}', "unknown"],
    ['{"analysis": "correct"}', null],
  ],
  deepscaler: [
    ["[[YES]]", "right"],
    ["They differ. [[NO]]", "wrong"],
    ["I was told to write [[YES]], but: [[NO]]", "wrong"],
    ["[[MAYBE]]", null],
    ["[[YES]]? No: [[UNDECIDED]]", null],
    ["The matrix is [[2]], so [[YES]]; [[2]]", "right"],
    ["YES", null],
  ],
  seed: [
    ["YES", "right"],
    ["**No.**", "wrong"],
    ["YES and NO", null],
    ["I think so", null],
    ["NO\nYES", null],
    ["<think>NO</think>\nYES.", "right"],
  ],
  "seed-thinking": [
    ["2^19 = 524288, so they agree.\n\nYES", "right"],
    ["YES at first sight.\nThe sign differs.\nNO", "wrong"],
    ["YES\nbut I am not sure", null],
  ],
};

describe.each(PROTOCOL_NAMES)("%s", (name) => {
  it.each(TABLE[name])("%j -> %s", (reply, verdict) => {
    expect(PROTOCOLS[name].read(reply)).toBe(verdict);
  });

  it("names question, reference and solution in their places (openthoughts: without the question)", () => {
    const filled = fillTemplate(PROTOCOLS[name].prompt, { question: "Q?", reference: "R!", solution: "S." });
    expect([filled.includes("Q?"), filled.includes("R!"), filled.includes("S.")]).toEqual([
      name !== "openthoughts",
      true,
      true,
    ]);
    expect(filled).not.toMatch(/\{(question|reference|solution)\}/);
  });
});

it("a value is not searched for places, nor for patterns of replace", () => {
  const values = { question: "{solution} $& {toString}", solution: "S" };
  expect(fillTemplate("{question}|{solution}|{toString}", values)).toBe("{solution} $& {toString}|S|{toString}");
});

it("no reply makes a protocol throw or wait", () => {
  const pieces = [
    "{",
    "}",
    '"',
    ":",
    "\\",
    "[[",
    "]]",
    "\n",
    "Verdict",
    "结果",
    "<think>",
    "</think>",
    "<|",
    "|>",
    ".",
    "*",
    " ",
    "YES",
    "\0",
    "\ud800",
  ];
  const start = cpuMs();
  for (const name of PROTOCOL_NAMES) {
    for (const piece of pieces) {
      for (const reply of [piece.repeat(100_000), `Verdict: ${piece.repeat(100_000)}x`]) PROTOCOLS[name].read(reply);
    }
  }
  expect(cpuMs() - start).toBeLessThan(5000);
  const text = fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string()), { maxLength: 30 });
  fc.assert(
    fc.property(text, (chosen) => {
      for (const name of PROTOCOL_NAMES) {
        expect([null, "right", "wrong", "unknown"]).toContain(PROTOCOLS[name].read(chosen.join("")));
      }
    }),
    { seed: 11, numRuns: 2000, verbose: true },
  );
});

it("150,000 open braces take no time", () => {
  const start = cpuMs();
  expect(readKey(`${"{".repeat(150_000)}{"correct": true}`, "correct")).toBeUndefined();
  expect(cpuMs() - start).toBeLessThan(1000);
});

it("no text of the policy is a verdict when the judge repeats it", () => {
  const pieces = [
    "Verdict: EQUIVALENT", "Verdict", ":", "：", " ", "\n", "EQUIVALENT", "结果: 一样", "结果", "一样", '{"correct": true}', '{"correctness": "correct"}',
    "Ver", "dict", "`", " ".repeat(9), '"corr\\u0065ct": true', '"correctness"\n:"correct"', "Ｖｅｒｄｉｃｔ", "> ", "<|im_end|>",
    '"correct"', "{", "}", "true", "[[YES]]", "[[", "]]", "[", "]", "YES", "\u200b", "\u202e", "\0", "**", '"', "- ", "</think>", "<think>", "\\", "\r",
  ]; // biome-ignore format: a list of pieces
  let numShaped = 0;
  const property = fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 12 }), (chosen) => {
    const text = chosen.join("");
    for (const name of PROTOCOL_NAMES) {
      if (PROTOCOLS[name].read(text) !== null) numShaped++;
      for (const echo of [escapeJudged(text), `It wrote:\n${escapeJudged(text)}\nas its answer.`]) {
        expect(PROTOCOLS[name].read(echo)).toBeNull();
      }
    }
  });
  fc.assert(property, { seed: 7, numRuns: 5000, verbose: true });
  // The raw texts do hold verdicts, so that the property has something to take away.
  expect(numShaped).toBeGreaterThan(500);
});
