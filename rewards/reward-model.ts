/**
 * Reward model: the score that a model behind HTTP gives to the response, to all of it or to its summary.
 *
 *   r = clamp(scale · (s - shift), low, high),   s what the server says
 *
 * Source: DeepSeek-R1 (arXiv 2501.12948, §2.3.4): helpfulness is judged on the final summary alone, harmlessness on the whole response.
 * A server that gives no finite number is a failure, never a score.
 */
import { escapeJudged } from "../src/judge/escape.ts";
import { endpointOf, endpointParams } from "../src/judge/params.ts";
import { type ChatMessage, fillTemplate } from "../src/judge/protocol.ts";
import { REWARD_MODEL_APIS, scoreOf, summaryOf } from "../src/judge/reward-model.ts";
import { defineReward, type RewardInput, type RewardScore, z } from "../src/reward/reward.ts";

const params = z.strictObject({
  ...endpointParams.shape,
  api: z.enum(REWARD_MODEL_APIS).default("vllm-pooling"),
  part: z.enum(["summary", "response"]).default("summary").describe("summary: what follows the thinking."),
  text: z
    .string()
    .default("{prompt}{response}")
    .describe("For the classify APIs, which know no chat template: {prompt} and {response} in the model's own format."),
  ask: z
    .string()
    .default("{question}\n\nAnswer:\n{response}\n\nIs this a good answer? Answer YES or NO.")
    .describe("For yes-probability: what is asked, with {question}, {reference} and {response}."),
  noSummary: z.number().optional().describe("Score of a response without a summary; default: it abstains."),
  scale: z.number().default(1),
  shift: z.number().default(0),
  low: z.number().optional(),
  high: z.number().optional(),
});
type Params = z.output<typeof params>;

export default defineReward({
  description: "The reward model's score of the response or its summary, scaled and clamped by parameters.",
  source: "DeepSeek-R1, arXiv 2501.12948, §2.3.4",
  params,
  scoreGroup: (inputs, given) =>
    Promise.all(
      inputs.map((input) =>
        scoreOne(input, given).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error)))),
      ),
    ),
});

async function scoreOne(input: RewardInput, given: Params): Promise<RewardScore> {
  const { prompt, fields, answer } = input;
  const response = given.part === "summary" ? summaryOf(input.response) : input.response;
  if (response === "" && given.part === "summary") return given.noSummary ?? null;
  const question = typeof fields["question"] === "string" ? fields["question"] : prompt;
  const asked = fillTemplate(given.ask, { question, reference: answer ?? "", response: escapeJudged(response) });
  const messages: ChatMessage[] =
    given.api === "yes-probability"
      ? [{ role: "user", content: asked }]
      : [
          { role: "user", content: question },
          { role: "assistant", content: response },
        ];
  const text = fillTemplate(given.text, { prompt, question, response });
  const said = await scoreOf(endpointOf("reward model", given), given.api, { messages, text });
  const scaled = given.scale * (said - given.shift);
  return Math.min(given.high ?? Number.POSITIVE_INFINITY, Math.max(given.low ?? Number.NEGATIVE_INFINITY, scaled));
}
