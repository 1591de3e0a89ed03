"""What the kernel is asked for around one program: namespaces, mounts, limits, and the system calls that it loses.

Everything here is plain calls into libc, so that the system's Python needs no package, from 3.8 on.
"""
import ctypes
import os
import platform
import resource
import signal
import struct
import sys

# PyDLL keeps the interpreter's lock through a call: a cloned child must go on with it.
libc = ctypes.PyDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
# Looked up now, and not in every process anew.
libc.fork, libc.mount, libc.prctl
NUM_CORES = os.cpu_count() or 1
NO_CAPABILITIES = struct.pack("=Ii", 0x20080522, 0)

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWPID = 0x00020000, 0x08000000, 0x20000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND = 1, 2, 4, 8, 32, 4096
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP = 1, 4, 22
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 36, 38, 47

# Calls that reach other processes or the machine's log, keep memory that no limit counts, outlive a process, or have a bad record.
SHARED_NUMBERS = [425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 440, 442, 443, 447]  # io_uring, the new mount calls, pidfd_getfd, memfd_secret …
MACHINES = {
    "x86_64": {
        "audit": 0xC000003E,
        "clone": 56,
        "capset": 126,
        "mmap": 9,
        "socket": 41,
        "socketpair": 53,
        "prlimit": 302,
        "setsockopt": 54,
        "kill": 62,
        "fcntl": 72,
        # fsync, fdatasync and msync, which for a file of /usr make the machine's disks write as well, and which honest programs call.
        "skipped": [74, 75, 26],
        # ptrace, mount, umount2, pivot_root, unshare, setns, keyctl, add_key, request_key, bpf, perf_event_open, userfaultfd,
        # process_vm_readv and writev, kexec, modules, file handles, acct, swap, reboot, quota, kcmp, port access,
        # syslog, memfd_create, shmget, semget, msgget, vmsplice, fanotify_init, modify_ldt, move_pages, migrate_pages, sched_setaffinity,
        # sync and syncfs, which make all of the machine wait for its disks; inotify and flock, for which a file of /usr is the machine's own
        "denied": [101, 165, 166, 155, 272, 308, 250, 248, 249, 321, 298, 323, 310, 311, 246, 175, 313, 176, 303, 304, 163, 167, 168, 169, 179, 312, 172, 173]
        + [103, 319, 29, 64, 68, 278, 300, 154, 279, 256, 203, 162, 306, 253, 254, 294, 73],
    },
    "aarch64": {
        "audit": 0xC00000B7,
        "clone": 220,
        "capset": 91,
        "mmap": 222,
        "socket": 198,
        "socketpair": 199,
        "prlimit": 261,
        "setsockopt": 208,
        "kill": 129,
        "fcntl": 25,
        "skipped": [82, 83, 227],
        "denied": [117, 40, 39, 41, 97, 268, 219, 217, 218, 280, 241, 282, 270, 271, 104, 105, 273, 106, 264, 265, 89, 224, 225, 142, 60, 272]
        + [116, 279, 194, 190, 186, 75, 262, 239, 238, 122, 81, 267, 26, 27, 32],
    },
}
MACHINE = MACHINES.get(platform.machine())
if MACHINE is None:
    sys.exit("no system calls are known for the machine %s, only for %s" % (platform.machine(), " and ".join(MACHINES)))


def check(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, "%s: %s" % (what, os.strerror(number)))
    return result


def prctl(option, *values):
    words = [ctypes.c_ulong(value) for value in values] + [ctypes.c_ulong(0)] * (4 - len(values))
    return check(libc.prctl(option, *words), "prctl %d" % option)


def fork():
    """os.fork, but for what Python then does about other threads, of which we have none: it takes as long as the fork."""
    return check(libc.fork(), "fork")


def clone_into_namespaces():
    """Like fork, but the child is the first process of new process, mount and IPC namespaces: all in them die with it."""
    flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID | signal.SIGCHLD
    return check(libc.syscall(MACHINE["clone"], ctypes.c_ulong(flags), 0, 0, 0, 0), "clone")


def hide_processes_and_terminals():
    """Over /proc, for good, an empty folder for the descriptors of a program: what is beneath is left to the working directory alone.
    Terminals are memory of no process, and few for all of the machine."""
    check(libc.unshare(CLONE_NEWNS), "unshare")
    os.chdir("/proc")
    cover(b"/proc", "/proc/self/fd")
    cover(b"/dev/pts")


def cover(place, *folders):
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    mount(b"tmpfs", place, flags, b"tmpfs", b"size=4096,nr_inodes=4,mode=0755")
    for folder in folders:
        os.makedirs(folder)
    mount(b"tmpfs", place, flags | MS_REMOUNT | MS_RDONLY)


def mount_private_files(scratch_bytes):
    """Fresh /tmp and /dev/shm of bounded size, where no program sees what another left; and the process's own descriptors, to which /dev/stdin
    and its like lead. The working directory is the /proc that is hidden."""
    size = b"size=%d,nr_inodes=4096,mode=0700" % scratch_bytes
    mount(b"tmpfs", b"/tmp", MS_NOSUID | MS_NODEV, b"tmpfs", size)
    mount(b"tmpfs", b"/dev/shm", MS_NOSUID | MS_NODEV | MS_NOEXEC, b"tmpfs", size)
    mount(b"self/fd", b"/proc/self/fd", MS_BIND)


def mount(source, place, flags, kind=None, options=None):
    check(libc.mount(source, place, kind, ctypes.c_ulong(flags), options), "mount %s" % place.decode())


def set_common_limits():
    """Those that are the same for every program; the interpreter keeps to them too."""
    # What a descriptor buffers is nobody's resident memory either.
    limit(resource.RLIMIT_NOFILE, 64)
    # Not 0: a program that the machine pipes cores to would be started all the same.
    limit(resource.RLIMIT_CORE, 1)
    limit(resource.RLIMIT_MEMLOCK, 0)
    limit(resource.RLIMIT_MSGQUEUE, 0)


def set_limits(limits, address_space, num_processes):
    # A last resort behind the wall clock: of a process whose threads all run.
    limit(resource.RLIMIT_CPU, (int(limits["timeoutMs"] / 1000) + 2) * NUM_CORES)
    limit(resource.RLIMIT_FSIZE, limits["scratchBytes"])
    limit(resource.RLIMIT_NPROC, num_processes)
    if address_space:
        limit(resource.RLIMIT_AS, limits["memoryBytes"])
        # As far as the kernel leaves room below a stack; threads keep the size that was the limit at the interpreter's start.
        limit(resource.RLIMIT_STACK, 112 * 2**20)


def limit(name, value):
    hard = resource.getrlimit(name)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(name, (value, value))


def give_up_privileges(has_network_namespace):
    """No capability is left, none can come back, and the calls of MACHINES are refused with EPERM."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_CAP_AMBIENT, 4)
    check(libc.syscall(MACHINE["capset"], NO_CAPABILITIES, bytes(24)), "capset")
    prctl(PR_SET_SECCOMP, 2, FILTERS[has_network_namespace].address)


# Classic BPF: load a word, and with a constant, jump if equal or above, return.
LOAD, AND, EQUAL, ABOVE, RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
KILL, REFUSE, ALLOW = (RETURN, 0, 0, 0x80000000), (RETURN, 0, 0, 0x00050001), (RETURN, 0, 0, 0x7FFF0000)
# Said to be done, and not done: what a program writes ends with it.
SKIP = (RETURN, 0, 0, 0x00050000)
# ENOSYS: libc then calls clone, whose flags can be seen.
CLONE3, UNKNOWN = 435, (RETURN, 0, 0, 0x00050026)
# Of Linux 6.5, and of no program that can do without: what comes after is unknown to us, and so to the program.
FIRST_UNREAD = 451
NUMBER, AUDIT, ARGUMENTS = 0, 4, 16
AF_UNIX, SHARED_ANONYMOUS, NAMESPACES, ANY = 1, 0x21, 0x7E020000, 0xFFFFFFFF
# Which argument, which of its bits, what they are compared with, and what becomes of the call when they are equal.
ARGUMENT_RULES = {
    # Pages that are shared and of no file can be kept without being anybody's resident memory.
    "mmap": (3, SHARED_ANONYMOUS, SHARED_ANONYMOUS, REFUSE),
    # AF_VSOCK knows no namespace, and reaches the host of a virtual machine; the buffers of AF_INET are taken from the share of all users.
    "socket": (0, ANY, AF_UNIX, ALLOW),
    "socketpair": (0, ANY, AF_UNIX, ALLOW),
    # A user namespace of its own would give a program all rights in it, and the kernel's less travelled paths.
    "clone": (0, NAMESPACES, 0, ALLOW),
    # Limits of other processes, as of the one that watches.
    "prlimit": (0, ANY, 0, ALLOW),
    # SO_SNDBUF: what is on its way through a socket.
    "setsockopt": (2, ANY, 7, REFUSE),
    # -1 is every process of the user, which without namespaces are not the program's alone.
    "kill": (0, ANY, 0xFFFFFFFF, REFUSE),
    # F_SETLEASE and F_NOTIFY: to be told what others do with a file.
    "fcntl": (1, ANY - 2, 1024, REFUSE),
}


class Filter:
    """A program for the kernel that refuses the calls of these numbers; made once, since every program is held to the same."""

    def __init__(self, numbers):
        lines = [(LOAD, 0, 0, AUDIT), (EQUAL, 1, 0, MACHINE["audit"]), KILL, (LOAD, 0, 0, NUMBER)]
        # Numbers from 2^30 up are the x32 names of the same calls.
        for kind, number in [(ABOVE, 0x40000000)] + [(EQUAL, number) for number in numbers]:
            lines += [(kind, 0, 1, number), REFUSE]
        for number in MACHINE["skipped"]:
            lines += [(EQUAL, 0, 1, number), SKIP]
        lines += [(EQUAL, 0, 1, CLONE3), UNKNOWN, (ABOVE, 0, 1, FIRST_UNREAD), UNKNOWN]
        for name, (argument, mask, value, outcome) in ARGUMENT_RULES.items():
            place = ARGUMENTS + argument * 8
            otherwise = ALLOW if outcome is REFUSE else REFUSE
            lines += [(EQUAL, 0, 5, MACHINE[name]), (LOAD, 0, 0, place), (AND, 0, 0, mask), (EQUAL, 0, 1, value), outcome, otherwise]
        lines += [ALLOW]
        self.code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
        self.header = ctypes.create_string_buffer(struct.pack("@HP", len(lines), ctypes.addressof(self.code)))
        self.address = ctypes.addressof(self.header)


ALWAYS_DENIED = SHARED_NUMBERS + MACHINE["denied"]
# By whether there is a network namespace. Without one a socket could reach servers of the machine by name.
FILTERS = {True: Filter(ALWAYS_DENIED), False: Filter(ALWAYS_DENIED + [MACHINE["socket"]])}
