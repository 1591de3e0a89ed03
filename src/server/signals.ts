/** Signals that belong to one piece of work, and let go of their parents when it ends. */
import { setMaxListeners } from "node:events";

export interface LinkedSignal {
  readonly signal: AbortSignal;
  readonly abort: (reason: unknown) => void;
  /** Takes the listeners off the parents, which live longer and would gather them. */
  readonly unlink: () => void;
}

/** A signal that is aborted with, and for the reason of, any of its parents. */
export function linkSignals(...parents: readonly (AbortSignal | undefined)[]): LinkedSignal {
  const controller = new AbortController();
  const unlinks: (() => void)[] = [];
  for (const parent of parents) {
    if (parent === undefined) continue;
    // A thousand pieces of work under one signal are not a leak: each unlinks.
    setMaxListeners(0, parent);
    if (parent.aborted) controller.abort(parent.reason);
    const forward = () => controller.abort(parent.reason);
    parent.addEventListener("abort", forward, { once: true });
    unlinks.push(() => parent.removeEventListener("abort", forward));
  }
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    unlink: () => {
      for (const unlink of unlinks) unlink();
    },
  };
}

/** Promise.all that stops the others when one throws. */
export async function allOrAbort<A, B>(
  link: LinkedSignal,
  items: readonly A[],
  work: (item: A) => Promise<B>,
): Promise<B[]> {
  link.signal.throwIfAborted();
  try {
    return await Promise.all(items.map(work));
  } catch (error) {
    link.abort(error);
    throw error;
  }
}
