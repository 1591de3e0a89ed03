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

/** The option that an answer names: "A", "(A)", "A) 5", "(A) the first", "A. 5", "option A"; null where it names none. */
export function predictedLetter(text: string): string | null {
  const match = /^(?:(?:option|choice|answer)\s)?[([]?([A-J])(?:[)\]]|[.:](?=\s|$)|$)/i.exec(bare(text));
  const letter = match?.[1];
  // A lower-case letter is a variable, unless it stands in brackets.
  if (letter === undefined || (letter !== letter.toUpperCase() && !/^[([]/.test(bare(text)))) return null;
  return letter.toUpperCase();
}
