/**
 * What Piscina loads in every reward thread: a CommonJS file, because Piscina asks for it with `require`, and Node (20.20.2 and
 * 22.23.3, not 24.9.0) aborts the whole process when a thread is ended in the middle of requiring an ES module. Threads are ended at any
 * time: at a deadline, and with the pool. Ending one in the middle of `import()` harms nobody.
 */
import type { WorkerReply, WorkerTask } from "./protocol.ts";

async function runTask(task: WorkerTask): Promise<WorkerReply> {
  const worker = await import("./worker.ts");
  return worker.default(task);
}

module.exports = runTask;
