/**
 * Poetry: does the continuation look like the verse it continues? Nothing is compared with a reference.
 *
 *   r = wRepetition · distinct / all n-grams of words  +  wVerse · verse  +  wQuatrain · quatrains
 *
 *   verse      1 when the mean line length is within 30 % of the prompt's and at least 80 % of the lines begin with a capital, else 0
 *   quatrains  1 when every stanza has four lines, the last of a text that was cut excepted, else 0
 *
 * Source: RL-Poet (2025), non-verifiable text with rule rewards; bounds as reported second-hand, weights ours. Lengths are characters of
 * lines that are not blank; scripts without capitals are not held to them. A text of fewer than n words has nothing to repeat: 0.
 */
import { defineReward, z } from "../src/reward/reward.ts";
import { distinctShare } from "../src/verify/ngrams.ts";

export default defineReward({
  description: "Non-repetition, verse and quatrains, each 0 to 1, by their weights.",
  source: "RL-Poet",
  params: z.strictObject({
    promptField: z.string().default("question").describe("Column with the verse to continue; default: the question."),
    tolerance: z.number().positive().default(0.3).describe("Of the mean line length, as a share of the prompt's."),
    capitals: z.number().min(0).max(1).default(0.8).describe("Share of lines that have to begin with one."),
    stanzaLines: z.int().positive().default(4),
    ngramSize: z.int().positive().default(3),
    repetition: z.number().default(1).describe("Weight."),
    verse: z.number().default(1).describe("Weight."),
    quatrain: z.number().default(1).describe("Weight."),
  }),
  score({ completion, prompt, fields, finishReason }, params) {
    const given = fields[params.promptField];
    const model = linesOf(typeof given === "string" ? given : prompt);
    // Without a line to go by nothing can be asked of the others.
    if (model.length === 0) return null;
    const lines = linesOf(completion);
    const ratio = meanLength(lines) / meanLength(model);
    const isVerse =
      lines.length > 0 &&
      Math.abs(ratio - 1) <= params.tolerance &&
      lines.filter(beginsWithCapital).length >= params.capitals * lines.length;
    const stanzas = stanzaLengths(completion);
    // A text that was cut may end within a stanza, and a text of one such part has none.
    const whole =
      finishReason === "length" && (stanzas.at(-1) ?? 0) < params.stanzaLines ? stanzas.slice(0, -1) : stanzas;
    const isQuatrains = whole.length > 0 && whole.every((length) => length === params.stanzaLines);
    const parts = {
      repetition: distinctShare(completion.toLowerCase().match(/\S+/g) ?? [], params.ngramSize) ?? 0,
      verse: Number(isVerse),
      quatrain: Number(isQuatrains),
    };
    const score = params.repetition * parts.repetition + params.verse * parts.verse + params.quatrain * parts.quatrain;
    return { score, parts };
  },
});

function linesOf(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

function meanLength(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + [...line].length, 0) / Math.max(1, lines.length);
}

/** Of the first letter, whatever stands before it; true of letters that have no capitals. */
function beginsWithCapital(line: string): boolean {
  const letter = /\p{L}/u.exec(line)?.[0];
  return letter !== undefined && letter === letter.toUpperCase();
}

/** Lines of each stanza: runs of lines between blank ones. */
function stanzaLengths(text: string): number[] {
  return text
    .split(/\n[^\S\n]*(?:\n[^\S\n]*)+/)
    .map((stanza) => linesOf(stanza).length)
    .filter((length) => length > 0);
}
