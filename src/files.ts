/** Files that a crash must not cut: either the old content is there or the new one, never a part. */
import { open, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { threadId } from "node:worker_threads";

/** Writes a temporary file beside `path`, syncs it, and renames it over `path`. An iterable is written piece by piece. */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array | AsyncIterable<Uint8Array>,
): Promise<void> {
  // Threads share the process id, and each has a counter of its own.
  const temporary = `${path}.tmp-${process.pid}-${threadId}${String(nextId++).padStart(9, "0")}`;
  const file = await open(temporary, "wx");
  try {
    try {
      await writeFile(file, data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** True of the names that writeFileAtomic writes under: such a file is what a killed process left behind. */
export function isTemporaryFile(name: string): boolean {
  return /\.tmp-\d+-\d+(\.stale)?$/.test(name);
}

/** Makes renames within `dir` durable. */
export async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

let nextId = 0;
