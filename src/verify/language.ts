/**
 * In which script a text is written, word by word, with everything masked that is written alike in all languages: code, LaTeX,
 * formulas, addresses, tags. Total and linear in the text.
 */

/** Unicode scripts of each language's words. */
const SCRIPTS = {
  ar: ["Arabic"],
  bg: ["Cyrillic"],
  bn: ["Bengali"],
  cs: ["Latin"],
  de: ["Latin"],
  el: ["Greek"],
  en: ["Latin"],
  es: ["Latin"],
  fa: ["Arabic"],
  fr: ["Latin"],
  he: ["Hebrew"],
  hi: ["Devanagari"],
  hy: ["Armenian"],
  id: ["Latin"],
  it: ["Latin"],
  ja: ["Han", "Hiragana", "Katakana"],
  ka: ["Georgian"],
  ko: ["Hangul"],
  nl: ["Latin"],
  pl: ["Latin"],
  pt: ["Latin"],
  ru: ["Cyrillic"],
  sv: ["Latin"],
  sw: ["Latin"],
  ta: ["Tamil"],
  te: ["Telugu"],
  th: ["Thai"],
  tr: ["Latin"],
  uk: ["Cyrillic"],
  ur: ["Arabic"],
  vi: ["Latin"],
  zh: ["Han"],
} as const satisfies Record<string, readonly string[]>;

export type Language = keyof typeof SCRIPTS;
export const LANGUAGES = Object.keys(SCRIPTS) as [Language, ...Language[]];

/** Replaced by a space each, in this order: what is fenced first cannot open a formula. */
const MASKS: readonly RegExp[] = [
  /```[^\0]*?(?:```|$)/g,
  /~~~[^\0]*?(?:~~~|$)/g,
  /`[^`\n]*`/g,
  /\$\$[^$]*\$\$/g,
  // Pandoc's rule keeps "$5 and $6" out: no space inside the dollars, no digit after them.
  /\$(?!\s)[^$\n]*(?<!\s)\$(?!\d)/g,
  /\\\[[^\0]*?(?:\\\]|$)/g,
  /\\\([^\0]*?(?:\\\)|$)/g,
  // Environments of mathematics, and commands with their arguments: \text{…} too, since an answer's unit is no prose.
  /\\begin\{([a-z]+\*?)\}[^\0]*?(?:\\end\{\1\}|$)/g,
  /\\[a-zA-Z]+\*?(?:\{[^{}]*\}|\[[^\][]*\])*/g,
  /https?:\/\/\S+/g,
  /<\/?[a-z_]+>/g,
  // Functions of formulas outside any mark-up: sin(x), log 2.
  /(?<![\p{L}\p{M}])(?:sin|cos|tan|log|ln|exp|sqrt|max|min|gcd|lcm|mod)(?=\s?[(\d])/gu,
];

/** Script extensions, since the long-vowel mark belongs to both kana; letters only, since punctuation has extensions too. */
const CHARACTER_WORDS = String.raw`(?=\p{L})[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}]`;
const WORDS = new RegExp(
  String.raw`${CHARACTER_WORDS}|(?:(?!${CHARACTER_WORDS})\p{L})(?:(?!${CHARACTER_WORDS})[\p{L}\p{M}'’])*`,
  "gu",
);

/** Words in the language's script over all words; 1 for a text without words. */
export function languageShare(text: string, language: Language): number {
  const words = wordsOf(text);
  if (words.length === 0) return 1;
  const inScript = new RegExp(`^[${SCRIPTS[language].map((script) => `\\p{scx=${script}}`).join("")}]`, "u");
  return words.filter((word) => inScript.test(word)).length / words.length;
}

/** The words of the prose: Han and kana character by character, other scripts by runs of letters. */
export function wordsOf(text: string): string[] {
  const prose = MASKS.reduce((rest, mask) => rest.replaceAll(mask, " "), text.replaceAll("\0", " "));
  const words: string[] = [];
  for (const match of prose.matchAll(WORDS)) {
    if (!isVariable(prose, match.index, match[0])) words.push(match[0]);
  }
  return words;
}

/** One Latin or Greek letter beside an operator, a bracket or a digit is a variable: the x of "x^2 = 3x", not the "a" of "a word". */
function isVariable(text: string, start: number, word: string): boolean {
  if (!/^[\p{Script=Latin}\p{Script=Greek}]$/u.test(word)) return false;
  const before = text.slice(Math.max(0, start - 4), start);
  const after = text.slice(start + word.length, start + word.length + 4);
  return /[\d=+*/^_<>≤≥≠≈±×÷·√()[\]{}|-]\s*$/.test(before) || /^\s*[\d=+*/^_<>≤≥≠≈±×÷·√()[\]{}|-]/.test(after);
}
