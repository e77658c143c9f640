/**
 * The part of the launcher that only Linux has, as Python text: `confine_by_kernel(order)` ends a program with the process
 * that started it, drops the capabilities, limits files and scopes with Landlock, and lets through the system calls that a
 * program of the standard library needs. Every other call answers that the kernel does not have it. It returns whether the
 * filter of calls is in place.
 *
 * Numbers are Linux's: include/uapi/linux/{seccomp,audit,filter,landlock,capability,prctl,fcntl}.h, asm-generic/ioctls.h
 * and the system call tables.
 */
export const KERNEL_RULES: string = String.raw`
def linux_calls():
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    for call in (libc.prctl, libc.syscall, libc.capset):
        call.argtypes = [ctypes.c_long] * {"prctl": 5, "syscall": 5, "capset": 2}[call.__name__]
        call.restype = ctypes.c_long
    def kept(value):
        # The caller holds the buffer until the call is over.
        return value, ctypes.addressof(value)
    return ctypes, libc, kept

def die_with(parent, libc):
    libc.prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG, SIGKILL
    if os.getppid() != parent:
        os._exit(1)

def drop_capabilities(ctypes, libc, kept):
    header, at_header = kept((ctypes.c_uint32 * 2)(0x20080522, 0))
    nothing, at_nothing = kept((ctypes.c_uint32 * 6)())
    libc.capset(at_header, at_nothing)
    libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS

def limit_files(order, ctypes, libc, kept):
    version = libc.syscall(444, 0, 0, 1, 0)  # landlock_create_ruleset
    if version < 1:
        return
    READ_FILE, READ_DIR = 1 << 2, 1 << 3
    every = (1 << (13 if version < 2 else 14 if version < 3 else 15 if version < 5 else 16)) - 1
    # Files, TCP ports (no bind, no connect), scopes (no abstract socket, no signal to a process outside).
    handled = [every] + ([3] if version >= 4 else []) + ([3] if version >= 6 else [])
    attributes, at_attributes = kept((ctypes.c_uint64 * len(handled))(*handled))
    rules = libc.syscall(444, at_attributes, 8 * len(handled), 0, 0)
    if rules < 0:
        return
    def allow(path, rights):
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return
        if not os.path.isdir(path):
            rights &= ~READ_DIR
        rule, at_rule = kept(ctypes.create_string_buffer(
            rights.to_bytes(8, sys.byteorder) + place.to_bytes(4, sys.byteorder), 12))
        libc.syscall(445, rules, 1, at_rule, 0)  # landlock_add_rule
        os.close(place)
    # Neither programs to execute nor device files.
    allow(order["folder"], every & ~(1 << 0 | 1 << 6 | 1 << 11))
    roots = {sys.prefix, sys.base_prefix, "/usr", "/usr/local", "/"}
    library = [os.path.join(root, lib) for root in roots for lib in ("lib", "lib32", "lib64")]
    for path in {*library, os.path.dirname(os.__file__), "/nix/store", "/usr/share/zoneinfo", "/etc/ld.so.cache",
                 "/etc/localtime", "/dev/null", "/dev/urandom"}:
        allow(path, READ_FILE | READ_DIR)
    libc.syscall(446, rules, 0, 0, 0)  # landlock_restrict_self
    os.close(rules)

# Each call with its numbers on x86-64 and arm64.
ALLOWED = """
read 0 63, write 1 64, readv 19 65, writev 20 66, pread64 17 67, pwrite64 18 68, preadv 295 69, pwritev 296 70,
preadv2 327 286, pwritev2 328 287, lseek 8 62, close 3 57, close_range 436 436, dup 32 23, dup2 33 -, dup3 292 24,
pipe 22 -, pipe2 293 59, creat 85 -, access 21 -, faccessat 269 48, faccessat2 439 439, stat 4 -, fstat 5 80, lstat 6 -,
newfstatat 262 79, statx 332 291, statfs 137 43, fstatfs 138 44, readlink 89 -, readlinkat 267 78, getdents 78 -,
getdents64 217 61, getcwd 79 17, chdir 80 49, fchdir 81 50, mkdir 83 -, mkdirat 258 34, rmdir 84 -, unlink 87 -,
unlinkat 263 35, rename 82 -, renameat 264 38, renameat2 316 276, link 86 -, linkat 265 37, symlink 88 -, symlinkat 266 36,
mknod 133 -, mknodat 259 33, ftruncate 77 46, fsync 74 82, fdatasync 75 83, flock 73 32, umask 95 166,
copy_file_range 326 285, sendfile 40 71, fadvise64 221 223, getxattr 191 8, lgetxattr 192 9, fgetxattr 193 10,
listxattr 194 11, llistxattr 195 12, flistxattr 196 13,
mmap 9 222, munmap 11 215, mremap 25 216, mprotect 10 226, madvise 28 233, mincore 27 232, msync 26 227, brk 12 214,
membarrier 324 283, exit 60 93, exit_group 231 94, futex 202 98, futex_waitv 449 449, set_tid_address 218 96,
set_robust_list 273 99, rseq 334 293, sched_yield 24 124, sched_getaffinity 204 123, sched_getscheduler 145 120,
sched_getparam 143 121, sched_get_priority_max 146 125, sched_get_priority_min 147 126, getcpu 309 168,
restart_syscall 219 128, wait4 61 260, waitid 247 95, rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139,
rt_sigpending 127 136, rt_sigtimedwait 128 137, rt_sigsuspend 130 133, sigaltstack 131 132, pause 34 -, alarm 37 -,
getitimer 36 102, setitimer 38 103, time 201 -, gettimeofday 96 169, clock_gettime 228 113, clock_getres 229 114,
nanosleep 35 101, clock_nanosleep 230 115, times 100 153, getrusage 98 165, getrlimit 97 163, setrlimit 160 164,
timerfd_create 283 85, timerfd_settime 286 86, timerfd_gettime 287 87, eventfd 284 -, eventfd2 290 19, epoll_create 213 -,
epoll_create1 291 20, epoll_ctl 233 21, epoll_wait 232 -, epoll_pwait 281 22, epoll_pwait2 441 441, poll 7 -, ppoll 271 73,
select 23 -, pselect6 270 72, getpid 39 172, getppid 110 173, gettid 186 178, getuid 102 174, geteuid 107 175,
getgid 104 176, getegid 108 177, getgroups 115 158, getresuid 118 148, getresgid 120 150, getpgrp 111 -, getpgid 121 155,
getsid 124 156, getpriority 140 141, uname 63 160, sysinfo 99 179, getrandom 318 278,
sendto 44 206, recvfrom 45 207, shutdown 48 210, getsockname 51 204, getpeername 52 205, getsockopt 55 209
"""
# They succeed and change nothing: a file's owner may use them on any of his files, which Landlock does not limit.
IDLE = """
chmod 90 -, fchmod 91 52, fchmodat 268 53, fchmodat2 452 452, utime 132 -, utimes 235 -, utimensat 280 88, futimesat 261 -,
setxattr 188 5, lsetxattr 189 6, fsetxattr 190 7, removexattr 197 14, lremovexattr 198 15, fremovexattr 199 16,
setxattrat 463 463, removexattrat 466 466
"""
# Refused with these errors, where "not implemented" would mislead a program or its reader.
REFUSED = {
    "EAGAIN": "fork 57 -, vfork 58 -, execve 59 221, execveat 322 281",
    # The C library then writes zeros.
    "EOPNOTSUPP": "fallocate 285 47",
    "EACCES": """
socket 41 198, connect 42 203, bind 49 200, listen 50 201, accept 43 202, accept4 288 242, sendmsg 46 211, sendmmsg 307 269,
recvmsg 47 212, recvmmsg 299 243, setsockopt 54 208, truncate 76 45
""",
    "EPERM": """
tkill 200 130, rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240, pidfd_send_signal 424 424, pidfd_getfd 438 438,
pidfd_open 434 434, ptrace 101 117, process_vm_readv 310 270, process_vm_writev 311 271, chown 92 -, fchown 93 55,
lchown 94 -, fchownat 260 54, setpriority 141 140, sched_setaffinity 203 122, sched_setscheduler 144 119,
sched_setparam 142 118, shmget 29 194, msgget 68 186, semget 64 190, mq_open 240 180, add_key 248 217, request_key 249 218,
keyctl 250 219, memfd_create 319 279, memfd_secret 447 447
""",
}
# Decided by an argument.
DECIDED = """
open 2 -, openat 257 56, fcntl 72 25, ioctl 16 29, prctl 157 167, socketpair 53 199, clone 56 220, kill 62 129,
tgkill 234 131, prlimit64 302 261
"""

def filter_calls(ctypes, libc, kept):
    import errno
    machines = {"x86_64": (1, 0xC000003E), "aarch64": (2, 0xC00000B7)}
    if os.uname().machine not in machines or sys.maxsize < 2 ** 32:
        return False
    column, architecture = machines[os.uname().machine]
    def numbers(table):
        rows = [row.split() for row in table.split(",")]
        return {row[0]: int(row[column]) for row in rows if row[column] != "-"}
    LOAD, AND, EQUAL, AT_LEAST, RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
    ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000
    NOT_THERE = REFUSE | errno.ENOSYS
    steps = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 0)]
    # The x32 calls are these once more, with other numbers.
    steps.extend([(AT_LEAST, 0, 1, 0x40000000), (RETURN, 0, 0, NOT_THERE)])
    def answer(table, action):
        for number in numbers(table).values():
            steps.extend([(EQUAL, 0, 1, number), (RETURN, 0, 0, action)])
    decided = numbers(DECIDED)
    def decide(name, argument, values, otherwise, mask=0xFFFFFFFF, action=ALLOW):
        if name not in decided:
            return
        body = [(LOAD, 0, 0, 16 + 8 * argument), (AND, 0, 0, mask)]
        for value in values:
            body.extend([(EQUAL, 0, 1, value), (RETURN, 0, 0, action)])
        body.append((RETURN, 0, 0, otherwise))
        steps.append((EQUAL, 0, len(body), decided[name]))
        steps.extend(body)
    answer(ALLOWED, ALLOW)
    answer(IDLE, REFUSE)
    for error, table in REFUSED.items():
        answer(table, REFUSE | getattr(errno, error))
    # O_TRUNC without the right to write: Landlock before version 3 does not see it.
    decide("open", 1, [0x200], ALLOW, mask=0x203, action=REFUSE | errno.EACCES)
    decide("openat", 2, [0x200], ALLOW, mask=0x203, action=REFUSE | errno.EACCES)
    # Duplicates, flags, locks. Not the owner of a file, who gets its signals, nor the size of a pipe.
    decide("fcntl", 1, [0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030], REFUSE | errno.EPERM)
    # TCGETS, TCGETS2, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX.
    decide("ioctl", 1, [0x5401, 0x802C542A, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451], REFUSE | errno.EOPNOTSUPP)
    # PR_GET_PDEATHSIG, PR_SET_NAME, PR_GET_NAME, PR_SET_VMA.
    decide("prctl", 0, [2, 15, 16, 0x53564D41], REFUSE | errno.EPERM)
    # Streams only: a datagram socket reaches others without connect.
    decide("socketpair", 1, [1], REFUSE | errno.EACCES, mask=0xF)
    # Threads only. In clone3 the flags cannot be seen; the C library then takes clone.
    decide("clone", 0, [0x10000], REFUSE | errno.EAGAIN, mask=0x10000)
    decide("kill", 0, [os.getpid()], REFUSE | errno.EPERM)
    decide("tgkill", 0, [os.getpid()], REFUSE | errno.EPERM)
    decide("prlimit64", 0, [0], REFUSE | errno.EPERM)
    steps.append((RETURN, 0, 0, NOT_THERE))
    class Step(ctypes.Structure):
        _fields_ = [("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("k", ctypes.c_uint32)]
    class Filter(ctypes.Structure):
        _fields_ = [("length", ctypes.c_uint16), ("steps", ctypes.c_void_p)]
    array, at_array = kept((Step * len(steps))(*[Step(*step) for step in steps]))
    whole, at_whole = kept(Filter(len(steps), at_array))
    return libc.prctl(22, 2, at_whole, 0, 0) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER

def confine_by_kernel(order):
    try:
        ctypes, libc, kept = linux_calls()
        die_with(order["parent"], libc)
        drop_capabilities(ctypes, libc, kept)
        if order["kernelRules"]:
            limit_files(order, ctypes, libc, kept)
            return filter_calls(ctypes, libc, kept)
    except (ImportError, AttributeError, OSError):
        pass  # A Python without ctypes, a C library without these calls.
    return False
`;
