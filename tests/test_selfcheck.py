"""Self-checks: what the directive makes of a question, and what it refuses."""

import pytest
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

GOOD = """1. Isn't `x < 1` & $a < b$ the same as "x"?
   - [ ] No, it isn't.

     Because of **this**.

     ```python
     x = "it's"
     ```
   - [x] Yes: $\\tau_{00}$ is `1`.

     It's so.
2. And [this](https://example.org)?
   - [x] A

     ```python
     print("code first")
     ```
   - [ ] B

     Why not.
"""


@pytest.fixture
def build(tmp_path):
    def build(content):
        """The page's HTML and the warnings of a book with one self-check."""
        import io

        source = tmp_path / "source"
        source.mkdir(exist_ok=True)
        (source / "index.md").write_text(f"# Title\n\n::::{{self-check}}\n{content}::::\n")
        settings = {"extensions": ["myst_parser", "book.extensions.selfcheck"], "html_theme": "basic",
                    "myst_enable_extensions": ["dollarmath", "colon_fence"]}
        warnings = io.StringIO()
        with docutils_namespace():
            app = Sphinx(source, None, tmp_path / "out", tmp_path / "doctrees", "html", settings, status=None,
                         warning=warnings, freshenv=True)
            app.build()
        return BeautifulSoup((tmp_path / "out/index.html").read_text(), "html.parser"), warnings.getvalue()

    return build


def test_questions_options_and_explanations(build):
    page, warnings = build(GOOD)
    assert warnings == ""
    first, second = page.select(".self-check .question")
    assert first["aria-label"] == "Question 1" and first.p.get_text().startswith("Isn\u2019t x < 1 & ")
    assert [option["class"] for option in first.select("details")] == [["option", "wrong"], ["option", "right"]]
    # one option of a question is open at a time, and questions do not close each other's
    names = [{option["name"] for option in question.select("details")} for question in (first, second)]
    assert len(names[0]) == len(names[1]) == 1 and names[0] != names[1]
    assert first.select("summary")[1].get_text().startswith("Yes: ") and first.select("summary .math, summary code")
    assert first.select(".why")[0].get_text().split() == "No. Because of this. x = \"it\u2019s\"".replace("\u2019", "'").split()
    assert first.select(".why")[1].get_text(strip=True).startswith("Right.")
    assert second.select(".why")[0].p.get_text(strip=True) == "Right." and second.select(".why pre")


@pytest.mark.parametrize("content, message", [
    ("Some words.\n", "one numbered list"),
    ("1. A question without options.\n", "then its options"),
    ("1. Q?\n   - [ ] A\n\n     Why.\n   - [ ] B\n\n     Why.\n", "one of them right: 'Q\\?'"),
    ("1. Q?\n   - [x] A\n\n     Why.\n   - [x] B\n\n     Why.\n", "one of them right: 'Q\\?'"),
    ("1. Q?\n   - [x] A\n\n     Why.\n", "two options or more"),
    ("1. Q?\n   - [x] A\n   - [ ] B\n", "says why: '\\[x\\] A'"),
    ("1. Q?\n   - A\n\n     Why.\n   - [x] B\n\n     Why.\n", "begins with '\\[ \\] ' or '\\[x\\] '.*: 'A'"),
])
def test_what_is_not_a_question_is_refused(build, content, message):
    import re

    page, warnings = build(content)
    assert re.search(message, warnings), warnings
    assert not page.select(".self-check")
