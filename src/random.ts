/**
 * Seeded randomness as pure functions: a stream is its seed and a counter, so its state is one number, and streams of different
 * names never meet. Not for secrets.
 */

/** A 48-bit seed from a seed and any names and numbers: equal parts give equal seeds, any difference a different one. */
export function seedFrom(seed: number, ...parts: readonly (string | number)[]): number {
  let high = 0x9e3779b9;
  let low = 0x85ebca6b;
  for (const part of [seed, ...parts]) {
    const text = typeof part === "number" ? `#${part}` : `$${part}`;
    for (let i = 0; i < text.length; i++) {
      low = mix32(low ^ text.charCodeAt(i));
      high = mix32(high + low);
    }
    high = mix32(high ^ 0x27d4eb2f);
  }
  return (high & 0xffff) * 2 ** 32 + low;
}

export interface Random {
  /** Uniform in [0, 1), 32 bits. */
  next(): number;
  /** Uniform integer in [0, limit); limit up to 2^32. */
  below(limit: number): number;
}

/** The stream of a seed. The n-th number depends on the seed and n alone. */
export function createRandom(seed: number): Random {
  const low = mix32((seed >>> 0) ^ 0x243f6a88);
  const high = mix32(Math.floor(seed / 2 ** 32) ^ 0x85a308d3);
  let counter = 0;
  const word = () => {
    counter = (counter + 1) >>> 0;
    return mix32(mix32(counter ^ low) + high);
  };
  return {
    next: () => word() / 2 ** 32,
    below(limit) {
      // Words past the last multiple of `limit` would favour small numbers.
      const bound = 2 ** 32 - (2 ** 32 % limit);
      let value = word();
      while (value >= bound) value = word();
      return value % limit;
    },
  };
}

/** A permutation of 0 … length-1, by Fisher and Yates. */
export function permutation(length: number, seed: number): Uint32Array {
  const random = createRandom(seed);
  const order = Uint32Array.from({ length }, (_, i) => i);
  for (let last = length - 1; last > 0; last--) {
    const pick = random.below(last + 1);
    const kept = order[last]!;
    order[last] = order[pick]!;
    order[pick] = kept;
  }
  return order;
}

/** The finaliser of MurmurHash3 (Austin Appleby, public domain): every input bit moves every output bit. */
function mix32(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
