"""Serve a folder as a web host does: compressed, and with a page of its own for what isn't there."""

import contextlib
import functools
import gzip
import http.server
import io
import sys
import threading
from pathlib import Path


class Handler(http.server.SimpleHTTPRequestHandler):
    """Static files with gzip; HTTP/1.1, so that connections are kept as on a real host."""

    protocol_version = "HTTP/1.1"
    headers_sent = {}

    def log_message(self, *args):
        pass

    def send_head(self):
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        status = 200 if path.is_file() else 404
        path = path if status == 200 else Path(self.directory, "404.html")
        content = path.read_bytes() if path.is_file() else b"Not found"
        kind = self.guess_type(path)
        packed = kind.startswith(("text/", "application/j", "image/svg")) and "gzip" in self.headers["Accept-Encoding"]
        content = gzip.compress(content, 6, mtime=0) if packed else content
        self.send_response(status)
        self.send_header("Content-Type", kind + ("; charset=utf-8" if kind.startswith("text/") else ""))
        self.send_header("Content-Length", str(len(content)))
        if packed:
            self.send_header("Content-Encoding", "gzip")
        for name, value in self.headers_sent.items() if kind == "text/html" else ():
            self.send_header(name, value)
        self.end_headers()
        return io.BytesIO(content)


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):  # a browser that is closed leaves without a word
            super().handle_error(request, client_address)


@contextlib.contextmanager
def served(folder: Path, **headers: str):
    """The address at which a folder is served while the block runs, each page with the given headers, as by deploy/nginx.conf."""
    handler = type("Handler", (Handler,), {"headers_sent": {name.replace("_", "-"): value for name, value in headers.items()}})
    server = Server(("127.0.0.1", 0), functools.partial(handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
