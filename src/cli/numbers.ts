/** Numbers as typed on the command line. */
import { UsageError } from "../errors.ts";

/** Undefined where nothing was typed; throws a UsageError for all but a whole number from `min` to `max`. */
export function wholeNumber(
  name: string,
  typed: string | undefined,
  { min = 0, max = Number.MAX_SAFE_INTEGER }: { readonly min?: number; readonly max?: number } = {},
): number | undefined {
  if (typed === undefined) return undefined;
  const value = Number(typed);
  if (/^\d+$/.test(typed) && value >= min && value <= max) return value;
  const range = max === Number.MAX_SAFE_INTEGER ? `from ${min} up` : `from ${min} to ${max}`;
  throw new UsageError(`Expected a whole number ${range} for --${name}, got ${JSON.stringify(typed)}.`);
}

/** A share above 0 and up to 1; undefined where nothing was typed. */
export function share(name: string, typed: string | undefined): number | undefined {
  if (typed === undefined) return undefined;
  const value = Number(typed);
  if (typed.trim() !== "" && value > 0 && value <= 1) return value;
  throw new UsageError(`Expected a share above 0 and up to 1 for --${name}, got ${JSON.stringify(typed)}.`);
}

/** The numbers that the commands over saved completions share. */
export function rewardNumbers(args: Readonly<Record<"limit" | "maxTokens" | "deadline", string | undefined>>) {
  return {
    deadline: wholeNumber("deadline", args.deadline, { min: 1, max: 3600 }),
    limit: wholeNumber("limit", args.limit, { min: 1 }),
    maxTokens: wholeNumber("max-tokens", args.maxTokens, { min: 1 }),
  };
}
