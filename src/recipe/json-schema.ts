/** The recipe as JSON Schema, for completion and checks in editors, and for naming the nearest valid key. */
import { z } from "zod";
import { recipe } from "./schema.ts";

/** The part of JSON Schema that is walked here. */
export interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly required?: readonly string[];
  readonly [keyword: string]: unknown;
}

/** Draft 7 of what a recipe file may hold; `stage` is the shorthand for a list of one. */
export function recipeJsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(recipe, { io: "input", target: "draft-7", reused: "inline" }) as JsonSchema;
  const { stages, ...properties } = schema.properties ?? {};
  return {
    ...schema,
    title: "Grouper recipe",
    properties: {
      ...properties,
      stages: stages!,
      stage: { ...stages!.items, description: "The only stage; shorthand for a list of one." },
    },
    required: (schema.required ?? []).filter((key) => key !== "stages"),
  };
}

/** Keys that the schema allows in the object at `path` of `value`; alternatives are told apart by their `type`. */
export function allowedKeys(schema: JsonSchema, path: readonly PropertyKey[], value: unknown): string[] {
  let nodes = alternatives(schema, value);
  let here = value;
  for (const key of path) {
    here = typeof here === "object" && here !== null ? (here as Record<PropertyKey, unknown>)[key] : undefined;
    const next = nodes.flatMap((node) => (typeof key === "number" ? [node.items] : [node.properties?.[String(key)]]));
    nodes = next.filter((node) => node !== undefined).flatMap((node) => alternatives(node, here));
  }
  return [...new Set(nodes.flatMap((node) => Object.keys(node.properties ?? {})))];
}

function alternatives(node: JsonSchema, value: unknown): JsonSchema[] {
  const options = node.anyOf ?? node.oneOf ?? node.allOf;
  if (options === undefined) return [node];
  const type = typeof value === "object" && value !== null && "type" in value ? value.type : undefined;
  const flat = options.flatMap((option) => alternatives(option, value));
  const fitting = flat.filter((option) => type !== undefined && option.properties?.["type"]?.const === type);
  return fitting.length > 0 ? fitting : flat;
}
