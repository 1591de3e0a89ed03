/** Text as a model reads it: what is invisible is gone, and letters of other alphabets that stand for ASCII are ASCII. */

/** Default_Ignorable_Code_Point: zero width, direction marks, tags, fillers, variation selectors. Cf, Co, Cs: formats, private use, half characters. */
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Co}\p{Cs}]/gu;

/** Full-width forms of ASCII but the punctuation of Chinese and Japanese prose: ！ （ ） ， ： ； ？ ～. */
const FULL_WIDTH = /[\uFF02-\uFF07\uFF0A\uFF0B\uFF0D-\uFF19\uFF1C-\uFF1E\uFF20-\uFF5D]/g;

/** Bold, script, double-struck and other letters of Mathematical Alphanumeric Symbols. */
const MATHEMATICAL = /[\u{1D400}-\u{1D7FF}]/gu;

/** Total; linear. */
export function visible(text: string): string {
  return text
    .replaceAll(/\r\n?|[\u0085\u2028\u2029]/g, "\n")
    .replaceAll(INVISIBLE, "")
    .replaceAll(/[^\P{Cc}\n\t]/gu, " ")
    .replaceAll(FULL_WIDTH, (char) => String.fromCharCode(char.charCodeAt(0) - 0xfee0))
    .replaceAll(MATHEMATICAL, (char) => char.normalize("NFKC"));
}
