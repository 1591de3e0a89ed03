/**
 * How much may be in flight. A classic vLLM queues without bound, so the cap is the client's; whoever takes the whole gate has
 * the server to itself, which is how weights are exchanged between two completions and never inside one.
 */

interface Waiter {
  readonly units: number;
  readonly enter: () => void;
}

export class Gate {
  readonly capacity: number;
  #taken = 0;
  readonly #waiters: Waiter[] = [];

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** Waits, first come first served, for `units` of the capacity; the returned function gives them back and is safe twice. */
  async enter(units: number, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    const share = Math.min(units, this.capacity);
    if (this.#waiters.length > 0 || this.#taken + share > this.capacity) await this.#wait(share, signal);
    else this.#taken += share;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#taken -= share;
      this.#admit();
    };
  }

  #wait(units: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        units,
        enter: () => {
          signal?.removeEventListener("abort", giveUp);
          resolve();
        },
      };
      const giveUp = () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        this.#admit();
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", giveUp, { once: true });
      this.#waiters.push(waiter);
    });
  }

  #admit(): void {
    let next = this.#waiters[0];
    while (next !== undefined && this.#taken + next.units <= this.capacity) {
      this.#waiters.shift();
      this.#taken += next.units;
      next.enter();
      next = this.#waiters[0];
    }
  }
}
