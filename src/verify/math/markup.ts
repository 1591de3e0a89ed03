/** What a response is read as: HTML, the macros of LaTeX packages and the calls of programs in the notation of the lexer. */
import { withoutHtml } from "./html.ts";
import { withoutMacros } from "./macros.ts";
import { withoutPrograms } from "./programs.ts";

/** The text in plain LaTeX; the same text where it has none of these. */
export function plainLatex(text: string): string {
  return withoutPrograms(withoutMacros(withoutHtml(text)));
}
