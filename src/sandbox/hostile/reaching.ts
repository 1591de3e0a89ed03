/** Programs that reach for what is not theirs: files, processes, rights, the network, the kernel. */
import { userInfo } from "node:os";
import { cheat, type HostileProgram, LIBC, probe } from "./program.ts";

/** Of whoever runs us, as a Python string. */
const HOME = JSON.stringify(homeOfUser());

function homeOfUser(): string {
  try {
    const { homedir } = userInfo();
    // These are a program's own.
    return ["/", "/tmp"].includes(homedir) ? "/root" : homedir;
  } catch {
    // A user without a name, as in containers that are given a bare number.
    return "/root";
  }
}

const machine: readonly HostileProgram[] = [
  probe(
    "network",
    `
import socket
for place in (("1.1.1.1", 53), ("8.8.8.8", 443), ("169.254.169.254", 80), ("127.0.0.1", 22)):
    attempt(place, lambda: socket.create_connection(place, 1))
attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("1.1.1.1", 53)))
attempt("name", lambda: socket.getaddrinfo("example.com", 80))
attempt("raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
`,
  ),
  probe(
    "sockets that know no namespace",
    `
import socket
for family in range(2, 46):
    for kind in (1, 2, 3, 5):
        attempt((family, kind), lambda: socket.socket(family, kind))
    attempt((family, "pair"), lambda: socket.socketpair(family))
`,
  ),
  probe(
    "reads files of the machine",
    `
through = [os.path.join("/proc", process, link, "etc/passwd") for process in ("self", "1") for link in ("root", "cwd")]
for path in ("/etc/passwd", "/etc/shadow", "/etc/hostname", ${HOME}, "/home", "/var", "/mnt", "/sys/kernel", "/proc/1/environ",
             "/proc/self/environ", "/run", "/boot", "/dev/sda", "/dev/vda", "/dev/mem", *through):
    attempt(path, lambda: os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1) or 1 / 0)
`,
  ),
  probe(
    "writes outside",
    `
for path in ("/x", "/usr/x", "/usr/bin/x", "/etc/x", "/dev/x", "/bin/x", "/lib/x", "/proc/x", "/tmp/../x", "/var/x", ${HOME} + "/x", "/home/x"):
    attempt(path, lambda: open(path, "w"))
attempt("rename", lambda: os.rename("/usr/bin/env", "/tmp/env"))
attempt("hard link", lambda: os.link("/usr/bin/env", "/tmp/link"))
attempt("chmod", lambda: os.chmod("/usr/bin/env", 0o777))
`,
  ),
  probe(
    "symbolic links",
    `
for name, target in (("a", "/etc/passwd"), ("b", "/usr/lib/os-release-x"), ("c", "../../../../etc/passwd"), ("d", os.path.join("/proc/1", "root", "etc/passwd")), ("e", "/dev/../x")):
    os.symlink(target, name)
    attempt(("read", target), lambda: open(name).read())
    attempt(("write", target), lambda: open(name, "w"))
`,
  ),
  probe(
    "devices and logs",
    `${LIBC}
import stat
for name in ("mem", "kmsg", "port", "kvm", "fuse", "net/tun", "vsock", "loop-control", "input", "snapshot", "console"):
    attempt(name, lambda: open("/dev/" + name, "rb").read(1))
for kind in (stat.S_IFBLK, stat.S_IFCHR):
    for number in ((1, 1), (8, 0), (254, 0)): attempt((kind, number), lambda: os.mknod("/tmp/device", kind | 0o600, os.makedev(*number)))
text = ctypes.create_string_buffer(1 << 16)
attempt("kernel log", lambda: libc.klogctl(3, text, 1 << 16) > 0 or 1 / 0)
attempt("terminal", lambda: open("/dev/tty", "w"))
`,
  ),
  probe(
    "terminals of its own",
    `
import fcntl, pty, termios
attempt("pair", pty.openpty)
for path in ("/dev/ptmx", "/dev/pts/ptmx", "/dev/console"): attempt(path, lambda: os.open(path, os.O_RDWR))
for fd in range(3): attempt(("typed", fd), lambda: fcntl.ioctl(fd, termios.TIOCSTI, b"x"))
`,
  ),
  probe(
    "watches and locks files of the machine",
    `${LIBC}
import fcntl
for call in (libc.inotify_init, lambda: libc.inotify_init1(0)): attempt("inotify", lambda: call() >= 0 or 1 / 0)
for path in ("/usr", "/usr/bin/env", "/bin/sh"):
    file = os.open(path, os.O_RDONLY)
    attempt(("lock", path), lambda: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB))
    for command in (fcntl.F_SETLEASE, fcntl.F_NOTIFY): attempt((command, path), lambda: fcntl.fcntl(file, command, 1))
if fcntl.fcntl(file, fcntl.F_GETFD) != fcntl.FD_CLOEXEC: got.append("another command")
`,
  ),
];

const processes: readonly HostileProgram[] = [
  probe(
    "other processes",
    `${LIBC}
for pid in (1, os.getppid()):
    attempt(("ptrace", pid), lambda: libc.ptrace(16, pid, 0, 0) == 0 or 1 / 0)
    attempt(("memory", pid), lambda: open("/proc/%d/mem" % pid, "rb"))
attempt("sees others", lambda: [p for p in os.listdir("/proc") if p.isdigit()][0])
attempt("nice", lambda: os.nice(-5))
`,
  ),
  probe(
    "memory of others",
    `${LIBC}
reads, writes, steal, compare = {"x86_64": (310, 311, 438, 312), "aarch64": (270, 271, 438, 272)}[platform.machine()]
class Span(ctypes.Structure): _fields_ = [("start", ctypes.c_void_p), ("length", ctypes.c_size_t)]
mine = ctypes.create_string_buffer(4096)
here, there = Span(ctypes.addressof(mine), 4096), Span(id(got) & ~4095, 4096)
for pid in (1, os.getpid()):
    for call in (reads, writes): attempt((call, pid), lambda: libc.syscall(call, pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) >= 0 or 1 / 0)
    attempt(("descriptor", pid), lambda: libc.syscall(steal, os.pidfd_open(pid), 0, 0) >= 0 or 1 / 0)
    attempt(("compare", pid), lambda: libc.syscall(compare, pid, pid, 0, 0, 0) >= 0 or 1 / 0)
child = os.fork()
if child == 0: os.execv("/usr/bin/sleep", ["sleep", "5"])
attempt("a child's memory", lambda: libc.ptrace(16, child, 0, 0) == 0 or 1 / 0)
os.kill(child, 9)
`,
  ),
  probe(
    "/proc of a process",
    `
names = sorted(os.listdir("/proc"))
if names != ["self"] or os.listdir("/proc/self") != ["fd"]: got.append(names)
for path in ("1", "self/mem", "self/maps", "self/environ", "self/root", "self/ns", "self/uid_map", "self/exe", "sys/kernel/core_pattern", "self/fd/../../1", "thread-self", "kcore", "sysrq-trigger"):
    attempt(path, lambda: os.lstat("/proc/" + path))
for name in os.listdir("/proc/self/fd"):
    # The listing's own descriptor is gone.
    try: target = os.readlink("/proc/self/fd/" + name)
    except OSError: continue
    if not target.startswith(("pipe:", "/memfd:", "/proc/")): got.append(target)
attempt("above", lambda: os.open("/proc/self/fd/0/..", 0))
attempt("make", lambda: os.mkdir("/proc/x"))
`,
  ),
  probe(
    "the /proc beneath",
    `${LIBC}
frame = sys._getframe()
while frame:
    # What the harness was made of is still there, and its rights are gone.
    confine = frame.f_globals.get("confine")
    if confine:
        attempt("mount", lambda: confine.mount_private_files(1 << 20))
        attempt("clone", confine.clone_into_namespaces)
    for name in ("control_in", "control_out"):
        if name in frame.f_globals: attempt(name, lambda: os.fstat(frame.f_globals[name]))
    frame = frame.f_back
root, near = os.open("/", os.O_RDONLY), os.open("/proc/self/fd/..", os.O_RDONLY)
for path in ("/proc/self/fd/../../1", "/proc/self/cwd", "/dev/fd/../../1", "/dev/stdin/../1"): attempt(path, lambda: os.stat(path))
for folder in (root, near): attempt(folder, lambda: os.stat("../proc/1", dir_fd=folder))
for place in (b"/proc", b"/proc/self/fd", b"/dev/pts"): attempt(place, lambda: libc.umount2(place, 2) == 0 or 1 / 0)
`,
  ),
  probe(
    "makes the machine's disks write",
    `
import mmap
file = os.open("/usr/bin/env", os.O_RDONLY)
page = mmap.mmap(file, 4096, mmap.MAP_SHARED, mmap.PROT_READ)
# Whoever is told that it is done for what is no file has not had it done for any.
for call in (os.fsync, os.fdatasync):
    try: call(4711)
    except OSError: got.append(call.__name__)
    call(file)
page.flush()
`,
  ),
  probe(
    "limits and turns of others",
    `${LIBC}
import resource
for number in {"x86_64": (162, 306), "aarch64": (81, 267)}[platform.machine()]:
    attempt(("sync", number), lambda: libc.syscall(number, 0) >= 0 or 1 / 0)
for pid in (1, os.getppid()):
    for name in ("AS", "CPU", "NOFILE", "FSIZE", "STACK", "DATA"):
        attempt((pid, name), lambda: resource.prlimit(pid, getattr(resource, "RLIMIT_" + name), (0, 0)))
    attempt((pid, "nice"), lambda: os.setpriority(os.PRIO_PROCESS, pid, 19))
    attempt((pid, "policy"), lambda: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0)))
    attempt((pid, "cores"), lambda: os.sched_setaffinity(pid, {0}))
`,
  ),
];

const rights: readonly HostileProgram[] = [
  probe(
    "rights",
    `${LIBC}
for name, call in (("user namespace", lambda: libc.unshare(0x10000000)), ("mount namespace", lambda: libc.unshare(0x20000)),
                   ("mount", lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, b"")), ("umount", lambda: libc.umount2(b"/proc", 2)),
                   ("chroot", lambda: libc.chroot(b"/tmp")), ("host name", lambda: libc.sethostname(b"x", 1)),
                   ("keyring", lambda: libc.syscall(250, 0, -4, 1)), ("bpf", lambda: libc.syscall(321, 0, 0, 0)),
                   ("io_uring", lambda: libc.syscall(425, 1, 0))):
    attempt(name, lambda: call() >= 0 or 1 / 0)
attempt("uid 0", lambda: os.setuid(0))
attempt("clone", lambda: libc.syscall(56, 0x10000011, 0, 0, 0, 0) >= 0 or 1 / 0)
`,
  ),
  probe(
    "namespaces by other calls",
    `${LIBC}
class Clone(ctypes.Structure): _fields_ = [(name, ctypes.c_uint64) for name in "abcdefghijk"]
for flag in (0x10000000, 0x20000000, 0x40000000, 0x00020000, 0x08000000, 0x04000000, 0x02000000):
    attempt(hex(flag), lambda: libc.unshare(flag) == 0 or 1 / 0)
    call = Clone(a=flag, e=17)
    pid = libc.syscall(435, ctypes.byref(call), ctypes.sizeof(call))
    if pid == 0: os._exit(0)
    if pid > 0: got.append(("clone3", hex(flag)))
for number in (428, 429, 430, 431, 432, 433, 442): attempt(number, lambda: libc.syscall(number, 0, b"/", 0, 0, 0) >= 0 or 1 / 0)
`,
  ),
  probe(
    "programs that act for root",
    `
import subprocess
for command in (["su", "-c", "id -u"], ["sudo", "-n", "id", "-u"], ["newgrp"], ["mount", "-t", "tmpfs", "x", "/tmp"], ["pkexec", "id"], ["unshare", "-r", "id", "-u"], ["bwrap", "--ro-bind", "/", "/", "id"]):
    attempt(command, lambda: subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=3))
import shutil
shutil.copy("/usr/bin/id", "/tmp/id")
os.chmod("/tmp/id", 0o6755)
if subprocess.run(["/tmp/id", "-u"], capture_output=True, text=True).stdout.strip() in ("0", ""): got.append("setuid")
for call in (lambda: os.setresuid(0, 0, 0), lambda: os.setgroups([0]), lambda: os.setresgid(0, 0, 0), lambda: os.chown("/tmp/id", 0, 0), lambda: os.setxattr("/tmp/id", "security.capability", bytes(20))):
    attempt("identity", call)
`,
  ),
  probe(
    "raises its limits",
    `
import resource
for name in ("CPU", "AS", "FSIZE", "NPROC", "NOFILE", "CORE"):
    which = getattr(resource, "RLIMIT_" + name)
    attempt(name, lambda: resource.setrlimit(which, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)))
`,
  ),
  probe(
    "calls that are newer than the sandbox",
    `${LIBC}
for number in [*range(451, 480), 600, 1000]:
    ctypes.set_errno(0)
    if libc.syscall(number, -1, 0, 0, 0, 0, 0) >= 0 or os.strerror(ctypes.get_errno()) != "Function not implemented": got.append(number)
`,
  ),
  cheat(
    "calls of another machine",
    ["crash"],
    `
import ctypes, mmap, sys
code = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
# On x86, write(1, …) by the name that it has in 32 bits: mov eax, 4; int 0x80; ret.
code.write(bytes([0xB8, 4, 0, 0, 0, 0xCD, 0x80, 0xC3]))
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
print("called", flush=True)
sys.exit(0)`,
  ),
  probe(
    "calls by other names",
    `${LIBC}
# The x32 names of ptrace, mount and socket.
for number in (0x40000000 + 521, 0x40000000 + 165, 0x40000000 + 41): attempt(number, lambda: libc.syscall(number, 2, 1, 0, 0, 0) >= 0 or 1 / 0)
# Another filter cannot give back what this one takes.
attempt("no filter", lambda: libc.prctl(22, 0, 0, 0, 0) == 0 or 1 / 0)
attempt("privileges", lambda: libc.prctl(38, 0, 0, 0, 0) == 0 or 1 / 0)
attempt("capability", lambda: libc.prctl(47, 2, 21, 0, 0) == 0 or 1 / 0)
attempt("perf", lambda: libc.syscall(298 if platform.machine() == "x86_64" else 241, bytes(128), 0, -1, -1, 0) >= 0 or 1 / 0)
attempt("faults", lambda: libc.syscall(323 if platform.machine() == "x86_64" else 282, 0) >= 0 or 1 / 0)
`,
  ),
];

/** Held when all is refused. */
export const reaching: readonly HostileProgram[] = [...machine, ...processes, ...rights];
