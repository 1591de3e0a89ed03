/** Reading an objective's options from code; from a recipe they come parsed already. */
import type { z } from "zod";
import { RecipeError } from "../../errors.ts";

/** Options with defaults filled in. Throws RecipeError that names the objective, each wrong option and what it must be. */
export function parseOptions<Schema extends z.ZodType>(
  schema: Schema,
  input: { readonly type: string },
): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join(".") || "options"}: ${issue.message}`);
  throw new RecipeError(`Options of ${input.type} do not fit: ${problems.join("; ")}.`);
}
