/** The recipe as JSON Schema (draft 7), for completion, hover texts and checks in editors. */
import { z } from "zod";
import { recipe } from "./schema.ts";

interface JsonSchema {
  readonly [keyword: string]: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly definitions?: Readonly<Record<string, JsonSchema>>;
}

/** What a recipe file may hold: `stage` beside `stages`, and a file that extends another may leave out anything. */
export function recipeJsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(recipe, { io: "input", target: "draft-7", reused: "ref" }) as JsonSchema;
  const { stages, ...properties } = schema.properties ?? {};
  if (stages?.items === undefined) throw new Error("the recipe's schema has no list of stages");
  const stage = { $ref: "#/definitions/stage" };
  const changes = {
    type: "object",
    additionalProperties: { type: "object" },
    description: "Beside `extends`: changes to its stages, by their names.",
  };
  return {
    ...schema,
    title: "Grouper recipe",
    properties: {
      ...properties,
      extends: { type: "string", description: "Another recipe: mappings are merged, everything else is replaced." },
      stages: { anyOf: [{ ...stages, items: stage }, changes], description: stages["description"] },
      stage,
    },
    required: [],
    anyOf: [{ required: ["extends"] }, { required: ["model", "stages"] }, { required: ["model", "stage"] }],
    definitions: { ...schema.definitions, stage: stages.items },
  };
}
