/**
 * BLEU of one sentence.
 *
 *   BLEU = BP · exp( mean over n = 1 … N of log p_n ),   BP = min(1, exp(1 - |reference| / |hypothesis|))
 *
 * p_n is the share of the hypothesis' n-grams that the reference has; N is 4, or as many as the hypothesis has words. Without a match p_n is
 * 1 / (2^k · n-grams), k counting such orders. Source: Papineni et al. 2002 (P02-1040), smoothing and tokens as in sacreBLEU: `13a` parts words
 * from punctuation as mteval-v13a does, `char` counts characters (Chinese, Japanese), `none` splits at white space.
 */
import { countMatches, countNgrams } from "./chrf.ts";

export const BLEU_TOKENS = ["13a", "char", "none"] as const;
export type BleuTokens = (typeof BLEU_TOKENS)[number];

const MAX_ORDER = 4;

/** 0 to 1. Case counts. */
export function bleu(
  hypothesis: string,
  reference: string,
  { tokens = "13a" }: { readonly tokens?: BleuTokens } = {},
): number {
  const [mine, theirs] = [tokenize(hypothesis, tokens), tokenize(reference, tokens)];
  let [logSum, smoothing, numMatches] = [0, 1, 0];
  const numOrders = Math.min(MAX_ORDER, mine.length);
  for (let order = 1; order <= numOrders; order++) {
    const numNgrams = mine.length - order + 1;
    const numMatched = countMatches(countNgrams(mine, order, " "), countNgrams(theirs, order, " "));
    numMatches += numMatched;
    if (numMatched === 0) smoothing *= 2;
    logSum += Math.log(numMatched === 0 ? 1 / (smoothing * numNgrams) : numMatched / numNgrams);
  }
  if (numMatches === 0) return 0;
  const brevity = mine.length < theirs.length ? Math.exp(1 - theirs.length / mine.length) : 1;
  return brevity * Math.exp(logSum / numOrders);
}

function tokenize(text: string, tokens: BleuTokens): string[] {
  if (tokens === "char") return Array.from(text.replaceAll(/\s+/g, ""));
  return (tokens === "none" ? text : parted(text)).match(/\S+/g) ?? [];
}

/** Symbols stand alone; so do full stops and commas but between digits, and a dash after a digit. */
function parted(text: string): string {
  const entities: readonly (readonly [string, string])[] = [
    ["&quot;", '"'],
    ["&amp;", "&"],
    ["&lt;", "<"],
    ["&gt;", ">"],
  ];
  const joined = text.replaceAll("<skipped>", "").replaceAll("-\n", "").replaceAll("\n", " ");
  const plain = entities.reduce((line, [entity, sign]) => line.replaceAll(entity, sign), joined);
  return ` ${plain} `
    .replaceAll(/[{-~[-` -&(-+:-@/]/g, " $& ")
    .replaceAll(/([^0-9])([.,])/gu, "$1 $2 ")
    .replaceAll(/([.,])([^0-9])/gu, " $1 $2")
    .replaceAll(/([0-9])(-)/g, "$1 $2 ");
}
