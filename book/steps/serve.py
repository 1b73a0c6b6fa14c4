"""Show the site while you write: an edited page at once, then, as after any other edit, the site built anew.

    python -m book.steps.serve 8000

The browser loads the page again by itself.
"""

import importlib
import multiprocessing
import os
import socket
import subprocess
import sys
import time

from livereload import Server
from sphinxcontrib.katex import KaTeXServer

from book.extensions import explorers
from book.steps.build import show
from book.workspace import CONFIG, PAGE_KEYS, ROOT, SITE, SITE_KEY, end_with_parent, page_keys, site_key

FORK = multiprocessing.get_context("fork")  # what is imported here need not be imported for each edit


def serve(port: int) -> None:
    """Serve the site; a page that is open is loaded again whenever the site has become another."""
    end_with_parent()
    server = Server()
    server.watch(str(SITE_KEY))  # written when a new page or a new site is in place
    server.serve(root=str(SITE), port=port)


def quietly(names: list[str]) -> None:
    """Show edited pages; what is wrong with them, the build tells."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    try:
        show(names)
    finally:
        if KaTeXServer.katex_server:  # which waits for the end of the interpreter, and a fork doesn't come to it
            KaTeXServer.katex_server.terminate()


def show_at_once(before: dict[str, str], now: dict[str, str]) -> None:
    """Show the pages whose texts have changed, if nothing else has."""
    changed = [name for name in now if before.get(name) != now[name]]
    if changed and "" not in changed and before.keys() == now.keys() and PAGE_KEYS.exists():
        page = FORK.Process(target=quietly, args=[changed])
        page.start()
        page.join()


def main(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            sys.exit(f"Port {port} is in use: call `make serve PORT={port + 1}`.")
    FORK.Process(target=serve, args=[port], daemon=True).start()
    imported = page_keys()[""]
    for extension in CONFIG["sphinx"]["config"]["extensions"]:
        importlib.import_module(extension)
    explorers.load()
    built, texts = None, {}
    while True:
        time.sleep(0.3)
        try:
            key, now = site_key(), page_keys()
        except FileNotFoundError:  # an editor is putting a new file in the place of the old one
            continue
        if key != built:
            if now[""] == imported:  # or a page would be read by code that has been edited since
                show_at_once(texts, now)
            subprocess.run([sys.executable, "-m", "book.steps.build"], cwd=ROOT)
            built, texts = key, now


if __name__ == "__main__":
    main(int(sys.argv[1]))
