import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { recipeJsonSchema } from "../../src/recipe/json-schema.ts";

const committed: unknown = JSON.parse(readFileSync(resolve(import.meta.dirname, "../../recipe.schema.json"), "utf8"));

describe("recipe.schema.json", () => {
  it("says what the code says; `npm run schema` writes it anew", () => {
    expect(committed).toEqual(JSON.parse(JSON.stringify(recipeJsonSchema())));
  });

  it("resolves every reference within itself", () => {
    const references = JSON.stringify(committed).match(/"#\/definitions\/[^"]+"/g) ?? [];
    const definitions = Object.keys(recipeJsonSchema().definitions ?? {});
    expect(references.length).toBeGreaterThan(2);
    for (const reference of references)
      expect(definitions).toContain(JSON.parse(reference).slice("#/definitions/".length));
  });

  it("explains every key of a stage where it is not plain from its name", () => {
    const text = JSON.stringify(committed);
    expect(text).toContain("Optimizer steps that share one rollout batch.");
    expect(text.match(/"description"/g)!.length).toBeGreaterThan(60);
  });
});
