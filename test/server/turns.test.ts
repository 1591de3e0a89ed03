import { describe, expect, it } from "vitest";
import { Gate } from "../../src/server/gate.ts";
import { allOrAbort, linkSignals } from "../../src/server/signals.ts";
import { Slices } from "../../src/server/slices.ts";

describe("Gate", () => {
  it("admits up to its capacity, first come first served, and never lets a small one pass a big one", async () => {
    const gate = new Gate(4);
    const order: string[] = [];
    const enter = async (name: string, units: number) => {
      const leave = await gate.enter(units);
      order.push(name);
      return leave;
    };
    const first = await enter("first", 3);
    const big = enter("big", 4);
    const small = enter("small", 1);
    await tick();
    expect(order).toEqual(["first"]);
    first();
    first();
    (await big)();
    (await small)();
    expect(order).toEqual(["first", "big", "small"]);
  });

  it("caps a share that is larger than itself, so that it is admitted at all", async () => {
    const gate = new Gate(2);
    const leave = await gate.enter(10);
    let entered = false;
    const next = gate.enter(1).then((done) => {
      entered = true;
      return done;
    });
    await tick();
    expect(entered).toBe(false);
    leave();
    (await next)();
  });

  it("forgets a waiter whose signal is aborted, and admits those behind it", async () => {
    const gate = new Gate(2);
    const leave = await gate.enter(1);
    const controller = new AbortController();
    const big = gate.enter(2, controller.signal);
    const small = gate.enter(1);
    controller.abort(new Error("gone"));
    await expect(big).rejects.toThrow("gone");
    (await small)();
    leave();
    (await gate.enter(2))();
  });
});

describe("Slices", () => {
  it("lets timers run between pieces of work that together are long", async () => {
    const slices = new Slices(5);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        slices.run(() => {
          order.push(i);
          const end = performance.now() + 2;
          while (performance.now() < end);
        }),
      ),
    );
    clearInterval(timer);
    expect(order).toEqual(Array.from({ length: 60 }, (_, i) => i));
    expect(ticks).toBeGreaterThan(10);
  });

  it("rejects the caller whose work throws and goes on with the rest", async () => {
    const slices = new Slices();
    const bad = slices.run(() => {
      throw new Error("broken");
    });
    const good = slices.run(() => 7);
    await expect(bad).rejects.toThrow("broken");
    expect(await good).toBe(7);
  });
});

describe("linked signals", () => {
  it("abort with the reason of either parent, and let go of both", () => {
    const [a, b] = [new AbortController(), new AbortController()];
    const link = linkSignals(a.signal, undefined, b.signal);
    b.abort("why");
    expect(link.signal.reason).toBe("why");
    const other = linkSignals(a.signal);
    other.unlink();
    a.abort();
    expect(other.signal.aborted).toBe(false);
    expect(linkSignals(a.signal).signal.aborted).toBe(true);
  });

  it("stop the others when one piece of work throws", async () => {
    const link = linkSignals();
    const work = allOrAbort(link, [0, 1], async (i) => {
      if (i === 0) throw new Error("first");
      await tick();
      return link.signal.aborted;
    });
    await expect(work).rejects.toThrow("first");
    expect(link.signal.aborted).toBe(true);
  });
});

function tick(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}
