"""Show the site while you write: it is built after each edit, and the browser loads it again.

    python -m book.steps.serve 8000
"""

import socket
import subprocess
import sys
import threading
import time

from livereload import Server

from book.workspace import ROOT, SITE, SITE_KEY, site_key


def build_after_each_edit() -> None:
    """Build whenever the contents of the sources have changed; what fails is told and tried again after the next edit."""
    built = None
    while True:
        key = site_key()
        if key != built:
            subprocess.run([sys.executable, "-m", "book.steps.build"], cwd=ROOT)
            built = key
        time.sleep(0.5)


def main(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            sys.exit(f"Port {port} is in use: call `make serve PORT={port + 1}`.")
    threading.Thread(target=build_after_each_edit, daemon=True).start()
    server = Server()
    server.watch(str(SITE_KEY))  # written when a new site is in place
    server.serve(root=str(SITE), port=port)


if __name__ == "__main__":
    main(int(sys.argv[1]))
