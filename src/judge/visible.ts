/** Text as a model reads it: what is invisible is gone, and letters of other alphabets that stand for ASCII are ASCII. */

/** Default_Ignorable_Code_Point: zero width, direction marks, tags, fillers, variation selectors. Cf, Co, Cs: formats, private use, half characters. */
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\p{Cf}\p{Co}\p{Cs}]/gu;

/** Full-width forms of ASCII but the punctuation of Chinese and Japanese prose: ！ （ ） ， ： ； ？ ～. */
const FULL_WIDTH = /[\uFF02-\uFF07\uFF0A\uFF0B\uFF0D-\uFF19\uFF1C-\uFF1E\uFF20-\uFF5D]/g;

/**
 * Forms of characters that mean nothing else: Mathematical Alphanumeric Symbols, ligatures (ﬁ), small and vertical forms of brackets and
 * signs, squared letters. Raised and lowered letters, letters in circles and letters such as ℝ mean something, and stay.
 */
const FORMS = /[\u{1D400}-\u{1D7FF}\u{1F130}-\u{1F149}\uFB00-\uFB06\uFE31-\uFE44\uFE47\uFE48\uFE5B-\uFE6B]/gu;

/** Total; linear. */
export function visible(text: string): string {
  return text
    .replaceAll(/\r\n?|[\u0085\u2028\u2029]/g, "\n")
    .replaceAll(INVISIBLE, "")
    .replaceAll(/[^\P{Cc}\n\t]/gu, " ")
    .replaceAll(FULL_WIDTH, (char) => String.fromCharCode(char.charCodeAt(0) - 0xfee0))
    .replaceAll(FORMS, (char) => char.normalize("NFKC"));
}

/** Letters of other alphabets that look like the Latin one before them; of Unicode's confusables those of common fonts. */
const LOOK_ALIKES: ReadonlyMap<string, string> = new Map(
  (
    "a:аαɑᴀ A:АΑ b:ʙ B:ВΒ c:сϲᴄ C:СϹ d:ԁɗᴅ D:Ԁ e:еҽεᴇ E:ЕΕ f:ꜰ g:ɡɢ H:НΗ h:һʜ i:іιıɪ I:ІΙӀ j:јᴊ J:Ј k:кκᴋ K:КΚ l:ӏʟ M:МΜ m:мᴍ N:Ν n:пոηɴ " +
    "o:оοօσᴏ O:ОΟՕ p:рρᴘ P:РΡ q:ԛ r:гʀᴦ s:ѕꜱ S:Ѕ t:тτᴛ T:ТΤ u:υսᴜ v:ѵνᴠ V:Ѵ w:ԝᴡ x:хχ X:ХΧ y:уγʏ Y:ҮΥ z:ᴢ Z:Ζ"
  )
    .split(" ")
    .flatMap((group) => [...group.slice(2)].map((char) => [char, group[0]!] as const)),
);

/** What a model takes for a colon. */
const COLONS = "：∶﹕꞉ː︓︰˸։׃ꓽ፥܃܄⁚";

/**
 * A shadow of the text, as long as it (in UTF-16 units), in which everything that can be taken for an ASCII letter or a colon is one: what a
 * pattern finds there, it finds in the text at the same place. Total; linear.
 */
export function shadow(text: string): string {
  return text.replaceAll(/[\u0080-\ud7ff\uf900-\uffff]/g, asciiOf);
}

function asciiOf(char: string): string {
  if (COLONS.includes(char)) return ":";
  const plain = LOOK_ALIKES.get(char) ?? char.normalize("NFKD").replaceAll(/\p{M}/gu, "");
  return /^[A-Za-z]$/.test(plain) ? plain : char;
}
