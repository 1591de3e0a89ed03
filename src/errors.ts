/** The errors that are the user's to mend. Everything else is ours and travels as a plain Error with a stack. */

/**
 * What the user gave cannot work: a recipe, a dataset, a model folder, a server. The message is one or two sentences that say
 * what was expected, where, what came and what to do. The CLI prints it without a stack and exits with 1.
 */
export class RecipeError extends Error {
  override readonly name = "RecipeError";
}

/** The command line itself is wrong: printed with the usage hint, exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
