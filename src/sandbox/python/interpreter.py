"""The warm interpreter: waits for requests, forks a process for each program, watches it, and says how it ended.

It never holds a program or what one printed in Python objects: bytes go from pipe to memory file and from buffer to pipe, and the
kernel wipes the buffers, so that the next program, which is a copy of this process, finds nothing of the last one.

Most of the time of a small program goes to copies of pages: of those that a fork shares, every one that either side then writes to. So
what all programs need is made before the first of them, and the keeper, which is a copy too, does next to nothing.

    request   u32 length, JSON {language, function, sourceBytes, inputBytes, limits}, source, input
    reply     u32 length, JSON {ended, exit, signal, ..., stdoutBytes, stderrBytes, resultBytes}, stdout, stderr, result
"""
import gc
import json
import mmap
import os
import select
import shutil
import signal
import struct
import sys
import tempfile
import threading
import time

import confine
import program

# Loaded once, so that no program waits for them.
import bisect, collections, copy, dataclasses, datetime, decimal, enum, fractions, functools, heapq, io, itertools, math  # noqa: E401
import operator, queue, random, re, statistics, string, typing  # noqa: E401

MAX_OUTPUT = 1 << 24
MAX_ERRORS = 1 << 14
# Of a text that is too long nobody reads more.
MAX_KEPT = 1 << 14
# Threads of a program, from which on all of them share one core with each other, and yield to whatever else wants it.
CROWD = 24

SETTINGS = json.loads(sys.argv[2])
IS_CONFINED = SETTINGS["isolation"] == "bubblewrap"
# Between two looks at a program's processes; unconfined, they must be found among all of the machine.
TICK_SECONDS = 0.02 if IS_CONFINED else 0.1
control_in = control_out = -1
# Confined, the working directory is the /proc beneath the one that programs see.
PROC = "." if IS_CONFINED else "/proc"
MADV_WIPEONFORK = 18


def wiped_memory(length):
    """Takes no memory until it is written to, and is zeros again in every copy of this process."""
    memory = mmap.mmap(-1, length, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    try:
        memory.madvise(MADV_WIPEONFORK)
    except OSError:
        # A kernel without it, as gVisor: a fork copies the buffers, which are empty then.
        pass
    return memory


buffers = [wiped_memory(MAX_OUTPUT), wiped_memory(MAX_ERRORS), wiped_memory(MAX_OUTPUT)]
scratch = wiped_memory(1 << 16)


def main():
    global control_in, control_out
    control_in, control_out = os.dup(0), os.dup(1)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd, inheritable=True)
    if IS_CONFINED:
        confine.hide_processes_and_terminals()
    else:
        # Orphans of a program come to us instead of to the machine's init.
        confine.prctl(confine.PR_SET_CHILD_SUBREAPER, 1)
    confine.prctl(confine.PR_SET_DUMPABLE, 0)
    confine.set_common_limits()
    for name in ("confine", "program", "interpreter"):
        sys.modules.pop(name, None)
    sys.argv = ["program.py"]
    os.environ.clear()
    os.environ.update({"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8"})
    gc.collect()
    gc.freeze()
    program.open_streams()
    reply({"ready": True, "python": "%d.%d.%d" % sys.version_info[:3]}, [0, 0, 0])
    while True:
        (length,) = struct.unpack(">I", read_exactly(4))
        request = json.loads(read_exactly(length))
        with MemoryFile(request["sourceBytes"]) as source, MemoryFile(request["inputBytes"]) as standard_input:
            header, filled = run(request, source.fd, standard_input.fd)
        kept = MAX_KEPT if header["ended"] == "output" else request["limits"]["outputBytes"]
        reply(header, [min(length, kept) for length in filled])
        for which, length in enumerate(filled):
            if length > 0:
                buffers[which].madvise(mmap.MADV_DONTNEED, 0, length)
        scratch.madvise(mmap.MADV_DONTNEED)
        del request, header, filled


def read_exactly(length):
    data = b""
    while len(data) < length:
        piece = os.read(control_in, length - len(data))
        if not piece:
            os._exit(0)
        data += piece
    return data


def reply(header, used):
    header.update(stdoutBytes=used[0], stderrBytes=used[1], resultBytes=used[2])
    text = json.dumps(header).encode()
    for data in [struct.pack(">I", len(text)) + text] + [memoryview(b)[:n] for b, n in zip(buffers, used)]:
        view = memoryview(data)
        while len(view):
            view = view[os.write(control_out, view):]


class MemoryFile:
    """The next `length` bytes of the control pipe as a file in memory, positioned at its start."""

    def __init__(self, length):
        self.fd = os.memfd_create("input")
        while length > 0:
            count = os.readv(control_in, [memoryview(scratch)[: min(length, len(scratch))]])
            if count == 0:
                os._exit(0)
            view = memoryview(scratch)[:count]
            while len(view):
                view = view[os.write(self.fd, view):]
            length -= count
        os.lseek(self.fd, 0, os.SEEK_SET)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        os.close(self.fd)


def run(request, source, standard_input):
    """The reply's header, and how much of each buffer is filled."""
    pipes = [os.pipe() for _ in range(4)]  # stdout, stderr, result, status
    folder = None if IS_CONFINED else tempfile.mkdtemp(prefix="grouper-program-")
    started = time.monotonic()
    keeper = confine.clone_into_namespaces() if IS_CONFINED else confine.fork()
    if keeper == 0:
        keep(request, source, standard_input, [write for _, write in pipes], folder)
    for _, write in pipes:
        os.close(write)
    header, used = watch(keeper, [read for read, _ in pipes], request["limits"], started)
    for read, _ in pipes:
        os.close(read)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    header["wallMs"] = (time.monotonic() - started) * 1000
    return header, used


def keep(request, source, standard_input, outputs, folder):
    """First process of the program's namespaces: starts it, waits for it, tells how it ended, and takes the others along."""
    status = outputs[3]
    try:
        if not IS_CONFINED:
            confine.prctl(confine.PR_SET_PDEATHSIG, signal.SIGKILL)
        child = confine.fork()
        if child == 0:
            begin(request, source, standard_input, outputs, folder)
        os.closerange(3, status)
        while True:
            # Orphans of the program end here too.
            pid, how, usage = os.wait4(-1, 0)
            if pid == child:
                break
        ended = b'"signal": %d' % os.WTERMSIG(how) if os.WIFSIGNALED(how) else b'"exit": %d' % os.WEXITSTATUS(how)
        used = ((usage.ru_utime + usage.ru_stime) * 1000, usage.ru_maxrss * 1024)
        os.write(status, b'{%s, "cpuMs": %.3f, "residentBytes": %d}\n' % (ended, *used))
    except BaseException as error:
        tell(status, {"error": "%s: %s" % (type(error).__name__, error)})
    finally:
        os._exit(0)


def begin(request, source, standard_input, outputs, folder):
    """The program's own process, up to its first line."""
    status = outputs[3]
    try:
        # They are address space, of which the program has only so much.
        del buffers[:]
        # What os.fork would have seen to.
        random.seed()
        threading.main_thread()._set_native_id()
        limits = request["limits"]
        is_python = request["language"] == "python"
        os.setsid()
        if IS_CONFINED:
            confine.mount_private_files(limits["scratchBytes"])
        os.chdir("/tmp" if folder is None else folder)
        text = os.read(source, request["sourceBytes"])
        # All of them are above 5: the control pipe was there before them.
        for target, fd in enumerate([standard_input] + outputs[:3]):
            os.dup2(fd, target, inheritable=True)
        if request["function"] is None:
            os.close(3)
        status = os.dup2(status, 4, inheritable=False)
        os.closerange(5, 4096)
        if folder is not None:
            os.environ["HOME"] = folder
            confine.prctl(confine.PR_SET_PDEATHSIG, signal.SIGKILL)
        confine.set_limits(limits, is_python, limits["processes"] + (0 if IS_CONFINED else count_own_threads()))
        confine.give_up_privileges(IS_CONFINED)
        if is_python:
            program.run_python(
                text, request["function"], lambda: os.close(status), lambda: tell(status, {"syntax": True})
            )
        else:
            program.run_node(SETTINGS["node"], text, request["function"], limits["memoryBytes"])
    except BaseException as error:
        tell(status, {"error": "%s: %s" % (type(error).__name__, error)})
    finally:
        os._exit(1)


def tell(status, message):
    os.write(status, json.dumps(message).encode() + b"\n")


def watch(keeper, reads, limits, started):
    """Reads until the program has ended or broken a limit; afterwards no process of it is left."""
    header, used, status = {}, [0, 0, 0], b""
    num_errors = 0
    deadline = started + limits["timeoutMs"] / 1000
    next_look = started + TICK_SECONDS
    poller = select.poll()
    for fd in reads:
        poller.register(fd, select.POLLIN)
    # An end of the control pipe means that nobody waits for the answer.
    poller.register(control_in, 0)
    is_open = [True] * 4
    is_running = True
    core = None
    while any(is_open):
        now = time.monotonic()
        if is_running and now >= deadline:
            header["ended"] = "timeout"
            break
        if is_running and now >= next_look:
            next_look = now + TICK_SECONDS
            num_threads, held = family_use(keeper)
            if held > limits["memoryBytes"]:
                header["ended"] = "memory"
                break
            if num_threads > CROWD:
                core = crowd_together(keeper, core)
        for fd, _ in poller.poll(max(0, min(deadline - now, next_look - now, 1) * 1000) if is_running else 1000):
            if fd == control_in:
                end_all(keeper, is_running)
                os._exit(0)
            which = reads.index(fd)
            if which == 3:
                piece = os.read(fd, 4096)
                status += piece
                if (not piece or b'"exit"' in piece or b'"signal"' in piece or b'"error"' in piece) and is_running:
                    end_all(keeper, is_running)
                    is_running = False
                count = len(piece)
            elif which == 1:
                space = memoryview(buffers[1])[used[1] :] if used[1] < MAX_ERRORS else memoryview(scratch)
                count = os.readv(fd, [space])
                used[1] = min(MAX_ERRORS, used[1] + count) if used[1] < MAX_ERRORS else used[1]
                num_errors += count
            else:
                space = memoryview(buffers[which])[used[which] : used[which] + 65536]
                count = os.readv(fd, [space if len(space) else memoryview(scratch)])
                if count > len(space):
                    header["ended"] = "output"
                used[which] = min(MAX_OUTPUT, used[which] + count)
            if count == 0:
                poller.unregister(fd)
                is_open[which] = False
        if max(used[0], used[2], num_errors) > limits["outputBytes"]:
            header["ended"] = "output"
        if "ended" in header:
            break
    end_all(keeper, is_running)
    for line in status.splitlines():
        header = dict(json.loads(line), **header)
    header.setdefault("ended", "error" if "error" in header else "left" if status else "lost")
    return header, used


def end_all(keeper, is_running):
    """Confined, the kernel ends every process with the keeper. Otherwise we look for descendants until there are none."""
    if IS_CONFINED:
        if is_running:
            os.kill(keeper, signal.SIGKILL)
            os.waitpid(keeper, 0)
        return
    for _ in range(400):
        family = descendants(os.getpid())
        for pid in family:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        reap()
        if not family:
            return
        time.sleep(0.005)


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def process_table():
    """pid -> (parent, threads), of what /proc shows."""
    table = {}
    for name in os.listdir(PROC):
        if name.isdigit():
            try:
                with open("%s/%s/stat" % (PROC, name), "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
                table[int(name)] = (int(fields[1]), int(fields[17]))
            except OSError:
                pass
    return table


def descendants(root, table=None):
    table = process_table() if table is None else table
    found, frontier = [], {root}
    while frontier:
        frontier = {pid for pid, (parent, _) in table.items() if parent in frontier}
        found += frontier
    return found


def family_use(keeper):
    """Threads, and bytes of memory."""
    table = process_table()
    family = descendants(keeper, table)
    return sum(table[pid][1] for pid in family), sum(memory_of(pid) for pid in family)


# What a process holds of the machine. Pages that were only read are zeros and no one's, but what says where they are is memory too.
HELD = (b"VmRSS:", b"VmSwap:", b"VmPTE:", b"HugetlbPages:")


def memory_of(pid):
    """Bytes. The first thread may have ended, and has no memory then; any other tells that of all."""
    try:
        with open("%s/%d/status" % (PROC, pid), "rb") as file:
            status = file.read()
        if b"\nVmRSS:" not in status:
            for thread in os.listdir("%s/%d/task" % (PROC, pid)):
                with open("%s/%d/task/%s/status" % (PROC, pid, thread), "rb") as file:
                    status = file.read()
                if b"\nVmRSS:" in status:
                    break
    except OSError:
        # It has ended.
        return 0
    # Not splitlines: a program chooses its name, which is in there, and of all that ends a line only \n is spelled out.
    return sum(int(line.split()[1]) * 1024 for line in status.split(b"\n") if line.startswith(HELD))


def crowd_together(keeper, core):
    """What they start inherits both, and none can take either back. Returns the core."""
    core = random.choice(sorted(os.sched_getaffinity(0))) if core is None else core
    for pid in descendants(keeper):
        try:
            for thread in os.listdir("%s/%d/task" % (PROC, pid)):
                if os.getpriority(os.PRIO_PROCESS, int(thread)) < 19:
                    os.sched_setaffinity(int(thread), {core})
                    os.setpriority(os.PRIO_PROCESS, int(thread), 19)
        except OSError:
            # It has ended.
            pass
    return core


def count_own_threads():
    """Outside a user namespace the kernel counts every thread of the user against the limit."""
    count = 0
    for pid, (_, threads) in process_table().items():
        try:
            if os.stat("%s/%d" % (PROC, pid)).st_uid == os.getuid():
                count += threads
        except OSError:
            pass
    return count


main()
