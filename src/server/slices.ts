/**
 * Short turns on the event loop. A thousand replies that land together are a second of parsing: done in one go it would freeze
 * heartbeats, deadlines and the progress line. Work that goes through `Slices` holds the loop for about one slice at a time.
 */

/** Long enough that the switch costs nothing, short enough that no timer notices. */
const defaultSliceMs = 8;

export class Slices {
  readonly #sliceMs: number;
  readonly #queue: (() => void)[] = [];
  #scheduled = false;

  constructor(sliceMs: number = defaultSliceMs) {
    this.#sliceMs = sliceMs;
  }

  /** Runs `work` in order of arrival, in this turn of the loop or a later one. */
  run<T>(work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#queue.push(() => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // setImmediate and not a microtask: sockets and timers get their turn between two slices
    setImmediate(() => void this.#slice());
  }

  async #slice(): Promise<void> {
    const end = performance.now() + this.#sliceMs;
    let next = this.#queue.shift();
    while (next !== undefined) {
      next();
      // Lets promises that `next` started go on, so that their work is inside the measured time too.
      await null;
      if (performance.now() >= end) break;
      next = this.#queue.shift();
    }
    this.#scheduled = false;
    if (this.#queue.length > 0) this.#schedule();
  }
}
