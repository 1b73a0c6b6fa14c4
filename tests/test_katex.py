"""Formulas: KaTeX's server is waited for until it listens; punctuation stays beside them."""

import sys
from types import SimpleNamespace

from docutils import nodes
from sphinxcontrib import katex

from book.extensions import course

LATE = """
import socket, sys, time
kind, address = sys.argv[1:]
server = socket.socket(socket.AF_UNIX if kind == "file" else socket.AF_INET)
server.bind(address if kind == "file" else ("127.0.0.1", int(address)))
time.sleep(0.5)  # the address is taken, and nobody listens yet: connecting is refused
server.listen()
server.accept()
"""


def test_a_server_that_listens_late_is_waited_for(tmp_path, monkeypatch):
    def command(socket=None, port=None):
        return [sys.executable, "-c", LATE, *(("file", str(socket)) if socket else ("port", str(port)))]

    monkeypatch.setattr(katex.KaTeXServer, "build_command", command)
    monkeypatch.setattr(katex.KaTeXServer, "start_server_process", katex.KaTeXServer.start_server_process)
    course.wait_for_katex()
    process, connection = katex.KaTeXServer.start_server_process(tmp_path, 60)
    connection.close()
    assert process.wait(5) == 0 and katex.STARTUP_TIMEOUT == 60


def test_punctuation_stays_with_its_formula():
    """Nothing is lost or moved; what stands beside a formula goes into one piece with it."""
    formulas = [nodes.math("", text) for text in ("n", "q", "p")]
    paragraph = nodes.paragraph("", "", nodes.Text("for "), formulas[0], nodes.Text(" ("), formulas[1], nodes.Text("), so "), formulas[2])
    text = paragraph.astext()
    course.keep_punctuation(SimpleNamespace(builder=SimpleNamespace(format="html")), nodes.section("", paragraph), "page")
    assert paragraph.astext() == text
    assert [part.astext() for part in paragraph] == ["for ", "n", " ", "(q),", " so ", "p"]
    assert [math.astext() for math in paragraph.findall(nodes.math)] == ["n", "q", "p"]
