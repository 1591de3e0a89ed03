/** `npm run schema`: writes recipe.schema.json. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../paths.ts";
import { recipeJsonSchema } from "./json-schema.ts";

writeFileSync(join(packageRoot, "recipe.schema.json"), `${JSON.stringify(recipeJsonSchema(), null, 2)}\n`);
