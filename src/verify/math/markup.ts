/** What a response is read as: HTML, the macros of LaTeX packages and the calls of programs in the notation of the lexer. */
import { withoutHtml } from "./html.ts";
import { withoutMacros } from "./macros.ts";
import { withoutPrograms } from "./programs.ts";
import { withoutStruckOut } from "./visible.ts";

/** The text in plain LaTeX; the same text where it has none of these. */
export function plainLatex(text: string): string {
  return withoutPrograms(withoutMacros(withoutHtml(withoutMarkdown(withoutAlphabets(text)))));
}

/** Without what is struck out, with links as what is seen of them, and stars that are escaped as stars. */
function withoutMarkdown(text: string): string {
  const seen = withoutStruckOut(text);
  const linked = seen.includes("](")
    ? seen.replaceAll(/\[([^[\]\n]{1,200})\]\((?:https?:|\/|#)[^()\s]{0,300}\)/g, "$1")
    : seen;
  return linked.replaceAll("\\*\\*", "**");
}

/** Bold, italic and double-struck letters and digits of Unicode as the plain ones. */
function withoutAlphabets(text: string): string {
  return /\ud835/.test(text) ? text.replaceAll(/[\u{1d400}-\u{1d7ff}]/gu, (char) => char.normalize("NFKC")) : text;
}
