/**
 * Reward model: the score that a model behind HTTP gives to the response, to all of it or to its summary.
 *
 *   r = clamp(scale · (s - shift), low, high),   s what the server says
 *
 * Source: DeepSeek-R1 (arXiv 2501.12948, §2.3.4): helpfulness is judged on the final summary alone, harmlessness on the whole response.
 * A server that gives no finite number is a failure, never a score; a response that says nothing has no summary. No response can end its turn:
 * tokens of chat templates are taken apart. A model that is asked for YES or NO is a judge; the response is escaped and fenced, and negative
 * controls try it: if it finds ":" as likely good as not, every completion fails.
 */
import { Controls } from "../src/judge/controls.ts";
import { escapeJudged, escapeTurns, fence } from "../src/judge/escape.ts";
import { endpointParams, memoised, openEndpoint } from "../src/judge/params.ts";
import { type ChatMessage, fillTemplate } from "../src/judge/protocol.ts";
import { NoScore, REWARD_MODEL_APIS, scoreOf, summaryOf } from "../src/judge/reward-model.ts";
import { EMPTY_ANSWERS, hasSubstance } from "../src/judge/substance.ts";
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
  noSummary: z.number().optional().describe("Score of a response that says nothing; default: it abstains."),
  controlEvery: z
    .int()
    .min(0)
    .default(64)
    .describe("For yes-probability: scores between two negative controls; 0: none."),
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
  prepare: (given) => void modelOf("reward model", given),
  scoreGroup: (inputs, given) =>
    Promise.all(
      inputs.map((input) =>
        scoreOne(input, given).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error)))),
      ),
    ),
});

const modelOf = memoised((name, given: Params) => {
  const endpoint = openEndpoint(name, given);
  const every = given.api === "yes-probability" ? given.controlEvery : 0;
  const controls = new Controls({ name: `${name} (${given.model} at ${given.url})`, every, id: "", cache: undefined });
  return { endpoint, controls };
});

async function scoreOne(input: RewardInput, given: Params): Promise<RewardScore> {
  const response = given.part === "summary" ? summaryOf(input.response) : input.response;
  if (!hasSubstance(response, input.answer ?? "")) return given.noSummary ?? null;
  const { endpoint, controls } = modelOf("reward model", given);
  const ask = (text: string) => scoreOf(endpoint, given.api, questionOf(input, text, given));
  const trial = async (round: number) => {
    const [colon, , ...others] = EMPTY_ANSWERS;
    const nothing = [colon, others[round % others.length]!];
    const scores = await Promise.all(nothing.map((text) => ask(text).catch(noOpinion)));
    const accepted = nothing.find((_, index) => scores[index]! >= 0.5);
    return accepted === undefined ? null : `accepted the response ${JSON.stringify(accepted)}`;
  };
  const [said] = await Promise.all([ask(response), controls.trust(trial)]);
  await controls.mark("");
  await controls.check();
  const scaled = given.scale * (said - given.shift);
  return Math.min(given.high ?? Number.POSITIVE_INFINITY, Math.max(given.low ?? Number.NEGATIVE_INFINITY, scaled));
}

/** A model that has no opinion of nothing does not accept it. */
function noOpinion(error: unknown): number {
  if (error instanceof NoScore) return 0;
  throw error;
}

/** What is sent of one response: as a conversation, and as text for servers without a chat template. */
function questionOf({ prompt, fields, answer }: RewardInput, written: string, given: Params) {
  const question = escapeTurns(typeof fields["question"] === "string" ? fields["question"] : prompt);
  const response = escapeTurns(written);
  const text = fillTemplate(given.text, { prompt, question, response });
  if (given.api !== "yes-probability") {
    const messages: ChatMessage[] = [
      { role: "user", content: question },
      { role: "assistant", content: response },
    ];
    return { messages, text };
  }
  const fenced = fence(escapeJudged(written));
  const asked = fillTemplate(given.ask, { question, reference: answer ?? "", response: fenced.text });
  const messages: ChatMessage[] = [
    { role: "system", content: fenced.note },
    { role: "user", content: asked },
  ];
  return { messages, text };
}
