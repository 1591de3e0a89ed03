/** In which script most of a text's words are written. */
import { wordsOf } from "../verify/language.ts";

const SCRIPTS = {
  Latin: /^\p{Script=Latin}/u,
  Han: /^\p{Script=Han}/u,
  Kana: /^[\p{Script=Hiragana}\p{Script=Katakana}]/u,
  Hangul: /^\p{Script=Hangul}/u,
  Cyrillic: /^\p{Script=Cyrillic}/u,
  Arabic: /^\p{Script=Arabic}/u,
  Greek: /^\p{Script=Greek}/u,
  Hebrew: /^\p{Script=Hebrew}/u,
  Devanagari: /^\p{Script=Devanagari}/u,
  Thai: /^\p{Script=Thai}/u,
} as const;

export type Script = keyof typeof SCRIPTS;

/** Japanese, which is written in two scripts, counts as Kana where a tenth of it is. Null for fewer than five words. */
export function mainScript(text: string): Script | null {
  const words = wordsOf(text);
  if (words.length < 5) return null;
  const counts = new Map<Script, number>();
  for (const word of words) {
    for (const [script, pattern] of Object.entries(SCRIPTS) as [Script, RegExp][]) {
      if (pattern.test(word)) counts.set(script, (counts.get(script) ?? 0) + 1);
    }
  }
  if ((counts.get("Kana") ?? 0) > words.length / 10) return "Kana";
  const [most] = [...counts].sort((a, b) => b[1] - a[1]);
  return most === undefined || most[1] <= words.length / 2 ? null : most[0];
}
