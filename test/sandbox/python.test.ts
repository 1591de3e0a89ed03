/** Programs in the sandbox say what they say under the machine's python3, and end as they end there: the fork of a warm interpreter is no other Python. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openSandbox } from "../../src/sandbox/sandbox.ts";
import { canConfine } from "./machine.ts";

const folder = mkdtempSync(join(tmpdir(), "grouper-python-"));
const sandbox = openSandbox({ limits: { timeoutMs: 20_000 } });
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await sandbox.close();
});

const INPUT = "first line\nsecond\n";
const env = { PATH: "/usr/bin:/bin", HOME: folder, LANG: "C.UTF-8", PYTHONHASHSEED: "0" };

const scripts: readonly string[] = [
  "import sys, threading\nsys.setrecursionlimit(10**7); threading.stack_size(2**27)\ndef f(n): return 0 if n==0 else 1+f(n-1)\ndef main(): print(f(50000))\nt=threading.Thread(target=main); t.start(); t.join()",
  "from __future__ import annotations\nfrom dataclasses import dataclass, field\n@dataclass(order=True)\nclass P:\n  x: int\n  y: list[int] = field(default_factory=list)\nprint(sorted([P(2),P(1,[3])]))",
  "import inspect\ndef f(a):\n  return a+1\nprint(inspect.getsource(f))",
  "import pickle\nclass A: pass\nb=pickle.dumps(A())\nprint(type(pickle.loads(b)).__name__, A.__module__)",
  "import sys\nprint(sys.argv[1:], __name__, sys.modules['__main__'].__dict__ is globals())",
  "print(input('a? '), input())\ntry: input()\nexcept EOFError: print('eof')",
  "import sys\nfor l in sys.stdin: print(repr(l))",
  "import sys\nprint(sys.stdin.buffer.read())",
  "import os, sys\nprint(os.read(0, 5)); print(sys.stdin.readline())",
  "raise ValueError('x')",
  "import sys\nsys.exit('bye')",
  "import sys\nsys.exit(7)",
  "raise SystemExit",
  "exit(True)",
  "import os\nos.abort()",
  "def f(): f()\nf()",
  "assert False",
  "import sys\nsys.stdout.write('no newline')",
  "import sys\nsys.stdout.buffer.write(b'\\xff\\xfe')",
  "print('é ü 😀')",
  "print('a\\r\\nb')",
  "print('\\x00')",
  "import asyncio\nasync def g(i):\n  await asyncio.sleep(0.01*i); return i\nasync def m(): print(await asyncio.gather(*[g(i) for i in range(5)]))\nasyncio.run(m())",
  "import signal,time\nsignal.signal(signal.SIGALRM, lambda *a: (print('alarm'), exit(3)))\nsignal.alarm(1)\ntime.sleep(5)",
  "import concurrent.futures as c\nwith c.ThreadPoolExecutor(20) as e: print(list(e.map(lambda x:x*x, range(10))))",
  "import concurrent.futures as c\ndef f(x): return x*x\nif __name__=='__main__':\n  with c.ProcessPoolExecutor(3) as e: print(list(e.map(f, range(10))))",
  "import logging\nlogging.warning('w')\nprint(1)",
  "import warnings\nwarnings.warn('x')\nprint(1)",
  "import typing\ndef f(a: typing.List[int]) -> 'int': ...\nprint(typing.get_type_hints(f))",
  "import io,sys\nsys.stdin=io.StringIO('zz')\nprint(input())",
  "import fileinput\nfor l in fileinput.input(): print(l.strip()[::-1])",
  "import tempfile\nwith tempfile.NamedTemporaryFile('w+') as f: f.write('x'); f.seek(0); print(f.read())",
  "open('out.txt','w').write('hi')\nprint(open('out.txt').read())",
  "import sqlite3\nc=sqlite3.connect(':memory:'); print(c.execute('select 1+1').fetchone())",
  "import decimal,fractions\nprint(decimal.Decimal(1)/7, fractions.Fraction(3,9))",
  "import random\nrandom.seed(5); print([random.randint(1,9) for _ in range(9)])",
  "print(hash((1,2,3)), hash(3.5))",
  "import math\nprint(math.comb(100,50), math.isqrt(10**40), 2**0.5, 1e22, 0.1+0.2)",
  "import os\nprint(os.getcwd()!='', os.environ.get('HOME')!=None)",
  "import datetime\nprint(datetime.datetime(2020,1,1,tzinfo=datetime.timezone.utc).isoformat())",
  "import ctypes\nprint(ctypes.c_int(2**31).value)",
  "import sys\nclass W:\n  def __init__(s): s.b=[]\n  def write(s,x): s.b.append(x)\n  def flush(s): __import__('os').write(1,''.join(s.b).encode()); s.b=[]\nsys.stdout=W()\nprint('fast')",
  "import os,sys\nfrom io import BytesIO, IOBase\nBUFSIZE=8192\nclass FastIO(IOBase):\n  newlines=0\n  def __init__(self,file):\n    self._fd=file.fileno(); self.buffer=BytesIO(); self.writable='x' in file.mode or 'r' not in file.mode; self.write=self.buffer.write if self.writable else None\n  def read(self):\n    while True:\n      b=os.read(self._fd,max(os.fstat(self._fd).st_size,BUFSIZE))\n      if not b: break\n      ptr=self.buffer.tell(); self.buffer.seek(0,2); self.buffer.write(b); self.buffer.seek(ptr)\n    self.newlines=0\n    return self.buffer.read()\n  def readline(self):\n    while self.newlines==0:\n      b=os.read(self._fd,max(os.fstat(self._fd).st_size,BUFSIZE)); self.newlines=b.count(b'\\n')+(not b)\n      ptr=self.buffer.tell(); self.buffer.seek(0,2); self.buffer.write(b); self.buffer.seek(ptr)\n    self.newlines-=1\n    return self.buffer.readline()\n  def flush(self):\n    if self.writable:\n      os.write(self._fd,self.buffer.getvalue()); self.buffer.truncate(0); self.buffer.seek(0)\nclass IOWrapper(IOBase):\n  def __init__(self,file):\n    self.buffer=FastIO(file); self.flush=self.buffer.flush; self.writable=self.buffer.writable\n    self.write=lambda s:self.buffer.write(s.encode('ascii')); self.read=lambda:self.buffer.read().decode('ascii'); self.readline=lambda:self.buffer.readline().decode('ascii')\nsys.stdin,sys.stdout=IOWrapper(sys.stdin),IOWrapper(sys.stdout)\ninput=lambda:sys.stdin.readline().rstrip('\\r\\n')\nprint(input(), input())",
  "import atexit,io,sys\nb=io.StringIO()\nsys.stdout=b\natexit.register(lambda: sys.__stdout__.write(b.getvalue()))\nprint('late')",
  "import threading,time\ndef w():\n  time.sleep(0.2); print('bg')\nthreading.Thread(target=w).start()\nprint('fg')",
  "import threading,time\nthreading.Thread(target=lambda: (time.sleep(5), print('no')), daemon=True).start()\nprint('fg')",
  "import threading\ndef w(): raise ValueError\nt=threading.Thread(target=w); t.start(); t.join()\nprint('ok')",
  "class A:\n  def __del__(self): print('del', self.n)\na=A(); a.n=1\nb=A(); b.n=2\na.o=b",
  "import sys\nsys.excepthook=lambda *a: print('hook', a[0].__name__)\n1/0",
  "import weakref\nclass A: pass\na=A(); weakref.finalize(a, print, 'fin')\nprint('x')",
  "def g():\n  try: yield 1\n  finally: print('closed')\nx=g(); next(x)",
  "import subprocess\nsubprocess.run(['echo','sub'])\nprint('main')",
  "import os\nprint('buffered')\nos.system('echo sys')",
  "import os\nif os.fork()==0: print('child')\nelse: os.wait(); print('parent')",
];

describe.skipIf(!canConfine)("a program is what it is under python3", () => {
  for (const [index, source] of scripts.entries()) {
    it(`${index}: ${source.split("\n").join("; ").slice(0, 80)}`, async () => {
      writeFileSync(join(folder, "program.py"), source);
      const options = { cwd: folder, input: INPUT, env, encoding: "utf8" } as const;
      const real = spawnSync("/usr/bin/python3", ["program.py"], options);
      const { stdout, stderr, exit, signal } = await sandbox.run({ language: "python", source, input: INPUT });
      const ours = { stdout, isSignal: signal !== undefined, exit: exit ?? null };
      expect(ours, stderr).toEqual({ stdout: real.stdout, isSignal: real.signal !== null, exit: real.status });
    });
  }
});
