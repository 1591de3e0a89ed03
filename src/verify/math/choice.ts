/** Multiple choice: the letter that an answer names, alone or with the text of its option. */

/** Without the marks around letters: `\text{(A)}`, `$\mathbf{A}$`, **A**. */
function bare(text: string): string {
  return text
    .slice(0, 200)
    .replaceAll(
      /\\(?:text[a-z]{0,6}|mbox|mathrm|mathbf|mathsf|bf|rm|left|right)(?![a-zA-Z])|[${}*_]|\\[()[\] ,;!]/g,
      " ",
    )
    .replaceAll(/\s+/g, " ")
    .replaceAll(/([([]) | ([)\].])/g, "$1$2")
    .trim();
}

/** The letter of a gold answer that is nothing but a letter from A to J: "A", "(A)", `\text{(A)}`; null for any other. */
export function goldLetter(text: string): string | null {
  return /^[([]?([A-J])[)\]]?[.:]?$/.exec(bare(text))?.[1] ?? null;
}

/**
 * The letter and the text of a gold answer that is a whole option: "(D) Alina", "C. 42", `\\textbf{(A) }5`; null for any other. Either
 * will do as an answer.
 */
export function goldOption(text: string): { readonly letter: string; readonly option: string } | null {
  if ((allLetters(text)?.length ?? 0) > 1) return null;
  const match =
    /^\s*\$?(?:\\(?:text[a-z]{0,6}|mathrm|mathbf|mathsf)\s?\{)?\s?[([]?([A-J])(?:[)\]]|[.:](?=\s))\s?\}?(?:\\[ ,;!]|\\quad(?![a-z])|~|\s)*(.+)$/s.exec(
      text,
    );
  if (match === null || text.length > 300) return null;
  const rest = match[2]!.trim();
  const isUnclosed = rest.split("}").length > rest.split("{").length;
  const option = isUnclosed ? rest.replace(/\}(?=[^}]*$)/, "") : rest;
  // (A) + (B) is a formula.
  return /^(?:[\p{L}\d$(\u2212"']|-\s?[\d\\]|\\(?!cup|cap|times|cdot|setminus|in\b|subset|to\b|le|ge|pm|div|over|circ))/u.test(
    option,
  )
    ? { letter: match[1]!, option }
    : null;
}

/** Each letter has brackets of its own or none: (A, B) is a pair. */
const LETTERS =
  /^(?:\([A-J]\)|\[[A-J]\]|[A-J])(?:\s?(?:[,;&\u3001\u548c]|and)?\s?(?:\([A-J]\)|\[[A-J]\]|[A-J])){0,9}[.]?$/;

/** All the letters that an answer names, in order: "A, C", "(C) and (A)", "AC" as "AC"; null where it says anything else. */
export function allLetters(text: string): string | null {
  if (!/[A-J]/.test(text)) return null;
  const plain = bare(text).replace(
    /^(?:both|(?:the )?(?:options?|choices?|answers?)(?: are)?|[\u6545\u5e94]?\u9009) ?(?=[([A-J])/i,
    "",
  );
  if (!LETTERS.test(plain)) return null;
  return [...new Set(plain.match(/[A-J]/g))].sort().join("");
}

/** The option that an answer names: "A", "(A)", "A) 5", "(A) the first", "A. 5", "option A"; null where it names none. */
export function predictedLetter(text: string): string | null {
  const match =
    /^(?:(?:option|choice|answer|statement)\s|[\u6545\u5e94]?\u9009[\u62e9\u9879]?[:\uff1a]?\s?|\u9009\u9879\s?)?[([]?([A-J])(?:[)\]]|[.:\uff0e\u3002](?=\s|$)|\s[-\u2013\u2014]\s(?=[A-Za-z]{2})|$)/i.exec(
      bare(text),
    );
  // "(A) and (C)" names two.
  const letter = (allLetters(text)?.length ?? 1) > 1 ? undefined : match?.[1];
  // A lower-case letter is a variable, unless it stands in brackets.
  if (letter === undefined || (letter !== letter.toUpperCase() && !/^[([]/.test(bare(text)))) return null;
  return letter.toUpperCase();
}
