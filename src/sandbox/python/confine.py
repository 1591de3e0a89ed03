"""What the kernel is asked for around one program: namespaces, mounts, limits, and the system calls that it loses.

Everything here is plain calls into libc, so that the system's Python needs no package, from 3.8 on.
"""
import ctypes
import os
import platform
import resource
import signal
import struct

# PyDLL keeps the interpreter's lock through a call: a cloned child must go on with it.
libc = ctypes.PyDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWPID = 0x00020000, 0x08000000, 0x20000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 4, 22, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 36, 38, 47

# Calls that reach other processes, kernel keyrings that outlive a process, or parts of the kernel with a bad record.
SHARED_NUMBERS = [425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442]  # io_uring, the new mount calls, pidfd_getfd
MACHINES = {
    "x86_64": {
        "audit": 0xC000003E,
        "clone": 56,
        "capset": 126,
        "socket": 41,
        # ptrace, mount, umount2, pivot_root, unshare, setns, keyctl, add_key, request_key, bpf, perf_event_open, userfaultfd,
        # process_vm_readv and writev, kexec, modules, file handles, acct, swap, reboot, quota, kcmp, port access
        "denied": [101, 165, 166, 155, 272, 308, 250, 248, 249, 321, 298, 323, 310, 311, 246, 175, 313, 176, 303, 304, 163, 167, 168, 169, 179, 312, 172, 173],
    },
    "aarch64": {
        "audit": 0xC00000B7,
        "clone": 220,
        "capset": 91,
        "socket": 198,
        "denied": [117, 40, 39, 41, 97, 268, 219, 217, 218, 280, 241, 282, 270, 271, 104, 105, 273, 106, 264, 265, 89, 224, 225, 142, 60, 272],
    },
}
MACHINE = MACHINES.get(platform.machine())


def check(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, "%s: %s" % (what, os.strerror(number)))
    return result


def prctl(option, *values):
    words = [ctypes.c_ulong(value) for value in values] + [ctypes.c_ulong(0)] * (4 - len(values))
    return check(libc.prctl(option, *words), "prctl %d" % option)


def clone_into_namespaces():
    """Like fork, but the child is the first process of new process, mount and IPC namespaces: all in them die with it."""
    if MACHINE is None:
        raise OSError("no namespaces are known for machine %s" % platform.machine())
    flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID | signal.SIGCHLD
    return check(libc.syscall(MACHINE["clone"], ctypes.c_ulong(flags), 0, 0, 0, 0), "clone")


def mount_private_files(scratch_bytes):
    """Fresh /tmp and /dev/shm of bounded size, and an empty /proc: no program sees what another left, or any process but its own."""
    size = b"size=%d,nr_inodes=4096,mode=0700" % scratch_bytes
    mount_tmpfs(b"/tmp", MS_NOSUID | MS_NODEV, size)
    mount_tmpfs(b"/dev/shm", MS_NOSUID | MS_NODEV | MS_NOEXEC, size)
    mount_tmpfs(b"/proc", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, b"size=4096,nr_inodes=2,mode=0555")


def mount_tmpfs(place, flags, options):
    check(libc.mount(b"tmpfs", place, b"tmpfs", ctypes.c_ulong(flags), options), "mount %s" % place.decode())


def set_limits(limits, address_space, num_processes):
    seconds = int(limits["timeoutMs"] / 1000) + 2
    values = {
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: limits["scratchBytes"],
        resource.RLIMIT_NOFILE: 256,
        resource.RLIMIT_NPROC: num_processes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    if address_space:
        values[resource.RLIMIT_AS] = limits["memoryBytes"]
    for name, value in values.items():
        hard = resource.getrlimit(name)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(name, (value, value))


def give_up_privileges(has_network_namespace):
    """No capability is left, none can come back, and the calls of MACHINES are refused with EPERM."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_CAP_AMBIENT, 4)
    if MACHINE is not None:
        header = struct.pack("=Ii", 0x20080522, 0)
        check(libc.syscall(MACHINE["capset"], header, bytes(24)), "capset")
        deny_calls(SHARED_NUMBERS + MACHINE["denied"] + ([] if has_network_namespace else [MACHINE["socket"]]))


def deny_calls(numbers):
    load, equal, above, leave = 0x20, 0x15, 0x35, 0x06
    program = [(load, 0, 0, 4), (equal, 1, 0, MACHINE["audit"]), (leave, 0, 0, 0x80000000), (load, 0, 0, 0)]
    # Numbers from 2^30 up are the x32 names of the same calls.
    tests = [(above, 0x40000000)] + [(equal, number) for number in numbers]
    for index, (kind, number) in enumerate(tests):
        program.append((kind, len(tests) - index, 0, number))
    program += [(leave, 0, 0, 0x7FFF0000), (leave, 0, 0, 0x00050001)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    header = struct.pack("@HP", len(program), ctypes.addressof(code))
    header = ctypes.create_string_buffer(header)
    prctl(PR_SET_SECCOMP, 2, ctypes.addressof(header))
