/** `grouper verify`: one gold answer against one response. */
import { readFileSync } from "node:fs";
import { UsageError } from "../errors.ts";
import { nearest } from "../recipe/nearest.ts";
import { POLICY_NAMES } from "../verify/policies/policies.ts";
import { explainVerify, type VerifyOptions } from "../verify/verify.ts";
import { typedAnswer } from "./negative-answers.ts";

export interface VerifyArguments {
  readonly gold: string;
  /** "-" reads stdin. */
  readonly prediction: string;
  readonly mode: string | undefined;
  readonly policy: string | undefined;
  readonly explain: boolean;
  readonly json: boolean;
}

export function runVerify(args: VerifyArguments, print: (text: string) => void): number {
  const { explain, json } = args;
  const options = optionsOf(args);
  const response = args.prediction === "-" ? readFileSync(0, "utf8") : typedAnswer(args.prediction);
  const { steps, ...verification } = explainVerify(typedAnswer(args.gold), response, options);
  if (json) {
    print(`${JSON.stringify(explain ? { ...verification, steps } : verification)}\n`);
    return 0;
  }
  const lines = explain ? steps.map((step, index) => `${index + 1}. ${step}`) : [];
  print([...lines, `${verification.equal ? "equal" : "not equal"}: ${verification.reason}`, ""].join("\n"));
  return 0;
}

function optionsOf({ mode, policy }: VerifyArguments): VerifyOptions {
  if (mode !== undefined && policy !== undefined)
    throw new UsageError("Expected --mode or --policy, got both: a policy is another's grader, which has no modes.");
  if (policy !== undefined) {
    const known = POLICY_NAMES.find((name) => name === policy);
    if (known !== undefined) return { policy: known };
    const meant = nearest(policy, POLICY_NAMES);
    throw new UsageError(
      `Expected --policy of ${POLICY_NAMES.join(", ")}; got ${JSON.stringify(policy)}.${meant === null ? "" : ` Did you mean ${meant}?`}`,
    );
  }
  if (mode === undefined || mode === "lenient" || mode === "strict") return { mode: mode ?? "lenient" };
  throw new UsageError(`Expected --mode lenient or strict, got ${JSON.stringify(mode)}.`);
}
