/** Files of a Hugging Face dataset, downloaded once into the standard cache. */
import { downloadFileToCacheDir, listFiles } from "@huggingface/hub";
import { messageOf, RecipeError } from "../errors.ts";

export interface HubSource {
  /** e.g. "openai/gsm8k" */
  readonly dataset: string;
  /** Sub-folder of the dataset, e.g. "main"; default: all. */
  readonly config?: string | undefined;
  readonly split: string;
  readonly revision: string;
}

export interface HubOptions {
  /** For tests and proxies. */
  readonly fetch?: typeof fetch;
  readonly cacheDir?: string;
  /** Reads private datasets; HF_TOKEN. */
  readonly accessToken?: string | undefined;
}

/** Local paths of the split's files, in name order. Throws RecipeError with what the dataset has instead. */
export async function downloadSplit(
  { dataset, config, split, revision }: HubSource,
  { fetch, cacheDir, accessToken }: HubOptions = {},
): Promise<string[]> {
  const common = {
    repo: { type: "dataset" as const, name: dataset },
    revision,
    ...(fetch === undefined ? {} : { fetch }),
    ...(accessToken === undefined ? {} : { accessToken }),
  };
  try {
    const files: string[] = [];
    for await (const { path, type } of listFiles({ ...common, recursive: true })) {
      if (type === "file" && /\.(parquet|jsonl|jsonl\.gz|json)$/.test(path)) files.push(path);
    }
    const chosen = files.filter((path) => isOfSplit(path, config, split)).sort();
    if (chosen.length === 0) {
      throw new RecipeError(
        `Expected files of split ${split}${config === undefined ? "" : ` of config ${config}`} in dataset ${dataset}, but it has only: ${files.slice(0, 20).join(", ") || "no data files"}.`,
      );
    }
    const paths: string[] = [];
    for (const path of chosen) {
      paths.push(await downloadFileToCacheDir({ ...common, path, ...(cacheDir === undefined ? {} : { cacheDir }) }));
    }
    return paths;
  } catch (error) {
    if (error instanceof RecipeError) throw error;
    throw new RecipeError(
      `Could not get dataset ${dataset} (revision ${revision}) from the Hugging Face hub: ${messageOf(error)}. Check the name and the network, or download it and use type: file.`,
      { cause: error },
    );
  }
}

/** The hub's naming: the split is a word of the file's name, the config a folder or its prefix. */
function isOfSplit(path: string, config: string | undefined, split: string): boolean {
  const words = path.split(/[/._-]/);
  return words.includes(split) && (config === undefined || path.split("/").includes(config) || words.includes(config));
}
