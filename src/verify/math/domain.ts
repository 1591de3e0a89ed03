/**
 * What an answer says at its end about its parameters: "k in Z", "(n an integer)", "where k is any integer", "for integers m, n",
 * "for some constant c", "for some a > 0".
 * Found among the tokens from the last one back, and taken off; without it the answer is one value or equation.
 */
import type { Token } from "./lexer.ts";

/** The letters that stand for numbers, and whether these are all whole (Z), natural (N) or real (R). */
export interface Domain {
  readonly parameters: readonly string[];
  readonly domain: "Z" | "N" | "R";
}

const SET =
  "#mathbb:[ZNR](?: \\^ (?:\\+|\\{ \\+ \\}|\\*|\\{ \\* \\})| _ (?:\\+|\\{ \\+ \\}|0|\\{ 0 \\}|\\{ >= 0 \\}))?|[ZNR]|\\{ [ZNR] \\}";
const INTEGERS = "(?:positive |nonnegative |non-negative )?(?:integers?|whole numbers?|natural numbers?)";
const CONSTANTS = "(?:(?:real|positive|nonnegative|nonzero|non-zero|complex|arbitrary) )*(?:constants?|parameters?)";
const NUMBERS = `(?:${INTEGERS}|${CONSTANTS}|(?:positive |nonzero )?real(?: numbers?)?)`;
const KIND = `"(?:is |are |be )?(?:an? |any |some |arbitrary )*${NUMBERS}"`;
/** Plain text has short words as letters, and each other word by itself: "k is an integer", "c is a real constant". */
const SPELT = `(?:i s )?(?:a n? )?(?:"(?:any|some|arbitrary|real|positive|nonzero)" )*"(?:${NUMBERS}|numbers?)"`;
const BOUND = "(?:[<>]=?|!=) (?:- )?\\d+";
const LEAD = '"(?:where|for|with|and|when|if|such that)(?: (?:any|all|some|every|each|an?))*" ';
/** Several letters need a mark before them, for a value may end in a letter: "k pi k, k in Z". */
const LETTERS = `(?:(?:(?:[,;:] )+|${LEAD})*(?:(?:[,;:] |${LEAD})((?:[A-Za-z] , )*[A-Za-z])|([A-Za-z])))`;
const NAMED_FIRST = `(?:[,;:] )*"(?:for |where |with )?(?:any |all |every |some |each |an? )*(?:${INTEGERS}|${CONSTANTS}|real(?: numbers?)?(?=" [a-dkmpqA-DK](?: |$)))(?: values of)?" ([A-Za-z](?: , [A-Za-z])*)`;
const STATEMENT = `(?:${LETTERS} (?:in (${SET})|(${KIND}|${SPELT}))|${NAMED_FIRST}|(?:, )?"for (?:some|any)" ([A-Za-z]) (${BOUND}))`;
const BRACKETED = `(?:[,;:] )*[([] (?:${LEAD})?((?:[A-Za-z] , )*[A-Za-z]) (?:in (${SET})|(${KIND}|${SPELT})) [)\\]]`;
const PATTERN = new RegExp(`(?<=^|\\s)(?:${BRACKETED}|${STATEMENT})(?: [.,;])*$`);

/** Longer tails say more than a domain. */
const MAX_TAIL = 24;
const MAX_WORDS = 60;

/** The tokens before the statement of a domain, and the domain; null where there is none or nothing stands before it. */
export function splitDomain(tokens: readonly Token[]): { readonly tokens: Token[]; readonly domain: Domain } | null {
  const from = Math.max(0, tokens.length - MAX_TAIL);
  const says = (token: Token) =>
    token.type !== "number" &&
    /^in$|^[<>]=?$|^!=$|integer|number|constant|parameter|real/.test("text" in token ? token.text : "");
  if (!tokens.some(says)) return null;
  const words = tokens.slice(from).map(wordOf);
  const match = PATTERN.exec(words.join(" "));
  if (match === null) return null;
  let start = from;
  for (let length = 0; length < match.index; start++) length += words[start - from]!.length + 1;
  if (start === 0) return null;
  const groups = match.slice(1).filter((group) => group !== undefined);
  const letters = groups.find((group) => /^[A-Za-z](?: , [A-Za-z])*$/.test(group) && !/^[ZNR]$/.test(group));
  const isNatural = groups.some((group) => /[N+*]|natural|positive|nonnegative|non-negative|>= 0/.test(group));
  const isReal =
    groups.some((group) => /^(?:#mathbb:)?(?:R|\{ R \})|^[<>!]/.test(group)) ||
    /constant|parameter|real/.test(match[0]);
  if (letters === undefined) return null;
  return {
    tokens: tokens.slice(0, start),
    domain: { parameters: letters.split(" , "), domain: isReal ? "R" : isNatural ? "N" : "Z" },
  };
}

/** A token as the pattern has it: words in quotes, commands and functions marked. */
function wordOf(token: Token): string {
  switch (token.type) {
    case "text":
      return `"${token.text.trim().toLowerCase().slice(0, MAX_WORDS)}"`;
    case "name":
      return token.name;
    case "command":
      return `#${token.name}`;
    case "function":
      return `@${token.name}`;
    default:
      return token.text;
  }
}
