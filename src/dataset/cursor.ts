/**
 * Where a run stands in its data: every epoch is one exact shuffle of all rows, a function of seed and epoch, so that two numbers
 * resume it.
 */
import { permutation, seedFrom } from "../random.ts";

export interface CursorState {
  readonly epoch: number;
  /** Rows of the epoch that were given out. */
  readonly position: number;
}

export interface DataCursor {
  /** The next row's index. */
  next(): number;
  state(): CursorState;
}

export function createCursor(size: number, seed: number, start: CursorState = { epoch: 0, position: 0 }): DataCursor {
  if (size < 1) throw new Error("a cursor needs at least one row");
  let { epoch, position } = start;
  let order = permutation(size, seedFrom(seed, "epoch", epoch));
  return {
    next() {
      if (position >= size) {
        epoch++;
        position = 0;
        order = permutation(size, seedFrom(seed, "epoch", epoch));
      }
      return order[position++]!;
    },
    state: () => ({ epoch, position }),
  };
}
