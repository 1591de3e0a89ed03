/**
 * The process of a reward worker. Its main thread talks to the pool and is always there to do so; the rewards run in a thread of Piscina's.
 *
 * A reward that exits, or whose heap grows too large, ends the thread, and Piscina starts another. What ends the process (V8 that gives
 * up, a signal, native code) ends one worker. The record tells the pool which call it was. One that hangs is killed by the pool.
 */
import { writeFileSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { Piscina } from "piscina";
import { messageOf } from "../errors.ts";
import { receiveFrames, sendFrame } from "./frames.ts";
import { CHANNEL_FD, type ThreadReply, type WorkerReply, type WorkerSetup, type WorkerTask } from "./protocol.ts";

// Whoever stops all processes of a service means the trainer, which decides when its workers end.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
try {
  // Where memory runs out, Linux ends a worker before it ends the trainer.
  writeFileSync("/proc/self/oom_score_adj", "1000");
} catch {
  // Not Linux, or not allowed: the kernel chooses.
}
// What a reward prints is for people, and goes past the pool to its stderr.
process.stderr.write = process.stdout.write.bind(process.stdout);

const channel = new Socket({ fd: CHANNEL_FD });
// A worker lives as long as its pool.
channel.on("error", endGroup).on("close", endGroup);
let thread: Piscina | undefined;
receiveFrames(
  channel,
  (message) => {
    // The pool sends one setup and then tasks, one at a time.
    if (thread === undefined) thread = openThread(message as WorkerSetup);
    else void runTask(thread, message as WorkerTask);
  },
  endGroup,
);

function openThread({ requests, memoryMb }: WorkerSetup): Piscina {
  const opened = new Piscina({
    filename: fileURLToPath(new URL("./worker-thread.js", import.meta.url)),
    minThreads: 1,
    maxThreads: 1,
    resourceLimits: { maxOldGenerationSizeMb: memoryMb },
    workerData: requests,
  });
  // A thread that cannot even begin would leave its task waiting for ever.
  opened.on("error", endFor);
  return opened;
}

async function runTask(rewards: Piscina, task: WorkerTask): Promise<void> {
  let reply: WorkerReply;
  try {
    reply = (await rewards.run(task)) as ThreadReply;
  } catch (error) {
    reply = { status: "ended", reason: messageOf(error) };
  }
  sendFrame(channel, reply);
}

/** Last words, which the pool passes on. */
function endFor(error: unknown): void {
  try {
    writeSync(2, `Fatal error: ${messageOf(error)}\n`);
  } finally {
    endGroup();
  }
}

/** This process and all that its rewards started. */
function endGroup(): never {
  process.kill(-process.pid, "SIGKILL");
  throw new Error("A process outlived SIGKILL.");
}
