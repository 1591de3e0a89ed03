/** One sandbox per reward worker and setting: its interpreter stays warm from one completion to the next, and ends with the worker. */
import type { Isolation } from "./launch.ts";
import { openSandbox, type Sandbox } from "./sandbox.ts";

const opened = new Map<Isolation, Sandbox>();

/** Opened at the first use. Ended by the worker's end: its interpreter reads the end of its input, or the kernel ends it. */
export function sharedSandbox(isolation: Isolation): Sandbox {
  let sandbox = opened.get(isolation);
  if (sandbox === undefined) {
    sandbox = openSandbox({ isolation });
    opened.set(isolation, sandbox);
  }
  return sandbox;
}

/** Closes all of them; the next use opens new ones. */
export async function closeSharedSandboxes(): Promise<void> {
  const sandboxes = [...opened.values()];
  opened.clear();
  await Promise.all(sandboxes.map((sandbox) => sandbox.close()));
}
