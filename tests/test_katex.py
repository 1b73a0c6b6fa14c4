"""Formulas: KaTeX's server is waited for until it listens, and given up when it has ended; punctuation stays beside them."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from docutils import nodes

from book.extensions import course
from book.extensions.course import start_katex
from book.steps import serve

LATE = """
import socket, sys, time
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
time.sleep(0.3)  # the file is there, and nobody listens yet: connecting is refused
server.listen()
server.accept()
"""


class Server:
    code = LATE

    @classmethod
    def build_command(cls, socket):
        return [sys.executable, "-c", cls.code, str(socket)]

    @staticmethod
    def timeout_error(timeout):
        return RuntimeError("the server did not come up")


def test_a_server_that_listens_late_is_waited_for(tmp_path):
    process, connection = start_katex(Server, tmp_path, timeout=5)
    connection.close()
    assert process.wait(5) == 0


def test_a_server_that_has_ended_is_not_waited_for(tmp_path):
    class Broken(Server):
        code = "raise SystemExit(1)"

    with pytest.raises(RuntimeError, match="did not come up"):
        start_katex(Broken, tmp_path, timeout=5)


def test_a_page_that_is_shown_at_once_leaves_no_server(tmp_path, monkeypatch):
    """It is made by a fork, which ends without what Python does at its end."""
    class Running:
        katex_server = None

    def show(names):
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (tmp_path / "process").write_text(str(process.pid))
        Running.katex_server = SimpleNamespace(terminate=lambda: (process.kill(), process.wait()))
        sys.exit(1)  # as after a fault

    monkeypatch.setattr(serve, "show", show)
    monkeypatch.setattr(serve, "KaTeXServer", Running)
    fork = serve.FORK.Process(target=serve.quietly, args=[["chapters/why"]])
    fork.start()
    fork.join(60)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "process").read_text()), 0)


def test_punctuation_stays_with_its_formula():
    """Nothing is lost or moved; what stands beside a formula goes into one piece with it."""
    formulas = [nodes.math("", text) for text in ("n", "q", "p")]
    paragraph = nodes.paragraph("", "", nodes.Text("for "), formulas[0], nodes.Text(" ("), formulas[1], nodes.Text("), so "), formulas[2])
    text = paragraph.astext()
    course.keep_punctuation(SimpleNamespace(builder=SimpleNamespace(format="html")), nodes.section("", paragraph), "page")
    assert paragraph.astext() == text
    assert [part.astext() for part in paragraph] == ["for ", "n", " ", "(q),", " so ", "p"]
    assert [math.astext() for math in paragraph.findall(nodes.math)] == ["n", "q", "p"]
