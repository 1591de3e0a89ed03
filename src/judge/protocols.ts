/**
 * The protocols: what is asked, and which answer means what.
 *
 *   open-r1          last "Verdict:" line: EQUIVALENT | DIFFERENT | AMBIGUOUS           Open-R1's rescue judge, in English, word for word
 *   open-r1-chinese  last "结果:" line: 一样 | 不一样 | 不确定                             the same in Chinese
 *   openthoughts     JSON { reasoning, correct: boolean }; without the problem          OpenThoughts
 *   r1               JSON { analysis, correctness: "correct" | "incorrect" }            DeepSeek-R1 (arXiv 2501.12948, version 2)
 *   deepscaler       [[YES]] | [[NO]]                                                   DeepScaleR's outcome reward model
 *   seed             YES | NO, nothing else                                             Seed-Thinking-v1.5's Seed-Verifier (arXiv 2504.13914)
 *   seed-thinking    reasoning first, then YES | NO on the last line                    its Seed-Thinking-Verifier
 *
 * open-r1 is word for word; of the others the forms of the answers are the sources', the wording is ours. Departures: [[YES]] and
 * [[NO]] in one reply were a yes to DeepScaleR; here the last one counts, since a judge may quote what it was told to say.
 */
import type { JudgeVerdict, Protocol } from "./protocol.ts";
import { readKey, readLastLine, readLastMark, readVerdictLine, readWhole } from "./read-verdict.ts";

export const PROTOCOL_NAMES = [
  "open-r1",
  "open-r1-chinese",
  "openthoughts",
  "r1",
  "deepscaler",
  "seed",
  "seed-thinking",
] as const;
export type ProtocolName = (typeof PROTOCOL_NAMES)[number];

const YES_NO: Readonly<Record<string, JudgeVerdict>> = { YES: "right", NO: "wrong" };

const COMPARED = `Question:
{question}

Reference answer:
{reference}

Model answer:
{solution}`;

export const PROTOCOLS: Readonly<Record<ProtocolName, Protocol>> = {
  "open-r1": {
    source: "Open-R1, rescue judge",
    prompt: `You are a mathematical answer validator. You will be provided with a mathematical problem and you need to compare the answer in the reference solution, and the final answer in a model's solution to determine if they are equivalent, even if formatted differently.

PROBLEM:

{question}

REFERENCE SOLUTION:

{reference}

MODEL'S SOLUTION:

{solution}

Focus ONLY on comparing the final mathematical answer provided by the model while ignoring differences in:

- Formatting (e.g., \\boxed{} vs plain text)
- Multiple choice formatting (e.g., "A" vs full solution)
- Order of coordinate pairs or solutions
- Equivalent mathematical expressions or notation variations
- If the model's answer is nonsense, return "Verdict: AMBIGUOUS"

Start with a brief explanation of your comparison (2-3 sentences). Then output your final answer in one of the following formats:

- "Verdict: EQUIVALENT"
- "Verdict: DIFFERENT"
- "Verdict: AMBIGUOUS"`,
    read: (reply) =>
      readVerdictLine(reply, "Verdict", { EQUIVALENT: "right", DIFFERENT: "wrong", AMBIGUOUS: "unknown" }),
  },

  "open-r1-chinese": {
    source: "Open-R1, rescue judge, in Chinese",
    prompt: `你负责核对数学答案。下面有一道题目、一份参考解答和一份模型解答。请比较两份解答的最终答案是否等价，写法可以不同。

题目：

{question}

参考解答：

{reference}

模型解答：

{solution}

只比较最终答案，并忽略以下差别：

- 格式（例如 \\boxed{} 与纯文本）
- 选择题的写法（例如 “A” 与完整选项）
- 坐标或多个解的顺序
- 等价的数学表达式或记号
- 如果模型的答案毫无意义，请回答“结果: 不确定”

先用两三句话说明你的比较，然后在最后一行按以下格式之一给出结论：

- 结果: 一样
- 结果: 不一样
- 结果: 不确定`,
    read: (reply) => readVerdictLine(reply, "结果", { 一样: "right", 不一样: "wrong", 不确定: "unknown" }),
  },

  openthoughts: {
    source: "OpenThoughts, verification of mathematics and puzzles",
    prompt: `Compare a model's solution with the reference solution. The model's solution is correct when it arrives at the same final answer, however it is written or reached.

Reference solution:
{reference}

Model solution:
{solution}

Answer with one JSON object and nothing else: {"reasoning": "<why, in two or three sentences>", "correct": <true or false>}`,
    schema: {
      type: "object",
      properties: { reasoning: { type: "string" }, correct: { type: "boolean" } },
      required: ["reasoning", "correct"],
      additionalProperties: false,
    },
    read(reply) {
      const correct = readKey(reply, "correct");
      return typeof correct === "boolean" ? (correct ? "right" : "wrong") : null;
    },
  },

  r1: {
    source: "DeepSeek-R1, arXiv 2501.12948 version 2",
    prompt: `Decide whether the model's answer agrees with the reference answer to the question below.

${COMPARED}

Answer with one JSON object and nothing else: {"analysis": "<your comparison>", "correctness": "correct" or "incorrect"}`,
    schema: {
      type: "object",
      properties: { analysis: { type: "string" }, correctness: { enum: ["correct", "incorrect"] } },
      required: ["analysis", "correctness"],
      additionalProperties: false,
    },
    read(reply) {
      const said = readKey(reply, "correctness");
      if (said === undefined) return null;
      return said === "correct" ? "right" : said === "incorrect" ? "wrong" : "unknown";
    },
  },

  deepscaler: {
    source: "DeepScaleR, outcome reward model",
    prompt: `You are a mathematics grader. Decide whether the model's final answer equals the reference answer: the same value, set or expression counts, whatever its form. An answer that is missing, or one of several offered, does not.

${COMPARED}

Write [[YES]] if it does, else [[NO]].`,
    read: (reply) => readLastMark(reply, YES_NO),
  },

  seed: {
    source: "Seed-Thinking-v1.5, Seed-Verifier, arXiv 2504.13914",
    prompt: `Are the reference answer and the model answer to this question essentially equal? (2^19 and 524288 are.)

${COMPARED}

Answer YES or NO, and nothing else.`,
    read: (reply) => readWhole(reply, YES_NO),
  },

  "seed-thinking": {
    source: "Seed-Thinking-v1.5, Seed-Thinking-Verifier, arXiv 2504.13914",
    prompt: `Are the reference answer and the model answer to this question essentially equal? (2^19 and 524288 are.)

${COMPARED}

First reason step by step: what each answer says, what form it has, whether the two can differ. Then write YES or NO alone on the last line.`,
    read: (reply) => readLastLine(reply, YES_NO),
  },
};
