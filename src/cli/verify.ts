/** `grouper verify`: one gold answer against one response. */
import { readFileSync } from "node:fs";
import { UsageError } from "../errors.ts";
import { explainVerify } from "../verify/verify.ts";

export interface VerifyArguments {
  readonly gold: string;
  /** "-" reads stdin. */
  readonly prediction: string;
  readonly mode: string;
  readonly explain: boolean;
  readonly json: boolean;
}

export function runVerify(
  { gold, prediction, mode, explain, json }: VerifyArguments,
  print: (text: string) => void,
): number {
  if (mode !== "lenient" && mode !== "strict") {
    throw new UsageError(`Expected --mode lenient or strict, got ${JSON.stringify(mode)}.`);
  }
  const response = prediction === "-" ? readFileSync(0, "utf8") : prediction;
  const { steps, ...verification } = explainVerify(gold, response, { mode });
  if (json) {
    print(`${JSON.stringify(explain ? { ...verification, steps } : verification)}\n`);
    return 0;
  }
  const lines = explain ? steps.map((step, index) => `${index + 1}. ${step}`) : [];
  print([...lines, `${verification.equal ? "equal" : "not equal"}: ${verification.reason}`, ""].join("\n"));
  return 0;
}
