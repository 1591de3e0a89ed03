/**
 * Code format: does the response think, and answer with a block of code?
 *
 *   r = right | wrong, by default 1 | 0
 *
 * Source: Open-R1's `get_code_format_reward`: <think>…</think> <answer>…</answer> with a fenced block of the language in the answer. As in
 * `format`, the match is anchored at both ends and every tag stands exactly once; the block must be closed. A row's own `language` wins.
 */
import { defineReward, z } from "../src/reward/reward.ts";
import { lastCodeBlock } from "../src/verify/code.ts";
import { lastAnswerBlock } from "../src/verify/extract.ts";
import { FORMAT_STYLES, hasFormat } from "../src/verify/format.ts";

export default defineReward({
  description: "1 when the response has the format and its answer a closed block of code, else 0.",
  source: "Open-R1, get_code_format_reward",
  params: z.strictObject({
    style: z.enum(FORMAT_STYLES).default("r1"),
    language: z
      .string()
      .min(1)
      .default("python")
      .describe("Word after the fence, of rows without a column `language`."),
    right: z.number().default(1),
    wrong: z.number().default(0),
  }),
  score({ response, fields }, { style, language, right, wrong }) {
    if (!hasFormat(response, style)) return wrong;
    const answer = style === "think" ? response.slice(response.lastIndexOf("</think>")) : lastAnswerBlock(response);
    const spoken = typeof fields["language"] === "string" && fields["language"] !== "" ? fields["language"] : language;
    const code = lastCodeBlock((answer ?? "").replace(/^<\/think>/, ""), spoken);
    return code !== null && code.trim() !== "" ? right : wrong;
  },
});
