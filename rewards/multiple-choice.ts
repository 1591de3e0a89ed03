/**
 * Multiple choice: is the chosen letter the right one?
 *
 *   r = right | wrong | unparseable, by default 1 | 0 | 0;   null when the row's gold is no choice
 *
 * Source: the rule reward of DeepSeek-R1-Zero (arXiv 2501.12948, §2.2.2) on GPQA-like tasks. "A", "(A)", "A) 5", \boxed{\text{A}} and the words
 * of choice A are one answer; "A or B" is none, and neither is "A) 6" where 6 is choice B.
 */
import { defineReward, z } from "../src/reward/reward.ts";
import { CHOICE_PLACES, choiceText, readChoice } from "../src/verify/choice.ts";
import { searchedText } from "../src/verify/extract.ts";

export default defineReward({
  description: "1 for the right letter, 0 for another or none (other values by parameters).",
  source: "DeepSeek-R1-Zero, arXiv 2501.12948",
  params: z.strictObject({
    from: z.enum(CHOICE_PLACES).default("auto").describe("Where the letter stands in the response."),
    choicesField: z.string().default("choices").describe("Column with the texts of the choices, in order."),
    numChoices: z.int().min(2).max(26).default(4).describe("Where that column is missing."),
    requireStop: z.boolean().default(false).describe("A response that was cut at the token limit has no answer."),
    right: z.number().default(1),
    wrong: z.number().default(0),
    unparseable: z.number().default(0),
  }),
  score(input, params) {
    const { answer, fields, finishReason } = input;
    const column = fields[params.choicesField];
    const isList = Array.isArray(column) && column.length > 1 && column.every((text) => typeof text === "string");
    const choices = isList ? (column as string[]) : params.numChoices;
    const gold = answer === null ? null : readChoice(answer, choices);
    if (gold === null) return null;
    const text = choiceText(searchedText(input, params.from), params.from);
    const isComplete = !params.requireStop || finishReason === "stop";
    const chosen = text === null || !isComplete ? null : readChoice(text, choices);
    return chosen === null ? params.unparseable : chosen === gold ? params.right : params.wrong;
  },
});
