/** What the tests ask of the machine: whether it can give a program namespaces of its own, and which processes are there. */
import { readdirSync, readFileSync } from "node:fs";
import { openSandbox } from "../../src/sandbox/sandbox.ts";

/** Tests that need namespaces are skipped where there are none, and say so. */
export const canConfine: boolean = await isHeld();

async function isHeld(): Promise<boolean> {
  await using sandbox = openSandbox();
  try {
    await sandbox.check();
    return true;
  } catch (error) {
    process.stderr.write(`tests of the confined sandbox are skipped: ${String(error)}\n`);
    return false;
  }
}

/** Ids of the processes of this machine whose command line holds the text. */
export function processesOf(text: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text);
    } catch {
      return false;
    }
  });
}

/** Ids of the processes that a process has started and that are still there. */
export function childrenOf(parent: number): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return (
        /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ")[1] === `${parent}`
      );
    } catch {
      return false;
    }
  });
}
