/**
 * Answers on the command line of `grouper verify`: -x^2 and -\\frac{1}{2} begin as options do. The command has no option of one dash, so
 * such words, and all after --, are answers; a space in front carries them past yargs.
 */

/** The command line as yargs is to read it. */
export function withAnswers(argv: readonly string[]): string[] {
  if (argv[0] !== "verify") return [...argv];
  const end = argv.includes("--") ? argv.indexOf("--") : argv.length;
  const before = argv.slice(0, end).map((word) => (/^-[^-]/.test(word) ? ` ${word}` : word));
  return [...before, ...argv.slice(end + 1).map((word) => (word.startsWith("-") && word !== "-" ? ` ${word}` : word))];
}

/** The answer as it was typed. */
export function typedAnswer(word: string): string {
  return word.startsWith(" -") ? word.slice(1) : word;
}
