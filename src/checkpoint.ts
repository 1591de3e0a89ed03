/**
 * Checkpoints that a crash cannot cut: written under a temporary name, synced, listed with sizes and SHA-256 in a manifest, then
 * renamed. A folder without a valid manifest is no checkpoint. A checkpoint holds a Hugging Face folder (`model/`, loadable by
 * anything), the engine's state (`state/`), and the loop's own counters (`loop.json`).
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { messageOf, RecipeError } from "./errors.ts";
import { syncFolder } from "./files.ts";

const MANIFEST = "manifest.json";
const TEMPORARY = ".tmp-";

const manifestSchema = z.strictObject({
  format: z.literal(1),
  files: z.record(z.string(), z.strictObject({ sizeBytes: z.int().nonnegative(), sha256: z.string() })),
});

/** Writes the Hugging Face folder and the engine's state into these existing, empty folders. */
export type CheckpointWriter = (folders: { readonly modelDir: string; readonly stateDir: string }) => Promise<void>;

/** Writes `dir` as a whole or not at all; `loop` is anything that JSON keeps. */
export async function writeCheckpoint(dir: string, loop: unknown, write: CheckpointWriter): Promise<void> {
  const parent = join(dir, "..");
  await mkdir(parent, { recursive: true });
  await removeLeftovers(parent);
  const temporary = join(parent, `${TEMPORARY}${process.pid}-${Date.now()}`);
  const modelDir = join(temporary, "model");
  const stateDir = join(temporary, "state");
  try {
    await mkdir(modelDir, { recursive: true });
    await mkdir(stateDir);
    await write({ modelDir, stateDir });
    await writeFile(join(temporary, "loop.json"), JSON.stringify(loop));
    const files: Record<string, { sizeBytes: number; sha256: string }> = {};
    for (const path of await listFiles(temporary)) {
      const full = join(temporary, path);
      await syncFile(full);
      files[path.split(sep).join("/")] = { sizeBytes: (await stat(full)).size, sha256: await sha256Of(full) };
    }
    const manifest = join(temporary, MANIFEST);
    await writeFile(manifest, JSON.stringify({ format: 1, files }, null, 1));
    await syncFile(manifest);
    for (const folder of await foldersOf(temporary)) await syncFolder(folder);
    // A checkpoint of the same step is left over from before an interruption; the state it names is the same.
    await rm(dir, { recursive: true, force: true });
    await rename(temporary, dir);
    await syncFolder(parent);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw new RecipeError(
      `Could not write checkpoint ${dir}: ${messageOf(error)}. Nothing was lost: the previous checkpoint is intact. Free disk space or change outputDir, then resume.`,
      { cause: error },
    );
  }
}

export interface Checkpoint {
  readonly dir: string;
  readonly modelDir: string;
  readonly stateDir: string;
  /** The loop's own counters. */
  readonly loop: unknown;
}

/** Checks every byte against the manifest and returns the loop's counters. Throws RecipeError naming the first fault. */
export async function readCheckpoint(dir: string): Promise<Checkpoint> {
  const refuse = (fault: string): never => {
    throw new RecipeError(`Expected a complete checkpoint in ${dir}, but ${fault}.`);
  };
  const text = await readFile(join(dir, MANIFEST), "utf8").catch(() => refuse(`it has no ${MANIFEST}`));
  const parsed = manifestSchema.safeParse(parseJson(text));
  if (!parsed.success) return refuse(`its ${MANIFEST} is not readable`);
  for (const [path, { sizeBytes, sha256 }] of Object.entries(parsed.data.files)) {
    const full = join(dir, path);
    const size = await stat(full).then(
      (s) => s.size,
      () => refuse(`${path} is missing`),
    );
    if (size !== sizeBytes) refuse(`${path} has ${size} bytes instead of ${sizeBytes}`);
    if ((await sha256Of(full)) !== sha256)
      refuse(`${path} does not have the content that was written (SHA-256 differs)`);
  }
  return {
    dir,
    modelDir: join(dir, "model"),
    stateDir: join(dir, "state"),
    loop: parseJson(await readFile(join(dir, "loop.json"), "utf8")),
  };
}

/** Deletes what crashed writers left behind. */
export async function removeLeftovers(parent: string): Promise<void> {
  for (const entry of await readdir(parent).catch(() => [])) {
    if (entry.startsWith(TEMPORARY)) await rm(join(parent, entry), { recursive: true, force: true });
  }
}

/** Keeps the newest `keep` of `dirs` (oldest first) and all of `protectedDirs`; returns those that stay. */
export async function pruneCheckpoints(
  dirs: readonly string[],
  keep: number,
  protectedDirs: readonly string[],
): Promise<string[]> {
  const staying = dirs.filter((dir, i) => i >= dirs.length - keep || protectedDirs.includes(dir));
  for (const dir of dirs) if (!staying.includes(dir)) await rm(dir, { recursive: true, force: true });
  return staying;
}

export async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}

async function listFiles(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)))
    .sort();
}

/** `dir` and all folders in it, innermost first. */
async function foldersOf(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true, recursive: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => join(entry.parentPath, entry.name));
  return [dir, ...folders.sort()].reverse();
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
