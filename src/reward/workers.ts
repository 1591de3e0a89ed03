/** The workers of a pool: as many as were ever needed at a time, of which the spare ones end when they stay idle. */
import { WorkerProcess, type WorkerProcessOptions } from "./worker-process.ts";

/** A spare that was needed may soon be needed again. */
const SPARE_IDLE_MS = 10_000;

export class Workers {
  private readonly options: WorkerProcessOptions;
  /** So many stay. */
  private readonly numThreads: number;
  private readonly all = new Set<WorkerProcess>();
  private readonly idle: WorkerProcess[] = [];

  constructor(options: WorkerProcessOptions, numThreads: number) {
    this.options = options;
    this.numThreads = numThreads;
  }

  /** One that waits, or a new one. Throws when the machine gives none. */
  take(): WorkerProcess {
    for (let worker = this.idle.pop(); worker !== undefined; worker = this.idle.pop()) {
      if (!worker.hasEnded) return worker;
      this.end(worker);
    }
    const worker = new WorkerProcess(this.options);
    this.all.add(worker);
    return worker;
  }

  /** After its task, however that ended. */
  giveBack(worker: WorkerProcess): void {
    if (worker.hasEnded) {
      this.end(worker);
      return;
    }
    this.idle.push(worker);
    if (this.all.size > this.numThreads) setTimeout(() => this.endSpare(), SPARE_IDLE_MS).unref();
  }

  async close(): Promise<void> {
    await Promise.all([...this.all].map((worker) => worker.close()));
  }

  private endSpare(): void {
    // The one that has waited longest.
    if (this.all.size > this.numThreads && this.idle.length > 0) this.end(this.idle.shift()!);
  }

  private end(worker: WorkerProcess): void {
    void worker.close().then(() => this.all.delete(worker));
  }
}
