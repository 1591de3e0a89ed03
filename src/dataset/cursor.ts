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

/** The order of an epoch: a permutation of 0 … size-1, by its seed. */
export type EpochOrder = (size: number, seed: number) => Uint32Array;

export function createCursor(
  size: number,
  seed: number,
  start: CursorState = { epoch: 0, position: 0 },
  orderOf: EpochOrder = permutation,
): DataCursor {
  if (size < 1) throw new Error("a cursor needs at least one row");
  let { epoch, position } = start;
  let order = orderOf(size, seedFrom(seed, "epoch", epoch));
  return {
    next() {
      if (position >= size) {
        epoch++;
        position = 0;
        order = orderOf(size, seedFrom(seed, "epoch", epoch));
      }
      return order[position++]!;
    },
    state: () => ({ epoch, position }),
  };
}
