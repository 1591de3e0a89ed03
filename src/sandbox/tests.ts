/**
 * The tests of a problem, in the shapes that public data sets use:
 *
 *   verification_info   {"language": "python", "test_cases": [{"input", "output", "type": "stdin_stdout"}]}      Open-R1
 *                       and [{"input", "output", "fn_name": "f", "type": "function_call"}]
 *   input_output        {"inputs": […], "outputs": […], "fn_name"?: "f"}                                          APPS, TACO
 *   official_tests      the list of cases, Open-R1's Codeforces; `generated_checker` beside it
 *   tests, test_cases   the list of cases itself; a column may also be the JSON text of any of these
 *
 * `input` of a function is the list of its arguments, as JSON or as one JSON text per line. A case with `outputs` in place of `output` takes
 * any of them. A row's `checker` (checker.ts) decides where many outputs are right.
 */
import { messageOf } from "../errors.ts";
import { type Json, parseJson } from "./json.ts";
import { LANGUAGES, type Language } from "./protocol.ts";

export type TestCase =
  | {
      readonly kind: "stdin";
      readonly input: string;
      /** Any of these is right. */
      readonly outputs: readonly string[];
    }
  | {
      readonly kind: "function";
      readonly function: string;
      /** A JSON list of arguments. */
      readonly input: string;
      /** Any of these is right. */
      readonly outputs: readonly Json[];
    };

export interface Tests {
  /** null where the row does not say. */
  readonly language: Language | null;
  readonly cases: readonly TestCase[];
  /** A Python program that judges outputs, where the row has one. */
  readonly checker: string | null;
}

export const TEST_COLUMNS = ["verification_info", "test_cases", "input_output", "official_tests", "tests"] as const;
export const CHECKER_COLUMNS = ["checker", "generated_checker"] as const;

/**
 * The tests of a row; null where it has none. `column` names the place, else the first of TEST_COLUMNS that is there is read.
 * Throws an Error that names the column and the case where they cannot be read: a reward must not score on half of them.
 */
export function readTests(fields: Readonly<Record<string, unknown>>, column?: string): Tests | null {
  const name = column ?? TEST_COLUMNS.find((candidate) => fields[candidate] != null);
  const value = name === undefined ? undefined : fields[name];
  if (name === undefined || value == null) return null;
  try {
    // Numbers of an object were rounded before they came here; what a double cannot hold is refused below.
    const tests = testsOf(typeof value === "string" ? parseJson(value) : (value as Json));
    const checker = CHECKER_COLUMNS.map((place) => fields[place]).find(
      (text) => typeof text === "string" && text !== "",
    );
    return tests.cases.length === 0 ? null : { ...tests, checker: (checker as string | undefined) ?? null };
  } catch (error) {
    throw new Error(`Expected tests in column "${name}": ${messageOf(error)}`, { cause: error });
  }
}

function testsOf(value: Json): Omit<Tests, "checker"> {
  if (Array.isArray(value)) return { language: null, cases: casesOf(value, null) };
  const holder = mapOf(value, "the tests");
  const language = languageOf(holder["language"]);
  const name = textOrNull(holder["fn_name"]);
  const { inputs, outputs } = holder;
  if (Array.isArray(inputs) && Array.isArray(outputs)) {
    if (inputs.length !== outputs.length) {
      throw new Error(`expected as many outputs as inputs, got ${outputs.length} and ${inputs.length}.`);
    }
    const cases = inputs.map((input, index): Json => ({ input: input as Json, output: outputs[index] as Json }));
    return { language, cases: casesOf(cases, name).map(orUnwrapped) };
  }
  const cases = holder["test_cases"] ?? holder["tests"];
  if (!Array.isArray(cases)) throw new Error("expected test_cases, or inputs and outputs.");
  return { language, cases: casesOf(cases, name) };
}

/** APPS and TACO wrap most values of functions in a list of one, and some not: the graders that they came with take either. */
function orUnwrapped(test: TestCase): TestCase {
  const output = test.kind === "function" ? test.outputs[0] : undefined;
  if (test.kind !== "function" || !Array.isArray(output) || output.length !== 1) return test;
  return { ...test, outputs: [output, output[0] as Json] };
}

function casesOf(cases: readonly Json[], sharedName: string | null): TestCase[] {
  return cases.map((entry, index): TestCase => {
    const where = `case ${index}`;
    const { input, output, outputs: several, type, fn_name: ownName } = mapOf(entry, where);
    const outputs = Array.isArray(several) ? (several as readonly Json[]) : output === undefined ? [] : [output];
    if (outputs.length === 0) throw new Error(`${where} has no output.`);
    const name = textOrNull(ownName) ?? sharedName;
    if (type === "function_call" && name === null) throw new Error(`${where} is a function call without fn_name.`);
    if (name !== null && type !== "stdin_stdout") {
      if (!/^[\p{L}_$][\p{L}\p{N}_$]*(\.[\p{L}_$][\p{L}\p{N}_$]*)?$/u.test(name)) {
        throw new Error(`${where} names the function ${JSON.stringify(name)}; expected f or Class.method.`);
      }
      const expected = outputs.map((value) => (typeof value === "string" ? valueOfText(value) : value));
      for (const value of expected) refuseRounded(value, where);
      return { kind: "function", function: name, input: argumentsOf(input ?? [], where), outputs: expected };
    }
    return { kind: "stdin", input: textOf(input ?? "", where), outputs: outputs.map((text) => textOf(text, where)) };
  });
}

/** A text that is JSON is the value it spells, as in LiveCodeBench; any other is itself. */
function valueOfText(text: string): Json {
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}

function argumentsOf(input: Json, where: string): string {
  if (Array.isArray(input)) return writeJson(input, where);
  if (typeof input !== "string") throw new Error(`${where}: expected a list of arguments as the input.`);
  const whole = valueOfText(input);
  if (Array.isArray(whole) && !input.trim().includes("\n")) return input;
  const lines = input.split("\n").filter((line) => line.trim() !== "");
  for (const line of lines) parseJson(line);
  return `[${lines.join(",")}]`;
}

/** A list of lines, as APPS has it, is the text they make. */
function textOf(value: Json, where: string): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map((line) => textOf(line, where)).join("\n");
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  throw new Error(`${where}: expected texts as the input and output of a program.`);
}

function refuseRounded(value: Json, where: string): void {
  if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new Error(`${where}: ${value} was rounded; give the column as JSON text, which keeps large integers.`);
  }
  if (typeof value === "object" && value !== null) for (const item of Object.values(value)) refuseRounded(item, where);
}

function writeJson(value: Json, where: string): string {
  refuseRounded(value, where);
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return `[${value.map((item) => writeJson(item, where)).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}:${writeJson(item, where)}`);
    return `{${entries.join(",")}}`;
  }
  return JSON.stringify(value);
}

function mapOf(value: Json, what: string): Readonly<Record<string, Json>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, Json>>;
  }
  throw new Error(`expected ${what} to be an object, got ${Array.isArray(value) ? "a list" : typeof value}.`);
}

function languageOf(value: Json | undefined): Language | null {
  if (value === undefined || value === null) return null;
  const known = LANGUAGES.find((language) => language === value);
  if (known === undefined) throw new Error(`expected language ${LANGUAGES.join(" or ")}, got ${String(value)}.`);
  return known;
}

function textOrNull(value: Json | undefined): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
