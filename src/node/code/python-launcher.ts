/** The order that the launcher reads from its standard input, as JSON. */
export interface LaunchOrder {
  readonly program: string;
  /** Begins every line of the launcher, so that the program cannot fake one. */
  readonly nonce: string;
  readonly folder: string;
  /** The process that started it; the launcher dies with that process. */
  readonly parent: number;
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
  readonly fileBytes: number;
  /** False leaves out the system call filter and the file rules, as on other systems than Linux. */
  readonly kernelRules: boolean;
}

/**
 * A Python program that takes away its own rights and then runs another one in the same process. It writes to its standard
 * output `<nonce> ready` when the other begins, and `<nonce> passed`, `<nonce> failed` or `<nonce> limit <which>` when it
 * ended; what the other writes goes to standard error. A right that cannot be taken away on this system stays: the limits
 * are tested, not assumed (`code-limits.ts`).
 *
 * Numbers are Linux's: include/uapi/linux/{seccomp,audit,filter,landlock,capability,prctl}.h and the system call tables.
 */
export const PYTHON_LAUNCHER: string = String.raw`
import json, os, sys, types

def limit_resources(order):
    import resource
    def lower(name, soft, hard):
        kind = getattr(resource, name, None)
        if kind is None:
            return
        present = resource.getrlimit(kind)[1]
        if present != resource.RLIM_INFINITY:
            soft, hard = min(soft, present), min(hard, present)
        try:
            resource.setrlimit(kind, (soft, hard))
        except (OSError, ValueError):
            pass
    lower("RLIMIT_CORE", 0, 0)
    lower("RLIMIT_NOFILE", 64, 64)
    lower("RLIMIT_FSIZE", order["fileBytes"], order["fileBytes"])
    # The second number kills where the signal of the first is ignored.
    lower("RLIMIT_CPU", order["cpuSeconds"], order["cpuSeconds"] + 1)
    lower("RLIMIT_AS", order["memoryBytes"], order["memoryBytes"])
    lower("RLIMIT_DATA", order["memoryBytes"], order["memoryBytes"])
    return lower

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
    attributes, at_attributes = kept(ctypes.c_uint64(every))
    rules = libc.syscall(444, at_attributes, 8, 0, 0)
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
    library = [sys.prefix, sys.base_prefix, os.path.dirname(os.__file__), "/usr", "/lib", "/lib64", "/nix/store"]
    for path in {*library, "/etc/ld.so.cache", "/etc/localtime", "/dev/null", "/dev/urandom"} - {"/"}:
        allow(path, READ_FILE | READ_DIR)
    libc.syscall(446, rules, 0, 0, 0)  # landlock_restrict_self
    os.close(rules)

CALLS = {
    # name: x86-64, arm64
    "execve": (59, 221), "execveat": (322, 281), "fork": (57, None), "vfork": (58, None),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438), "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "socket": (41, 198), "io_uring_setup": (425, 425),
    "unshare": (272, 97), "setns": (308, 268), "shmget": (29, 194),
    "clone3": (435, 435), "clone": (56, 220), "kill": (62, 129), "tgkill": (234, 131), "prlimit64": (302, 261),
}

def filter_calls(ctypes, libc, kept):
    machines = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
    if os.uname().machine not in machines or sys.maxsize < 2 ** 32:
        return False
    column, architecture = machines[os.uname().machine]
    number = {name: columns[column] for name, columns in CALLS.items() if columns[column] is not None}
    LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
    ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000
    EPERM, EAGAIN, EACCES, ENOSYS = 1, 11, 13, 38
    steps = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 0)]
    def refuse(name, error):
        if name in number:
            steps.extend([(EQUAL, 0, 1, number[name]), (RETURN, 0, 0, REFUSE | error)])
    def only(name, test, value, error):
        # Allowed where the first argument passes the test.
        steps.extend([(EQUAL, 0, 4, number[name]), (LOAD, 0, 0, 16), (test, 0, 1, value),
                      (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE | error)])
    # The x32 calls are these once more, with other numbers.
    steps.extend([(AT_LEAST, 0, 1, 0x40000000), (RETURN, 0, 0, REFUSE | ENOSYS)])
    # The C library then takes clone, whose flags can be seen; threads are allowed.
    refuse("clone3", ENOSYS)
    only("clone", ANY_BIT, 0x10000, EAGAIN)
    for name in ("fork", "vfork", "execve", "execveat"):
        refuse(name, EAGAIN)
    for name in ("socket", "io_uring_setup"):
        refuse(name, EACCES)
    for name in ("kill", "tgkill"):
        only(name, EQUAL, os.getpid(), EPERM)
    only("prlimit64", EQUAL, 0, EPERM)
    for name in ("tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal", "pidfd_getfd", "ptrace",
                 "process_vm_readv", "process_vm_writev", "unshare", "setns", "shmget"):
        refuse(name, EPERM)
    steps.append((RETURN, 0, 0, ALLOW))
    class Step(ctypes.Structure):
        _fields_ = [("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("k", ctypes.c_uint32)]
    class Filter(ctypes.Structure):
        _fields_ = [("length", ctypes.c_uint16), ("steps", ctypes.c_void_p)]
    array, at_array = kept((Step * len(steps))(*[Step(*step) for step in steps]))
    whole, at_whole = kept(Filter(len(steps), at_array))
    return libc.prctl(22, 2, at_whole, 0, 0) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER

def confine(order):
    lower = None
    try:
        lower = limit_resources(order)
    except ImportError:
        pass  # Windows
    filtered = False
    if sys.platform == "linux":
        try:
            ctypes, libc, kept = linux_calls()
            die_with(order["parent"], libc)
            drop_capabilities(ctypes, libc, kept)
            if order["kernelRules"]:
                limit_files(order, ctypes, libc, kept)
                filtered = filter_calls(ctypes, libc, kept)
        except (ImportError, AttributeError, OSError):
            pass  # A Python without ctypes, a C library without these calls.
    if lower is not None and not filtered:
        lower("RLIMIT_NPROC", 0, 0)

def launch():
    import errno, linecache, traceback
    order = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    verdict = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    program, nonce, folder = order["program"], order["nonce"], order["folder"]
    write, leave = os.write, os._exit
    words = ("ready", "passed", "failed", "limit memory", "limit file size", "limit processes")
    # Made beforehand: there may be no memory left to make them.
    lines = {word: (nonce + " " + word + "\n").encode("utf-8") for word in words}
    def tell(word):
        write(verdict, lines[word])
    sys.argv = ["program.py"]
    sys.path[:] = [place for place in sys.path if place not in ("", folder)]
    linecache.cache["program.py"] = (len(program), None, program.splitlines(True), "program.py")
    module = sys.modules["program"] = types.ModuleType("program")
    confine(order)
    outcome = "passed"
    tell("ready")
    try:
        exec(compile(program, "program.py", "exec", dont_inherit=True), module.__dict__)
    except BaseException as error:
        outcome = "failed"
        if isinstance(error, MemoryError):
            outcome = "limit memory"
        elif isinstance(error, OSError):
            outcome = {errno.EFBIG: "limit file size", errno.ENOMEM: "limit memory",
                       errno.EAGAIN: "limit processes"}.get(error.errno, outcome)
        # Before what may fail for the same reason again.
        tell(outcome)
        try:
            trace = error.__traceback__
            traceback.print_exception(type(error), error, trace and trace.tb_next)
        except BaseException:
            pass
    else:
        tell(outcome)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        pass
    leave(0 if outcome == "passed" else 1)

launch()
`;
