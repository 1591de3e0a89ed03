/** Fenced blocks of code in a response: where a program stands. One pass over the lines, whatever the text. */

/** The words after a fence that name a language. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  python: ["python", "python3", "py"],
  javascript: ["javascript", "js", "node"],
};

/**
 * The inside of the last closed block of the language ("```python … ```"); null without one. A block that was never closed was cut, and
 * is no program. A block without a language, or of another, does not count.
 */
export function lastCodeBlock(text: string, language: string): string | null {
  const names = NAMES[language] ?? [language];
  let last: string | null = null;
  let block: { readonly fence: string; readonly isWanted: boolean; readonly lines: string[] } | null = null;
  for (const line of text.split("\n")) {
    const [, fence, word] = /^ {0,3}(`{3,16})[ \t]*([^\s`]*)[ \t\r]*$/.exec(line) ?? [];
    if (block === null) {
      if (fence !== undefined) block = { fence, isWanted: names.includes(word!.toLowerCase()), lines: [] };
    } else if (fence !== undefined && word === "" && fence.length >= block.fence.length) {
      if (block.isWanted) last = block.lines.join("\n");
      block = null;
    } else {
      block.lines.push(line);
    }
  }
  return last;
}
