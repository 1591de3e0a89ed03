/** Programs that mean harm, in the sandbox as it is by default: none gets out, none passes, none is left. Needs bubblewrap. */
import { type AddressInfo, createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DAEMON_SECONDS, SECRET } from "../../src/sandbox/hostile/program.ts";
import { hostilePrograms, runHostile } from "../../src/sandbox/hostile.ts";
import { openSandbox } from "../../src/sandbox/sandbox.ts";
import { canConfine, processesOf } from "./machine.ts";

const sandbox = openSandbox();
afterAll(() => sandbox.close());

describe.skipIf(!canConfine)("a hostile program", () => {
  // Runs beside all of them, with a rest in between.
  let isOver = false;
  const answers: string[] = [];
  let neighbour = Promise.resolve();
  beforeAll(() => {
    neighbour = (async () => {
      await using other = openSandbox();
      const run = { language: "python", source: "print(sum(map(int, open(0))))\nopen('x', 'w').write('y')" } as const;
      while (!isOver) {
        const { stdout, ended, exit } = await other.run({ ...run, input: "20\n22\n" });
        answers.push(`${ended} ${exit} ${stdout}`);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    })();
  });
  afterAll(() => {
    isOver = true;
  });

  for (const program of hostilePrograms) {
    it(`is held: ${program.name}`, async () => {
      const [result] = await runHostile(sandbox, [program]);
      expect(result, JSON.stringify(result)).toMatchObject({ isHeld: true });
    });
  }

  it("does not disturb the program beside it", async () => {
    isOver = true;
    await neighbour;
    expect(answers.length).toBeGreaterThan(0);
    expect(answers.filter((answer) => answer !== "left 0 42\n")).toEqual([]);
  });

  it("leaves no process behind, on this machine or in the interpreter", () => {
    expect(processesOf(DAEMON_SECONDS)).toEqual([]);
  });

  it("does not carry the secret in its source", () => {
    expect(hostilePrograms.filter(({ source }) => source.includes(SECRET))).toEqual([]);
    expect(hostilePrograms.length).toBeGreaterThan(150);
    const names = hostilePrograms.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe.skipIf(!canConfine)("what a program leaves", () => {
  const limits = { timeoutMs: 5000 };

  it("is not in the next one's memory: neither its source nor its output", async () => {
    // Reads every page that it can name, through a call that refuses instead of crashing.
    const scan = `
import ctypes, gc, os, re
libc = ctypes.CDLL(None)
libc.write.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
pages, size, data = 0, 1 << 22, bytearray()
out, into = os.pipe()
near = [id(item) for item in gc.get_objects() + [str, bytes(100000), b"x" * 5000]]
big = ctypes.addressof(ctypes.c_char.from_buffer(bytearray(1 << 21)))
starts = {place & ~(size - 1) for place in near + list(range(big - (32 << 20), big + (32 << 20), size))}
for start in sorted(starts):
    for page in range(start, start + size, 4096):
        if libc.write(into, page, 4096) == 4096:
            data += os.read(out, 4096)
            pages += 1
print(pages, sorted(set(re.findall(rb"left-" + rb"[so][a-z]+-[0-9]+", data))))
`;
    const say = (what: string, key: number) =>
      `print("-".join(["left", "${what}", str(${key})]) * ${key === 103 ? 200_000 : 1000})\n# ${["left", "source", key].join("-")} ${"#".repeat(5000)}`;
    for (let key = 100; key < 105; key++) {
      // Also what is beyond the limit, and was read before that was known.
      const outputBytes = key % 2 === 0 ? 100 : 2 ** 24;
      const run = { language: "python", source: say("output", key), input: `left-std-${key}` } as const;
      await sandbox.run({ ...run, limits: { ...limits, outputBytes } });
    }
    const { stdout } = await sandbox.run({
      language: "python",
      source: scan,
      input: "",
      limits: { timeoutMs: 20_000 },
    });
    const [, pages, found] = /^(\d+) (.*)$/m.exec(stdout) ?? [];
    expect(Number(pages)).toBeGreaterThan(1000);
    expect(found).toBe("[]");
    // The same search finds what the program holds itself, so that finding nothing means something.
    const held = `kept = ["left-source-%d" % 777 for _ in range(3)]\n${scan}`;
    const control = await sandbox.run({ language: "python", source: held, input: "", limits: { timeoutMs: 20_000 } });
    expect(control.stdout).toContain("left-source-777");
  });
});

describe.skipIf(!canConfine)("servers of this machine", () => {
  it("are out of reach, by address and by name in the kernel", async () => {
    const abstract = `\0grouper-test-${process.pid}`;
    const servers = [createServer(), createServer()] as const;
    const seen: string[] = [];
    for (const server of servers) server.on("connection", (socket) => seen.push(String(socket.remoteAddress)));
    await new Promise<void>((done) => servers[0].listen(0, "127.0.0.1", done));
    await new Promise<void>((done) => servers[1].listen(abstract, done));
    const { port } = servers[0].address() as AddressInfo;
    const source = `
import socket
for family, place in ((socket.AF_INET, ("127.0.0.1", ${port})), (socket.AF_UNIX, "\\0grouper-test-${process.pid}")):
    try:
        socket.socket(family).connect(place)
        print("connected")
    except OSError as error: print(type(error).__name__)
`;
    const { stdout } = await sandbox.run({ language: "python", source, input: "" });
    for (const server of servers) server.close();
    expect(stdout).toBe("PermissionError\nConnectionRefusedError\n");
    expect(seen).toEqual([]);
  });
});

describe.skipIf(!canConfine)("the sandbox's end", () => {
  it("takes a running program along", async () => {
    const own = openSandbox();
    const marker = "91234.5678";
    const running = own.run({
      language: "python",
      source: `import os\nos.execv("/usr/bin/sleep", ["sleep", "${marker}"])`,
      input: "",
    });
    const refused = expect(running).rejects.toThrow(/closed/);
    await waitFor(() => processesOf(marker).length > 0);
    await own.close();
    await refused;
    await waitFor(() => processesOf(marker).length === 0);
  });
});

async function waitFor(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 500 && !condition(); tries++) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(condition()).toBe(true);
}
