/** What is wrong with a recipe, in sentences: every problem that zod found, with what was expected, what came, and the key that was meant. */
import type { z } from "zod";
import { nearest } from "./nearest.ts";
import { isMapping } from "./override.ts";
import { describeSchema, keysOf, oneOf, schemaAt, typeValues, wordsOf } from "./schema-words.ts";
import type { Path } from "./source.ts";

export interface Problem {
  readonly path: Path;
  /** Whether the key at `path` is wrong, or its value. */
  readonly part: "key" | "value";
  readonly message: string;
}

type Issue = z.core.$ZodIssue;

/** One problem per fault; `root` is the schema that parsed `value`. */
export function problemsOf(issues: readonly Issue[], root: z.core.$ZodType, value: unknown): Problem[] {
  const suggested = new Set<string>();
  const problems = issues.flatMap((issue) => problemsOfIssue(issue, [], root, value, suggested));
  // A misspelt required key is one fault, not two.
  return problems.filter(({ path, message }) => !(message.endsWith(MISSING) && suggested.has(path.join("."))));
}

const MISSING = "it is missing";

function problemsOfIssue(
  issue: Issue,
  prefix: Path,
  root: z.core.$ZodType,
  value: unknown,
  suggested: Set<string>,
): Problem[] {
  const path = [...prefix, ...issue.path.map((step) => (typeof step === "number" ? step : String(step)))];
  const got = valueAt(value, path);
  const schema = schemaAt(root, path, value);
  if (issue.code === "unrecognized_keys") {
    const keys = schema === null ? [] : keysOf(schema);
    return issue.keys.map((key) => {
      const meant = nearest(key, keys);
      if (meant !== null) suggested.add([...path, meant].join("."));
      const hint =
        meant === null ? (keys.length === 0 ? "" : `; expected one of ${keys.join(", ")}`) : `; did you mean ${meant}?`;
      return { path: [...path, key], part: "key", message: `unknown key ${key}${hint}` };
    });
  }
  if (issue.code === "invalid_union") return unionProblems(issue, path, root, value, suggested);
  return [
    { path, part: "value", message: `expected ${expectation(issue, schema)}, ${came(got, expectedWords(issue))}` },
  ];
}

function expectation(issue: Issue, schema: z.core.$ZodType | null): string {
  switch (issue.code) {
    case "invalid_type":
      return issue.expected === "int" ? "a whole number" : schema === null ? issue.expected : describeSchema(schema);
    case "invalid_value":
      return oneOf(issue.values.map(String));
    case "too_small":
      return amount(issue.origin, issue.inclusive === false ? "more than" : "at least", issue.minimum);
    case "too_big":
      return amount(issue.origin, issue.inclusive === false ? "less than" : "at most", issue.maximum);
    default:
      // Messages of the schema's own checks begin with this word.
      return issue.message.replace(/^expected /i, "");
  }
}

function amount(origin: string, relation: string, limit: number | bigint): string {
  if (origin === "string") return `text of ${relation} ${limit} characters`;
  if (origin === "array") return `a list of ${relation} ${limit} entries`;
  return `${origin === "int" ? "a whole number" : "a number"} of ${relation} ${limit}`;
}

function expectedWords(issue: Issue): string[] {
  return issue.code === "invalid_value" ? issue.values.map(String) : [];
}

function came(got: unknown, words: readonly string[]): string {
  if (got === undefined) return MISSING;
  const meant = typeof got === "string" ? nearest(got, words) : null;
  return `got ${short(got)}${meant === null ? "" : `; did you mean ${meant}?`}`;
}

/**
 * A union that nothing matched. Where the value shows which alternative was meant (its kind, its `type`), the faults are those of
 * that alternative; else the alternatives are named.
 */
function unionProblems(
  issue: Extract<Issue, { code: "invalid_union" }>,
  path: Path,
  root: z.core.$ZodType,
  value: unknown,
  suggested: Set<string>,
): Problem[] {
  const got = valueAt(value, path);
  if (issue.discriminator !== undefined) {
    const owner = schemaAt(root, path.slice(0, -1), value);
    const words = (owner === null ? [] : typeValues(owner)).map(String);
    return [{ path, part: "value", message: `expected ${oneOf(words)}, ${came(got, words)}` }];
  }
  const meant = issue.errors.filter((issues) => !issues.some((inner) => isAboutKind(inner)));
  const byType = meant.filter((issues) => !issues.some((inner) => inner.path.join(".") === "type"));
  const chosen = byType.length === 1 ? byType : meant;
  if (chosen.length === 1) return chosen[0]!.flatMap((inner) => problemsOfIssue(inner, path, root, value, suggested));
  const schema = schemaAt(root, path, value);
  const types = isMapping(got) && schema !== null ? typeValues(schema).map(String) : [];
  if (isMapping(got) && types.length > 0) {
    return [
      { path: [...path, "type"], part: "value", message: `expected ${oneOf(types)}, ${came(got["type"], types)}` },
    ];
  }
  const words = schema === null ? [] : wordsOf(schema);
  const expected = schema === null ? "another value" : describeSchema(schema);
  return [{ path, part: "value", message: `expected ${expected}, ${came(got, words)}` }];
}

/** The whole value is of another kind than the alternative wants. */
function isAboutKind({ code, path }: Issue): boolean {
  return path.length === 0 && (code === "invalid_type" || code === "invalid_value");
}

export function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const step of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, step)) return undefined;
    at = (at as Record<string | number, unknown>)[step];
  }
  return at;
}

function short(value: unknown): string {
  const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
