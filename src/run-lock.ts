/** The lock of a run folder: one writer at a time, and a dead owner's lock is taken over. */
import { readFileSync } from "node:fs";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { z } from "zod";
import { RecipeError } from "./errors.ts";

const ownerSchema = z.object({ pid: z.int(), startedAt: z.string().optional(), host: z.string(), boot: z.string() });

type Owner = z.infer<typeof ownerSchema>;

/**
 * Takes the lock at `path`; the result releases it. The lock names the process by id and start, the host and its boot, so that a dead
 * owner is recognised even where ids are used again. Throws RecipeError that names a living owner.
 */
export async function takeLock(path: string): Promise<() => Promise<void>> {
  const mine: Owner = { pid: process.pid, startedAt: startOf(process.pid), host: hostname(), boot: bootId() };
  // A link appears with its content or not at all; a file would be empty for a moment.
  const draft = `${path}.tmp-${process.pid}-${nextDraft++}`;
  await writeFile(draft, JSON.stringify(mine));
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        await link(draft, path);
        return () => rm(path, { force: true });
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error;
      }
      const found = await readFile(path, "utf8").catch(() => null);
      if (found === null) continue;
      refuseLiving(path, found);
      await removeStale(path, found, draft);
    }
  } finally {
    await rm(draft, { force: true });
  }
  throw new RecipeError(`Could not lock ${path}: another process keeps taking it.`);
}

let nextDraft = 0;

function refuseLiving(path: string, text: string): void {
  const owner = ownerSchema.safeParse(parseJson(text));
  if (!owner.success || !isAlive(owner.data)) return;
  throw new RecipeError(
    `Another process writes to this run: ${path} is held by process ${owner.data.pid} on ${owner.data.host}. Wait for it to end, or stop it.`,
  );
}

/** Moves the lock aside and looks at it: between our reading and our moving, another may have taken it over. */
async function removeStale(path: string, expected: string, draft: string): Promise<void> {
  const aside = `${draft}.stale`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    throw error;
  }
  if ((await readFile(aside, "utf8")) !== expected) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

/** A lock of another host counts as held: it cannot be checked from here. */
function isAlive({ pid, startedAt, host, boot }: Owner): boolean {
  if (host !== hostname()) return true;
  if (boot !== bootId()) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === "EPERM";
  }
  return startedAt === undefined || startedAt === startOf(pid);
}

/** When a process started, in clock ticks since boot; "unknown" where the system does not say. */
function startOf(pid: number): string {
  try {
    // The name, in parentheses, may hold spaces; the start is the 20th field after it.
    const [, fields = ""] = /\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
    return fields.split(" ")[19] ?? "unknown";
  } catch {
    return "unknown";
  }
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "unknown";
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
