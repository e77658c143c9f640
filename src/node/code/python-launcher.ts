import { KERNEL_RULES } from "./kernel-rules.ts";

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
${KERNEL_RULES}
def confine(order):
    lower = None
    try:
        lower = limit_resources(order)
    except ImportError:
        pass  # Windows
    filtered = sys.platform == "linux" and confine_by_kernel(order)
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
            # Not before: a program could read its tests there.
            linecache.cache["program.py"] = (len(program), None, program.splitlines(True), "program.py")
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
