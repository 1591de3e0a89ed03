/** What the addon in build/ was made of; read before it is loaded, because a wrong libtorch corrupts memory instead of failing. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { RecipeError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import { inspectLibtorch } from "./libtorch.ts";

const stampSchema = z.object({
  /** Of everything that went in: sources, flags, compiler, libtorch, processor. */
  hash: z.string(),
  libtorch: z.object({
    root: z.string(),
    version: z.string(),
    cxx11Abi: z.boolean(),
    cuda: z.boolean(),
    origin: z.enum(["LIBTORCH", "python3", "installed"]),
  }),
  compiler: z.string(),
  platform: z.string(),
});

export type Stamp = z.infer<typeof stampSchema>;

export const platform = `${process.platform}-${process.arch}`;

export function addonPath(buildDir: string): string {
  return join(buildDir, "grouper.node");
}

export async function writeStamp(buildDir: string, stamp: Stamp): Promise<void> {
  await writeFileAtomic(join(buildDir, "grouper.json"), `${JSON.stringify(stamp, null, 2)}\n`);
}

/** Null where there is none, or where another version of Grouper wrote it. */
export async function readStamp(buildDir: string): Promise<Stamp | null> {
  const text = await readFile(join(buildDir, "grouper.json"), "utf8").catch(() => null);
  if (text === null || !existsSync(addonPath(buildDir))) return null;
  const parsed = stampSchema.safeParse(JSON.parse(text));
  return parsed.success ? parsed.data : null;
}

/** The stamp of an addon that may be loaded here; throws one sentence where it may not. */
export async function demandAddon(buildDir: string): Promise<Stamp> {
  const stamp = await readStamp(buildDir);
  if (stamp === null) {
    throw new RecipeError(`Expected the native engine in ${buildDir}, but it is not built. Type: grouper setup`);
  }
  if (stamp.platform !== platform) {
    throw new RecipeError(
      `The native engine in ${buildDir} is for ${stamp.platform}, this is ${platform}. Type: grouper setup`,
    );
  }
  const { root, version, origin } = stamp.libtorch;
  const present = existsSync(root) ? (await inspectLibtorch(root, origin)).version : "nothing";
  if (present !== version) {
    throw new RecipeError(
      `The native engine was built against libtorch ${version}, but ${root} now holds ${present}. Type: grouper setup`,
    );
  }
  return stamp;
}
