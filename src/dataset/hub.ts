/** Files of a Hugging Face dataset, downloaded once into the standard cache. */
import { realpath, rm, stat } from "node:fs/promises";
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
  /** For tests and proxies. Node's own gives up after 10 s without a connection and 300 s without a byte. */
  readonly fetch?: typeof fetch;
  readonly cacheDir?: string;
  /** For private and gated datasets. */
  readonly accessToken?: string | undefined;
  /** A mirror; default: huggingface.co. */
  readonly hubUrl?: string | undefined;
}

/** Local paths of the split's files, in name order. Throws RecipeError with what the dataset has instead. */
export async function downloadSplit(
  { dataset, config, split, revision }: HubSource,
  { fetch, cacheDir, accessToken, hubUrl }: HubOptions = {},
): Promise<string[]> {
  const common = {
    repo: { type: "dataset" as const, name: dataset },
    revision,
    ...(fetch === undefined ? {} : { fetch }),
    ...(accessToken === undefined ? {} : { accessToken }),
    ...(hubUrl === undefined ? {} : { hubUrl }),
  };
  // The library announces downloads by console.debug, which Node writes to stdout; that is for results.
  console.debug = console.error;
  try {
    const sizes = new Map<string, number>();
    for await (const { path, type, size } of listFiles({ ...common, recursive: true })) {
      if (type === "file" && /\.(parquet|jsonl|jsonl\.gz|json)$/.test(path)) sizes.set(path, size);
    }
    const chosen = chooseFiles([...sizes.keys()], { dataset, config, split });
    const paths: string[] = [];
    for (const path of chosen) {
      const local = await downloadFileToCacheDir({ ...common, path, ...(cacheDir === undefined ? {} : { cacheDir }) });
      await checkSize(local, sizes.get(path)!, path);
      paths.push(local);
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

/** Files of one split lie in one folder and have one kind; more than one such set would mix configurations, or rows twice. */
function chooseFiles(files: readonly string[], { dataset, config, split }: Omit<HubSource, "revision">): string[] {
  const chosen = files.filter((path) => isOfSplit(path, config, split)).sort();
  if (chosen.length === 0) {
    throw new RecipeError(
      `Expected files of split ${split}${config === undefined ? "" : ` of config ${config}`} in dataset ${dataset}, but it has only: ${files.slice(0, 20).join(", ") || "no data files"}.`,
    );
  }
  const sets = [...new Set(chosen.map((path) => path.replace(/[^/]*?(?=\.[a-z.]+$)/, "*")))];
  if (sets.length > 1) {
    throw new RecipeError(
      `Expected one set of files for split ${split} in dataset ${dataset}, but it has ${sets.join(" and ")}. Say in data.config which folder is meant, e.g. ${sets[0]!.split(/[/.]/).find((word) => word !== "*" && word !== "data") ?? "main"}.`,
    );
  }
  return chosen;
}

/** The hub's naming: the split is a word of the file's name, the config a folder or its prefix. */
function isOfSplit(path: string, config: string | undefined, split: string): boolean {
  const words = path.split(/[/._-]/);
  return words.includes(split) && (config === undefined || path.split("/").includes(config) || words.includes(config));
}

/** The library takes a connection that closed early for the end of a file. */
async function checkSize(local: string, size: number, path: string): Promise<void> {
  const found = (await stat(local)).size;
  if (found === size) return;
  // The cache holds a link to the bytes: both go, so that the next try downloads again.
  await rm(await realpath(local));
  await rm(local, { force: true });
  throw new Error(`${path} came with ${found} of its ${size} bytes`);
}
