"""What happens inside a program's own process. The program may change anything here: all it reaches is its own answer.

A stdin program runs as __main__. A function is called with the arguments on standard input, and its value goes out on file
descriptor 3, spelled as data: [kind, content]. Nothing here knows what is expected.
"""
import _sitebuiltins
import atexit
import builtins
import gc
import io
import json
import linecache
import os
import sys
import threading
import traceback
import types

RESULT = 3

# What the graders of LeetCode, APPS and LiveCodeBench import before a program whose function they call.
PRELUDE = """
import bisect, collections, copy, functools, heapq, itertools, math, operator, random, re, string, sys, typing
from bisect import *
from collections import *
from functools import *
from heapq import *
from itertools import *
from math import *
from operator import add, itemgetter, mul, sub, xor
from random import choice, randint, shuffle
from typing import *
"""
PROVIDED = {}
exec(PRELUDE, PROVIDED)

# They are the site module's, which is not loaded.
builtins.exit = _sitebuiltins.Quitter("exit", "Ctrl-D")
builtins.quit = _sitebuiltins.Quitter("quit", "Ctrl-D")


def run_python(source, function, on_ready, on_syntax_error):
    """Ends the process. `on_ready` is called when the program compiles, before its first line."""
    try:
        text = source.decode("utf-8", "surrogatepass")
        text = text[1:] if text.startswith("\ufeff") else text
        code = compile(text, "program.py", "exec", dont_inherit=True)
    except BaseException:
        # Also where there is no memory left to say why.
        try:
            on_syntax_error()
            traceback.print_exc(limit=0)
        finally:
            os._exit(1)
    linecache.cache["program.py"] = (len(text), None, text.splitlines(True), "program.py")
    on_ready()
    module = types.ModuleType("__main__" if function is None else "program")
    module.__dict__.update(__builtins__=builtins, __file__="program.py")
    sys.modules[module.__name__] = module
    status = 0
    try:
        if function is not None:
            provide(PROVIDED)
        exec(code, module.__dict__)
        if function is not None:
            send(call(module, function))
    except SystemExit as end:
        status = 0 if end.code is None else end.code if isinstance(end.code, int) else 1
        if end.code is not None and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
    except BaseException as error:
        status = 1
        try:
            report(error)
        except BaseException:
            traceback.print_exc()
    leave(status, module)


def open_streams():
    """For the descriptors 0 to 2 that a program will have: a file and two pipes, of which streams remember whether one can seek in them."""
    null, file, (end, pipe) = os.open("/dev/null", os.O_RDWR), os.memfd_create("input"), os.pipe()
    for target, fd in enumerate((file, pipe, pipe)):
        os.dup2(fd, target, inheritable=True)
    sys.stdin = sys.__stdin__ = open(0, "r", encoding="utf-8", errors="surrogateescape", closefd=False)
    sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)
    sys.stderr = sys.__stderr__ = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False, buffering=1)
    for target in range(3):
        os.dup2(null, target, inheritable=True)
    for fd in (null, file, end, pipe):
        os.close(fd)


def provide(names):
    """As builtins, so that a function that is called for is found only where the program has it itself."""
    for name in names:
        if not name.startswith("_") and not hasattr(builtins, name):
            setattr(builtins, name, names[name])


def report(error):
    """Without our own line, which comes first."""
    error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
    # The usual hook would look for the lines in a file.
    hook = traceback.print_exception if sys.excepthook is sys.__excepthook__ else sys.excepthook
    hook(type(error), error, error.__traceback__)


def leave(status, module):
    """As the interpreter would: waits for threads, runs what atexit holds, flushes, and lets go of what the program holds."""
    steps = (threading._shutdown, atexit._run_exitfuncs, flush, flush_files, module.__dict__.clear, gc.collect, flush_original)
    for step in steps:
        try:
            step()
        except BaseException:
            traceback.print_exc()
            if step in (flush, flush_original):
                status = status or 120
    os._exit(status & 0xFF)


def flush():
    if not getattr(sys.stdout, "closed", False):
        sys.stdout.flush()


def flush_original():
    """What the program put in place of it may need names that are gone."""
    if not sys.__stdout__.closed:
        sys.__stdout__.flush()


def flush_files():
    """A collection of garbage may close a file before what is written to it has come there."""
    items = gc.get_objects()
    for kind in (io.TextIOWrapper, io.BufferedWriter):
        for item in items:
            if issubclass(type(item), kind) and not item.closed and item.writable():
                item.flush()


def call(module, name):
    """`f`, or `C.f` as a method of C(); a bare name that is missing is looked up in the class Solution."""
    arguments = json.loads(sys.stdin.read())
    holder, dot, method = name.rpartition(".")
    if not dot and not hasattr(module, name) and hasattr(module, "Solution"):
        holder, method = "Solution", name
    target = getattr(getattr(module, holder)(), method) if holder else getattr(module, method)
    return target(*arguments)


def send(value):
    data = json.dumps(spell(value, 0)).encode()
    while data:
        data = data[os.write(RESULT, data):]


def spell(value, depth):
    if depth > 200:
        raise ValueError("The value is nested too deeply.")
    if value is None:
        return ["null", None]
    if isinstance(value, bool):
        return ["boolean", bool(value)]
    if isinstance(value, int):
        return ["integer", int.__repr__(value)]
    if isinstance(value, float):
        return ["number", float.__repr__(value)]
    if isinstance(value, str):
        return ["string", str.__str__(value)]
    if isinstance(value, (list, tuple)):
        kind = list if isinstance(value, list) else tuple
        return ["list", [spell(item, depth + 1) for item in kind.__iter__(value)]]
    if isinstance(value, (set, frozenset)):
        kind = set if isinstance(value, set) else frozenset
        return ["set", [spell(item, depth + 1) for item in kind.__iter__(value)]]
    if isinstance(value, dict):
        return ["map", [[spell(key, depth + 1), spell(item, depth + 1)] for key, item in dict.items(value)]]
    raise TypeError("Expected a plain value, got %s." % type(value).__name__)


def run_node(node, source, function, memory_bytes):
    """Replaces the process by node; the working directory is the program's own."""
    if not os.access(node, os.X_OK):
        raise FileNotFoundError("JavaScript needs a node that every user can run; %s is out of reach" % node)
    with open("program.js", "wb") as file:
        file.write(source)
    # So that no package.json above says what kind of module it is.
    with open("package.json", "w") as file:
        file.write("{}")
    entry = "program.js"
    if function is not None:
        entry = ".call.js"
        with open(entry, "w") as file:
            file.write(CALL.replace("NAME", json.dumps(function)))
    megabytes = max(16, int(memory_bytes / 1048576 * 0.75))
    environment = {"PATH": "/usr/bin:/bin", "HOME": os.getcwd(), "LANG": "C.UTF-8"}
    os.execve(node, [node, "--max-old-space-size=%d" % megabytes, "--no-warnings", entry], environment)


CALL = r"""
const fs = require("fs"), vm = require("vm");
const spell = (value, depth = 0) => {
  if (depth > 200) throw new RangeError("The value is nested too deeply.");
  if (value === null || value === undefined) return ["null", null];
  if (typeof value === "boolean") return ["boolean", value];
  if (typeof value === "bigint") return ["integer", String(value)];
  if (typeof value === "number") return Number.isInteger(value) ? ["integer", String(BigInt(value))] : ["number", String(value)];
  if (typeof value === "string") return ["string", value];
  if (Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))) return ["list", Array.from(value, (item) => spell(item, depth + 1))];
  if (value instanceof Set) return ["set", Array.from(value, (item) => spell(item, depth + 1))];
  if (typeof value === "object") {
    const entries = value instanceof Map ? [...value] : Object.entries(value);
    return ["map", entries.map(([key, item]) => [spell(key, depth + 1), spell(item, depth + 1)])];
  }
  throw new TypeError("Expected a plain value, got " + typeof value + ".");
};
const name = NAME, args = JSON.parse(fs.readFileSync(0, "utf8")), source = fs.readFileSync("program.js", "utf8");
globalThis.require = require;
globalThis.module = { exports: {} };
globalThis.exports = globalThis.module.exports;
// What node itself has under the name is not the program's.
const known = globalThis[name];
let exported = {};
const load = async () => {
  try {
    vm.runInThisContext(source, { filename: "program.js" });
  } catch (error) {
    if (!(error instanceof SyntaxError) || !/^\s*(?:import|export)\b/m.test(source)) throw error;
    fs.renameSync("program.js", "program.mjs");
    exported = await import(process.cwd() + "/program.mjs");
  }
};
const find = (path) => {
  let value;
  try { value = vm.runInThisContext(path); } catch {}
  return value !== undefined && value !== known ? value : exported[path] ?? globalThis.module.exports[path];
};
const methodOf = (holder, method) => {
  if (typeof holder !== "function") return undefined;
  const made = new holder();
  return made[method]?.bind(made) ?? holder[method]?.bind(holder);
};
const target = () => {
  const dot = name.lastIndexOf(".");
  if (dot >= 0) return methodOf(find(name.slice(0, dot)), name.slice(dot + 1));
  return find(name) ?? methodOf(find("Solution"), name) ?? [globalThis.module.exports, exported.default].find((f) => typeof f === "function");
};
load().then(() => {
  const called = target();
  if (called === undefined) throw new ReferenceError(name + " is not defined");
  return called(...args);
}).then((value) => {
  let data = Buffer.from(JSON.stringify(spell(value)));
  while (data.length > 0) data = data.subarray(fs.writeSync(3, data));
});
"""
