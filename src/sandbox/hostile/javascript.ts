/** The same in JavaScript: node starts anew for each program, in the walls of any other. */
import type { Verdict } from "../verdict.ts";
import { cheat, cheatCall, type HostileProgram } from "./program.ts";

const script = (name: string, expected: readonly Verdict[], source: string) =>
  cheat(`node: ${name}`, expected, source, "javascript");
const call = (name: string, expected: readonly Verdict[], source: string) =>
  cheatCall(`node: ${name}`, expected, source, "javascript");

/** Held when they do not pass, and end. */
export const javascript: readonly HostileProgram[] = [
  script("endless loop", ["timeout"], "for (;;);"),
  script("promises without end", ["timeout"], "(async () => { for (;;) await null; })()"),
  script("timers without end", ["timeout"], "setInterval(() => {}, 1)"),
  script("a pattern without end", ["timeout"], "/^(a+)+$/.test('a'.repeat(60) + 'b')"),
  script("exit 0", ["fail"], "process.exit(0)"),
  script("exit 0 for an exception", ["fail"], "process.on('uncaughtException', () => process.exit(0)); throw 1"),
  script("exit 0 at the end", ["fail", "crash"], "try { null.x } finally { process.exit(0) }"),
  script(
    "an exit code of its own",
    ["fail"],
    "process.on('exit', () => { process.exitCode = 0; }); Promise.reject(1)" + ".catch(() => {})",
  ),
  script(
    "kills its parents",
    ["crash", "fail"],
    "for (const p of [1, process.ppid, -1, process.pid]) try { process.kill(p, 'SIGKILL') } catch {}",
  ),
  script("abort", ["crash"], "process.abort()"),
  script("2 GB", ["memory", "crash"], "const x = []; for (;;) x.push(new Array(1 << 20).fill(x.length));"),
  script("2 GB of buffers", ["memory", "crash"], "const x = []; for (;;) x.push(Buffer.alloc(1 << 24, 1));"),
  script(
    "2 GB of shared buffers",
    ["memory", "crash"],
    "const x = []; for (;;) { const b = new SharedArrayBuffer(1 << 24); new Uint8Array(b).fill(1); x.push(b); }",
  ),
  script(
    "2 GB of WebAssembly",
    ["memory", "crash"],
    "const x = []; for (;;) { const m = new WebAssembly.Memory({ initial: 1024 }); new Uint8Array(m.buffer).fill(1); x.push(m); }",
  ),
  script(
    "the tables of memory that is only read",
    ["memory"],
    "require('child_process').spawn('/usr/bin/python3', ['-c', `import mmap\nkept = []\nwhile True:\n  kept.append(mmap.mmap(-1, 1 << 36, 0x4022, mmap.PROT_READ))\n  for place in range(0, 1 << 36, 1 << 21): kept[-1][place]`])",
  ),
  script("waits for nobody", ["timeout"], "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)"),
  script("an exit that never comes", ["timeout"], "process.on('exit', () => { for (;;); })"),
  script(
    "1 GB of output",
    ["fail"],
    "const fs = require('fs'), b = Buffer.alloc(1 << 16, 120); for (;;) fs.writeSync(1, b)",
  ),
  script(
    "threads that count",
    ["timeout", "crash", "memory"],
    "const { Worker } = require('worker_threads'); for (let i = 0; i < 4; i++) new Worker('for (;;);', { eval: true })",
  ),
  script(
    "a bomb of shells",
    ["timeout", "crash", "memory", "fail"],
    "const { spawn } = require('child_process'); for (let i = 0; i < 200; i++) spawn('/bin/sh', ['-c', 'while :; do :; done'], { detached: true }).on('error', () => {}).unref()",
  ),
  script(
    "reads the machine",
    ["fail", "crash"],
    "const fs = require('fs'); for (const p of ['/etc/passwd', '/proc/1/environ']) try { console.log(fs.readFileSync(p, 'utf8')) } catch {}\nconsole.log(process.env, require('os').userInfo)",
  ),
  script(
    "a shell",
    ["fail", "crash"],
    "console.log(require('child_process').execSync('cat /etc/passwd; id; ls /home /var /srv 2>&1; true').toString())",
  ),
  script(
    "network",
    ["crash", "fail"],
    "require('net').connect(80, '1.1.1.1').on('connect', () => console.log('out')); fetch('http://1.1.1.1')",
  ),
  script(
    "inside of node",
    ["crash", "fail"],
    "for (const n of ['fs', 'spawn_sync', 'process_wrap', 'inspector']) try { console.log(process.binding(n)) } catch {}\ntry { process.dlopen({ exports: {} }, '/usr/lib/x86_64-linux-gnu/libc.so.6') } catch {}\nrequire('inspector').open(0)",
  ),
  call(
    "an object equal to everything",
    ["fail", "crash"],
    "const solve = () => new Proxy({}, { get: () => () => true })",
  ),
  call(
    "an object whose keys never end",
    ["fail", "crash", "timeout", "memory"],
    "const solve = () => new Proxy({}, { ownKeys: () => { for (;;); } })",
  ),
  call(
    "a list whose members never end",
    ["timeout", "memory", "crash"],
    "const solve = () => Object.assign([1], { [Symbol.iterator]: function* () { for (;;) yield 1 } })",
  ),
  call(
    "getters that throw and lie",
    ["crash", "fail"],
    "const solve = () => ({ get a() { throw 1 }, toJSON: () => 'x', valueOf: () => 'x' })",
  ),
  call("a promise without end", ["crash"], "const solve = () => new Promise(() => {})"),
  call("a promise that answers twice", ["fail"], "const solve = () => ({ then(f) { f('x'); f('y') } })"),
  call("a list of itself", ["crash"], "const solve = () => { const x = []; x.push(x); return x }"),
  call(
    "a generator, a symbol, a function",
    ["crash", "fail"],
    "const solve = () => [(function* () { yield 1 })(), Symbol('x'), () => 1]",
  ),
  call("exits before its value", ["crash"], "process.exit(0)"),
  call("exits in a promise", ["crash"], "const solve = async () => { process.exit(0) }"),
  call("rejects", ["crash"], "const solve = () => Promise.reject(new Error('x'))"),
  call(
    "polluted prototypes",
    ["fail", "crash"],
    "Object.prototype.toJSON = () => 'answer'; Array.prototype.toJSON = () => ['string', true]; String.prototype.toJSON = () => ''; Array.prototype.map = () => ['string', 'x']; const solve = () => 1",
  ),
  call(
    "patched JSON and Buffer",
    ["fail", "crash"],
    "JSON.stringify = () => '[\"string\", true]'; Buffer.from = () => new Uint8Array(0); require('fs').writeSync = () => 1e9; Array.isArray = () => true; const solve = () => 1",
  ),
  call(
    "writes its own verdict",
    ["fail", "crash"],
    "const fs = require('fs'); for (let d = 3; d < 64; d++) try { fs.writeSync(d, '{\"exit\":0}\\n[\"pass\"]') } catch {}\nconst solve = () => null",
  ),
  call(
    "reads its harness",
    ["fail", "crash"],
    "const fs = require('fs'); const solve = () => fs.readdirSync('.').map((f) => fs.readFileSync(f, 'utf8')).join('').match(new RegExp('answer-' + '[0-9]+'))?.[0] ?? process.argv.join()",
  ),
  call(
    "out of its context",
    ["fail", "crash"],
    "const solve = () => this.constructor.constructor('return process')().mainModule.require('vm').runInNewContext('this.constructor.constructor(\"return process\")()')",
  ),
];
