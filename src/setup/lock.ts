/** One set-up at a time in a folder: a lock file that names its holder, so that a dead holder's lock is taken over. */
import { open, readFile, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { RecipeError } from "../errors.ts";

export interface LockOptions {
  readonly path: string;
  /** How long to wait for another holder. */
  readonly timeoutMs: number;
}

/** Runs `work` while this process alone holds the lock. */
export async function withLock<Result>({ path, timeoutMs }: LockOptions, work: () => Promise<Result>): Promise<Result> {
  const deadline = Date.now() + timeoutMs;
  while (!(await tryLock(path))) {
    const holder = await readHolder(path);
    if (holder !== null && isDead(holder)) {
      await rm(path, { force: true });
      continue;
    }
    if (Date.now() > deadline) {
      throw new RecipeError(
        `Another set-up has held ${path} for ${timeoutMs / 1000} s (process ${holder ?? "unknown"}). If none is running, remove that file.`,
      );
    }
    await sleep(200);
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function tryLock(path: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    await file.writeFile(`${process.pid} ${hostname()}\n`);
    await file.close();
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

/** Null while the holder has yet to write its name, or when it just let go. */
async function readHolder(path: string): Promise<string | null> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.trim() || null;
}

/** Only a process of this host can be asked. */
function isDead(holder: string): boolean {
  const [pid, host] = holder.split(" ");
  if (host !== hostname()) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ESRCH";
  }
}
