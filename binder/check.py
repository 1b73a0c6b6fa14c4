"""Do what Binder does, in an empty environment, and run the chapters there in a browser.

    python binder/check.py [chapter ...]

The steps are those of the image that repo2docker builds: a new environment with JupyterLab and
`requirements.txt`, then `postBuild`, in a copy of the course with a home directory of its own.
A browser opens each chapter's address as the launch button does, runs all cells, and looks for
every figure, the last one too. Takes minutes; needs Chromium and the registry of Python packages. `make binder-check`.
What the page for instructors says of memory is kept in `measured.json`; BINDER_ENV may name an environment
that is there already, to save the minutes of making it, and then nothing is kept; nor where only some chapters run.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from datetime import date
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
MEASURED = ROOT / "binder/measured.json"
TOKEN = "binder-check"
FIGURES = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-OutputArea :is(.jp-RenderedSVG, .js-plotly-plot)"
FAULTS = '[data-mime-type="application/vnd.jupyter.error"], [data-mime-type="application/vnd.jupyter.stderr"]'


def megabytes(folder: Path) -> int:
    return round(sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_symlink()) / 1e6)


def make_environment(folder: Path) -> dict:
    """Install what the image has into `folder`; its size and the time it took."""
    start = time.monotonic()
    venv.create(folder, with_pip=True)
    for what, arguments in [("requirements.txt", ["-r", ROOT / "binder/requirements.txt"]),
                            ("JupyterLab", ["jupyterlab"])]:
        subprocess.run([folder / "bin/python", "-m", "pip", "install", "-q", *arguments], check=True)
        found = {"environment_mb": megabytes(folder), "environment_s": round(time.monotonic() - start)}
        print(f"{what}: {found['environment_mb']} MB, {found['environment_s']} s", flush=True)
    return found


def copy_course(folder: Path) -> None:
    """The files that a clone would have once all is committed."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def start_lab(course: Path, programs: Path, home: Path) -> tuple[subprocess.Popen, str]:
    """Run postBuild, then JupyterLab; return its process and address."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("JUPYTER", "IPYTHON", "PYTHON", "VIRTUAL_ENV"))}
    environment = kept | {"HOME": str(home), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
                          "LOKY_MAX_CPU_COUNT": "2"}  # as deploy/values.yaml allows: memory goes with processes
    subprocess.run(["sh", "binder/postBuild"], cwd=course, env=environment, check=True)
    # JupyterLab draws only what is in view; here all of it, so that it can be counted.
    settings = home / ".jupyter/labconfig/default_setting_overrides.json"
    changed = json.loads(settings.read_text()) | {"@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"}}
    settings.write_text(json.dumps(changed))
    log = open(home / "lab.log", "w+")
    lab = subprocess.Popen([programs / "jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
                            "--ServerApp.port_retries=50", f"--IdentityProvider.token={TOKEN}"],
                           cwd=course, env=environment, stdout=log, stderr=log)
    for _ in range(240):
        found = re.search(r"http://127\.0\.0\.1:\d+/", (home / "lab.log").read_text())
        if found:
            return lab, found[0]
        time.sleep(0.5)
    lab.kill()
    sys.exit((home / "lab.log").read_text())


def kernels(address: str) -> list:
    with urllib.request.urlopen(f"{address}api/kernels?token={TOKEN}") as answer:
        return json.load(answer)


def stop_kernels(address: str) -> None:
    for kernel in kernels(address):
        request = urllib.request.Request(f"{address}api/kernels/{kernel['id']}?token={TOKEN}", method="DELETE")
        urllib.request.urlopen(request).close()


def children(process: int) -> list[int]:
    return [int(child) for tasks in Path(f"/proc/{process}/task").glob("*/children") for child in tasks.read_text().split()]


def peak_memory(process: int) -> int:
    """The largest memory, in MB, that a process has held (Linux)."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process}/status").read_text())[1]) // 1024


def peak_of_kernel(process: int) -> int:
    """The same of a kernel with the processes that it computes on."""
    return peak_memory(process) + sum(map(peak_of_kernel, children(process)))


def run_chapter(page, address: str, name: str, patience: float = 300) -> dict:
    """Open a chapter as the launch button does and run all its cells; what was seen."""
    page.goto(f"{address}lab/tree/chapters/{name}.md?token={TOKEN}&reset")
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=90_000)
    time.sleep(3)  # a dialog would come now
    seen = {"dialogs": page.locator(".jp-Dialog").all_inner_texts(), "figures": 0, "faults": []}
    if seen["dialogs"] or "{code-cell}" not in (ROOT / f"chapters/{name}.md").read_text("utf-8"):
        return seen
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()
    idle, end = 0, time.monotonic() + patience
    while idle < 4:
        if time.monotonic() > end:
            sys.exit(f"{name} did not come to its end within {patience:.0f} s.")
        time.sleep(1)
        states = {kernel["execution_state"] for kernel in kernels(address)}
        # a kernel is idle before the first cell too
        begun = page.locator(".jp-InputPrompt", has_text=re.compile(r"\[\d+\]")).count()
        idle = idle + 1 if begun and states == {"idle"} else 0
    figures = page.locator(FIGURES)
    seen["figures"] = figures.count()
    if seen["figures"]:
        figures.last.scroll_into_view_if_needed()
    seen["faults"] = page.locator(FAULTS).all_inner_texts()
    seen["dialogs"] = page.locator(".jp-Dialog").all_inner_texts()
    page.screenshot(path=ROOT / "_build" / f"binder-{name}.png")
    return seen


def every_chapter() -> list[str]:
    return sorted(path.stem for path in (ROOT / "chapters").glob("*.md"))


def main(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for part in ("course", "home"):
            (folder / part).mkdir()
        environment = Path(os.environ.get("BINDER_ENV", folder / "environment"))
        measured, wrong = {"date": f"{date.today()}", "kernel_mb": {}}, []
        if not environment.exists():
            measured |= make_environment(environment)
        copy_course(folder / "course")
        lab, address = start_lab(folder / "course", environment / "bin", folder / "home")
        try:
            with sync_playwright() as playwright:
                chromium = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])))
                browser = playwright.chromium.launch(executable_path=chromium, args=[
                    "--no-sandbox", "--disable-gpu", "--disable-background-networking"])
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                for name in names:
                    start = time.monotonic()
                    seen = run_chapter(page, address, name)
                    took = time.monotonic() - start
                    measured["kernel_mb"][name] = sum(map(peak_of_kernel, children(lab.pid)))
                    stop_kernels(address)
                    print(f"{name}: {seen['figures']} figures, {took:.0f} s, kernel {measured['kernel_mb'][name]} MB",
                          flush=True)
                    text = (ROOT / f"chapters/{name}.md").read_text("utf-8")
                    # at least: a cell may draw without saying so
                    drawn = len(re.findall(r"^ *(?:plt\.show\(\)|mlm\.show\()", text, flags=re.M))
                    if seen["dialogs"] or seen["faults"] or seen["figures"] < drawn:
                        wrong.append(f"{name}: {seen}, at least {drawn} figures expected")
                browser.close()
            if wrong:
                sys.exit("\n".join(wrong))
            if "environment_mb" in measured and names == every_chapter():
                measured["jupyterlab_mb"] = peak_memory(lab.pid)
                MEASURED.write_text(json.dumps(measured, indent=1) + "\n")
        finally:
            lab.terminate()
            lab.wait()


if __name__ == "__main__":
    main(sys.argv[1:] or every_chapter())
