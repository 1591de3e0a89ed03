/** Whether this machine can give a program namespaces of its own; tests that need them are skipped where it cannot. */
import { openSandbox } from "../../src/sandbox/sandbox.ts";

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
