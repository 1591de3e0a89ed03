/** Watches, through the records of the workers, which call each is in, and aborts the task of a call that takes too long. */
import { NOT_STARTED, type TaskRecord } from "./protocol.ts";

/** A task in a worker. */
export interface WatchedTask {
  readonly record: TaskRecord;
  readonly abort: AbortController;
  /** The unit last seen running, and for how long it has been seen. */
  seenUnit: number;
  ageMs: number;
  /** The unit it was aborted for; NOT_STARTED or LOADING when the worker did not get that far. */
  killedFor: number | undefined;
}

export class Watchdog {
  readonly deadlineMs: number;
  readonly startDeadlineMs: number;
  private readonly tasks = new Set<WatchedTask>();
  private readonly intervalMs: number;
  private timer: NodeJS.Timeout | undefined;
  private readonly suspectMs: number;
  private readonly onStuck: () => void;
  private lastTick = 0;

  /** `onStuck` is told when a call is so late that its worker should not be waited for. */
  constructor(deadlineMs: number, startDeadlineMs: number, onStuck: () => void = () => {}) {
    this.deadlineMs = deadlineMs;
    this.startDeadlineMs = startDeadlineMs;
    this.suspectMs = Math.min(500, deadlineMs / 4);
    this.onStuck = onStuck;
    this.intervalMs = Math.min(100, Math.max(2, deadlineMs / 20));
  }

  get numTasks(): number {
    return this.tasks.size;
  }

  /** Tasks in a call that takes suspiciously long, though not yet past its deadline. */
  get numStuck(): number {
    return [...this.tasks].filter((task) => this.isStuck(task)).length;
  }

  watch(record: TaskRecord): WatchedTask {
    const task = { record, abort: new AbortController(), seenUnit: NOT_STARTED, ageMs: 0, killedFor: undefined };
    this.tasks.add(task);
    if (this.timer === undefined) {
      this.lastTick = performance.now();
      this.timer = setInterval(() => this.tick(), this.intervalMs);
    }
    return task;
  }

  unwatch(task: WatchedTask): void {
    this.tasks.delete(task);
    if (this.tasks.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private tick(): void {
    const now = performance.now();
    // Time in which this process did not run (a suspended laptop, a stopped job) is nobody's fault and does not count.
    const passedMs = Math.min(now - this.lastTick, 5 * this.intervalMs);
    this.lastTick = now;
    const numStuckBefore = this.numStuck;
    for (const task of this.tasks) {
      const unit = task.record.runningUnit;
      task.ageMs = unit === task.seenUnit ? task.ageMs + passedMs : 0;
      task.seenUnit = unit;
      if (task.ageMs >= (unit < 0 ? this.startDeadlineMs : this.deadlineMs)) abort(task);
    }
    if (this.numStuck > numStuckBefore) this.onStuck();
  }

  private isStuck({ seenUnit, ageMs }: WatchedTask): boolean {
    return seenUnit >= 0 && ageMs >= this.suspectMs;
  }
}

function abort(task: WatchedTask): void {
  if (task.killedFor !== undefined) return;
  task.killedFor = task.seenUnit;
  task.abort.abort();
}
