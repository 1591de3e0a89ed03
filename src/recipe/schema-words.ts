/** Reads a zod schema: which keys it has, which alternatives, and how to say in words what it wants. */
import type { z } from "zod";
import { isMapping } from "./override.ts";
import type { Path } from "./source.ts";

type Schema = z.core.$ZodTypes;

/** Without optional, default and the like. */
function unwrap(schema: z.core.$ZodType): Schema {
  const known = schema as Schema;
  const { def } = known._zod;
  switch (def.type) {
    case "optional":
    case "nullable":
    case "default":
    case "prefault":
    case "readonly":
    case "nonoptional":
    case "catch":
      return unwrap(def.innerType);
    default:
      return known;
  }
}

/** The schema of what stands at `path` in `value`; unions are followed by the value's `type`. Null where there is none. */
export function schemaAt(root: z.core.$ZodType, path: Path, value: unknown): z.core.$ZodType | null {
  const schema = objectOf(root, value);
  const [step, ...rest] = path;
  if (step === undefined) return schema;
  const child =
    isMapping(value) || Array.isArray(value) ? (value as Record<string | number, unknown>)[step] : undefined;
  const { def } = schema._zod;
  const next =
    def.type === "object"
      ? def.shape[step]
      : def.type === "array"
        ? def.element
        : def.type === "record"
          ? def.valueType
          : undefined;
  return next === undefined ? null : schemaAt(next, rest, child);
}

/** Of a union, the alternative that the value means to be; else the schema itself. */
function objectOf(root: z.core.$ZodType, value: unknown): Schema {
  const schema = unwrap(root);
  const { def } = schema._zod;
  if (def.type !== "union") return schema;
  const alternatives = def.options.map((option) => objectOf(option, value));
  const wanted = isMapping(value) ? value["type"] : undefined;
  const objects = alternatives.filter((option) => option._zod.def.type === "object");
  const byType = objects.find((option) => typeValues(option).includes(wanted));
  const byKind = Array.isArray(value) ? alternatives.find((option) => option._zod.def.type === "array") : undefined;
  return byType ?? byKind ?? (isMapping(value) && objects.length === 1 ? objects[0]! : schema);
}

/** Keys of an object; of a union, of all its alternatives. */
export function keysOf(root: z.core.$ZodType): string[] {
  const { def } = unwrap(root)._zod;
  if (def.type === "object") return Object.keys(def.shape);
  return def.type === "union" ? [...new Set(def.options.flatMap(keysOf))] : [];
}

/** The words that are allowed where a schema wants one of some words; the values of `type` for a union of objects. */
export function wordsOf(root: z.core.$ZodType): string[] {
  const schema = unwrap(root);
  const { def } = schema._zod;
  if (def.type === "enum") return Object.values(def.entries).map(String);
  if (def.type === "literal") return def.values.map(String);
  return def.type === "union" ? def.options.flatMap(wordsOf) : [];
}

/** The values that `type` may have in an object or a union of them. */
export function typeValues(root: z.core.$ZodType): unknown[] {
  const { def } = unwrap(root)._zod;
  if (def.type === "union") return def.options.flatMap(typeValues);
  const type = def.type === "object" ? def.shape["type"] : undefined;
  if (type === undefined) return [];
  const inner = unwrap(type)._zod.def;
  return inner.type === "literal" ? [...inner.values] : inner.type === "enum" ? Object.values(inner.entries) : [];
}

/** "a list", "text", "one of a, b or { type: chat }". */
export function describeSchema(root: z.core.$ZodType): string {
  const { def } = unwrap(root)._zod;
  switch (def.type) {
    case "string":
      return "text";
    case "number":
      return "a number";
    case "boolean":
      return "true or false";
    case "array":
      return "a list";
    case "enum":
    case "literal":
      return oneOf(wordsOf(root));
    case "union":
      return [...new Set(def.options.map(describeSchema))].join(", or ");
    case "object": {
      const [type] = typeValues(root);
      return type === undefined
        ? `a mapping with ${Object.keys(def.shape).join(", ")}`
        : `{ type: ${String(type)}, … }`;
    }
    default:
      return "a mapping";
  }
}

export function oneOf(words: readonly string[]): string {
  return words.length === 1 ? words[0]! : `one of ${words.join(", ")}`;
}
