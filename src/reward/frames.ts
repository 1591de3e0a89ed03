/** Messages over a socket: four bytes of length, then the value as the structured clone of V8. */
import type { Duplex } from "node:stream";
import { deserialize, serialize } from "node:v8";

const LENGTH_BYTES = 4;

/** Throws where the value cannot be cloned, such as a function. A socket that is gone says so by its own events. */
export function sendFrame(socket: Duplex, value: unknown): void {
  const body = serialize(value);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(body.length);
  socket.cork();
  socket.write(length);
  socket.write(body);
  socket.uncork();
}

/** Calls `onFrame` for every message, and `onGarbage`, once, for bytes that are none: nothing is read after them. */
export function receiveFrames(socket: Duplex, onFrame: (value: unknown) => void, onGarbage: () => void): void {
  let chunks: Buffer[] = [];
  let numBytes = 0;
  const take = (count: number): Buffer => {
    const all = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
    chunks = [all.subarray(count)];
    numBytes -= count;
    return all.subarray(0, count);
  };
  let expected: number | undefined;
  const onData = (chunk: Buffer) => {
    chunks.push(chunk);
    numBytes += chunk.length;
    while (numBytes >= (expected ?? LENGTH_BYTES)) {
      if (expected === undefined) {
        expected = take(LENGTH_BYTES).readUInt32LE();
        continue;
      }
      const body = take(expected);
      expected = undefined;
      let value: unknown;
      try {
        value = deserialize(body);
      } catch {
        socket.off("data", onData);
        onGarbage();
        return;
      }
      onFrame(value);
    }
  };
  socket.on("data", onData);
}
