/**
 * Phrases that announce an answer ("the final answer is …", "Answer: …", "#### …"), and the sentence that follows each.
 *
 * Priorities are Math-Verify's, lower first: 0 "final answer is … I hope", 50 "final answer is …" and "####", 100 "answer: …",
 * 200 "answer …" with "is" or "=" within 60 characters.
 */
import type { Environment } from "./environments.ts";

/** One announced answer: the sentence after the phrase, and where it starts and ends. */
export interface Anchor {
  readonly priority: number;
  readonly sentence: string;
  readonly start: number;
  readonly end: number;
}

/** "Answer" in other languages, and the verbs that follow it. */
const FOREIGN =
  String.raw`(?<!\p{L})(?:r[\u00e9e]ponse(?: finale)?|respuesta|resposta|risposta|antwort|antwoord|odpowied\u017a|cevap|\u0111\u00e1p (?:\u00e1n|s\u1ed1)|\u043e\u0442\u0432\u0435\u0442|\u0627\u0644(?:\u062c\u0648\u0627\u0628|\u0625\u062c\u0627\u0628\u0629)|\u0909\u0924\u094d\u0924\u0930)` +
  String.raw`[^\n.:=]{0,30}?(?:\s?[:=]|(?<!\p{L})(?:est|es|\u00e9|\u00e8|ist|lautet|is|jest|l\u00e0|\u2014|\u0647\u0648|\u0647\u064a|\u0939\u0948)(?!\p{L}))`;
const EAST_ASIAN =
  "\u7b54\u6848[\u5e94\u8be5\u4fbf\u5c31\u5373]{0,3}(?:\u662f(?![\u5426])|\u4e3a|\u70ba|\u7b49\u4e8e|\u9009|[:\uff1a\u3011])|(?:\u6545|\u5e94|\u56e0\u6b64|\u6240\u4ee5)?\u9009(?:\u62e9)?[:\uff1a]?(?=\\s?[(\uff08]?[A-J]{1,6}(?![A-Za-z]))|(?<=^|[\\n\u3002])\u7b54[:\uff1a]|(?:\u7b54\u3048|\u6b63\u89e3)[\u306f:\uff1a]|(?:\uc815\ub2f5|\ub2f5)(?:\uc740|[:\uff1a])";

/** A heading on a line of its own, perhaps with the only mark of a list on the next one, or with a dash or arrow behind it: "## Answer", "**Final Answer** - 5". */
const HEADING = String.raw`(?<=^|\n)[#*_ ]{0,8}(?:final )?answer[*_ ]{0,4}(?:\n{1,2}[-*+\u2022](?=\s[^\n]{0,200}(?:$|\n(?!\n?[-*+\u2022]\s)))|(?=\n)|\s?(?:->|=>|\u2192|\u21d2|[-\u2013\u2014](?=\s)))`;
const ENGLISH = String.raw`${HEADING}|<(?:final_answer|solution)>|<\|answer\|>|final[ _]answer[^\n]{0,100}?(?:\bis\b|:)|answers?\**\s?(?::|\uff1a|=)|\bans\**\s?[:.]|\[answer\]|\banswers?\b[^\n]{0,60}?(?:\b(?:is|are|be|equals)\b|[:=])|\b(?:correct|right|best) (?:option|choice)\b[^\n]{0,30}?(?:\bis\b|:)|(?<=^|\n)\s{0,4}A:|####`;
const PHRASE = new RegExp(ENGLISH, "gi");
/** Slower, and hence only for texts that may need it. */
const ANY_PHRASE = new RegExp(`${ENGLISH}|${EAST_ASIAN}|${FOREIGN}`, "giu");
/** Parts of foreign phrases that are spelled in ASCII. */
const FOREIGN_STEM = /espuesta|esposta|isposta|ntwo|dpowied|evap|eponse/;
/** What every English phrase holds, in lower case. To look for it is much faster than to try the pattern at every character. */
const ENGLISH_STEM = /answer|####|a:|option|choice|<solution>|\bans[\s*:.]/;

/** The pattern for this text, and where its first match may begin; null where it has none. */
function phrasesOf(text: string): { readonly phrase: RegExp; readonly from: number } | null {
  const isForeign = !/^[\x00-\x7f]*$/.test(text) || FOREIGN_STEM.test(text);
  if (isForeign) return { phrase: ANY_PHRASE, from: 0 };
  const first = text.toLowerCase().search(ENGLISH_STEM);
  return first === -1 ? null : { phrase: PHRASE, from: Math.max(0, first - "######## final ".length) };
}

/** Longer sentences announce no answer. */
const MAX_SENTENCE = 400;

/** So many announced answers of one kind are looked at, from the end. */
const MAX_ANCHORS = 24;

/** The announced answers in reading order. `findFormulas` gives the formulas of the text, and is asked only where a phrase stands. */
export function findAnchors(text: string, findFormulas: () => readonly Environment[]): Anchor[] {
  const starts: Record<"final" | "hash" | "colon" | "verb", number[]> = { final: [], hash: [], colon: [], verb: [] };
  const phrases = phrasesOf(text);
  if (phrases === null) return [];
  const { phrase, from } = phrases;
  phrase.lastIndex = from;
  for (let match = phrase.exec(text); match !== null; match = phrase.exec(text)) {
    const start = skip(text, match.index + match[0].length);
    // "The answer cannot be 5" announces nothing.
    const isDenied = /\b(?:not|cannot|never|no|non|nicht)\b|n['\u2019]t\b|(?<!\p{L})\u043d\u0435(?!\p{L})/iu.test(
      match[0],
    );
    if (!isDenied && !isJudged(text, match.index, start)) starts[kindOf(match[0])].push(start);
    // "The answer is: the final answer is 5": the inner phrase announces it.
    phrase.lastIndex = Math.max(match.index + match[0].length, start);
  }
  const kinds = (["final", "hash", "colon", "verb"] as const).filter((kind) => starts[kind].length > 0);
  const environments = kinds.length > 0 ? findFormulas() : [];
  const anchors = kinds.flatMap((kind) =>
    starts[kind].slice(-MAX_ANCHORS).map((start): Anchor => {
      const end = sentenceEnd(text, start, environments);
      const sentence = text.slice(start, end).replace(/[*_\s]+$/, "");
      const isHopeful = kind === "final" && /^\W{0,6}I hope/i.test(text.slice(end, end + 14));
      return { priority: isHopeful ? 0 : PRIORITIES[kind], sentence, start, end };
    }),
  );
  const inOrder = anchors.filter(({ sentence }) => sentence !== "").sort((a, b) => a.start - b.start);
  return isCutRepeat(inOrder, text.length) ? inOrder.slice(0, -1) : inOrder;
}

/** "The answer is 7/9. The answer is 7": the text ends in a sentence that it had said in full. */
function isCutRepeat(anchors: readonly Anchor[], length: number): boolean {
  const [last, before] = [anchors.at(-1), anchors.at(-2)];
  if (last === undefined || before === undefined || last.end < length || last.priority !== before.priority)
    return false;
  return before.sentence.length > last.sentence.length && before.sentence.startsWith(last.sentence);
}

const PRIORITIES = { final: 50, hash: 50, colon: 100, verb: 200 } as const;

function kindOf(phrase: string): keyof typeof PRIORITIES {
  if (phrase === "####") return "hash";
  if (/^\W*final[ _]answer/i.test(phrase)) return "final";
  return /(?:[:：=\].>\u2013\u2192\u21d2-]|^\W*answer[*_ ]*)$/i.test(phrase) ? "colon" : "verb";
}

/** "This answer is correct" speaks of an answer that was given before, and gives none. */
function isJudged(text: string, phrase: number, start: number): boolean {
  const before = text.slice(Math.max(0, phrase - 16), phrase);
  const after = text.slice(start, start + 40);
  return /\b(?:this|that|my|our|your|their) $/i.test(before) && JUDGEMENT.test(after);
}

const JUDGEMENT =
  /^(?:(?:not|indeed|also|clearly|obviously|probably) )?(?:in)?(?:correct|right|wrong|valid|accurate|plausible|reasonable)\b/i;

/** Past blanks, line ends and marks between a phrase and its answer. */
function skip(text: string, from: number): number {
  const gap =
    /[\s:：*_>=]{0,40}(?:(?<=\n\s{0,4})[-\u2022] )?(?:(?:is|equals|equal to)\b[\s:：*_]{0,20})?(?:not [^.,;\n]{1,60}?,? but (?:rather )?)?/y;
  gap.lastIndex = from;
  return from + (gap.exec(text)?.[0].length ?? 0);
}

/** The end of the sentence or line that starts here; formulas in it are passed whole. */
function sentenceEnd(text: string, start: number, environments: readonly Environment[]): number {
  const limit = Math.min(text.length, start + MAX_SENTENCE);
  let next = firstEndingAfter(environments, start);
  for (let position = start; position < limit; position++) {
    const environment = environments[next];
    if (environment !== undefined && position >= environment.start) {
      position = environment.end - 1;
      next++;
      continue;
    }
    const char = text[position];
    if (char === "\n" || char === "。") return position;
    const isStop = char === "." || char === "!" || char === "?";
    if (
      isStop &&
      /^(?:\s|$|\*\*|["')\]]|<)/.test(text.slice(position + 1, position + 3)) &&
      !isFactorial(text, position)
    ) {
      return position;
    }
    if (char === "[" && text[position + 1] === "/") return position;
    if (char === "<" && /^<\/?[a-z|]/i.test(text.slice(position, position + 3))) return position;
  }
  return Math.max(limit, environments[next - 1]?.end ?? 0);
}

/** "5! = 120", not "It is 5!". */
function isFactorial(text: string, position: number): boolean {
  return text[position] === "!" && /[\d)n]$/.test(text.slice(0, position).slice(-1));
}

/** Found by halving: formulas are in reading order and do not overlap. */
function firstEndingAfter(environments: readonly Environment[], position: number): number {
  let [low, high] = [0, environments.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (environments[middle]!.end <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}
