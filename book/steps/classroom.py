"""Pack what a class needs: chapters without solutions and worksheets for students, answers and question banks for instructors."""

import io
from pathlib import Path

from book.steps.notebooks import README, course_files, plain_text, quoted, to_notebook, write_archive
from book.steps.questions import Question, examination, moodle, qti, self_checks
from book.steps.worksheets import without_solutions, worksheet
from book.workspace import CONFIG, ROOT, chapters

FOR_CLASS = README.replace("everything to run at home", "for a class, without solutions") + """
`worksheets` has a sheet for each chapter: its predictions, exercises and questions, with space for answers.
Its first cell runs the chapter, so that everything the exercises speak of is there. A sheet can also be printed.
"""
FOR_INSTRUCTORS = f"""# {CONFIG['title']}: for instructors

- `answers`: the worksheets of multilevel-class.zip with solutions. Unpack both archives in one place to run them.
- `questions/self-checks.moodle.xml`, `questions/examination.moodle.xml`: for Moodle (Question bank, Import, Moodle XML).
- `questions/canvas`: a package for each chapter and one for the examination, for Canvas (Settings, Import Course Content,
  QTI .zip file). Other platforms read QTI 1.2, too; the formulas in these files are images that Canvas makes.

Each option of a self-check has its explanation, each question of the examination its answer. Text: CC BY 4.0.
"""


def sheets(answers: bool) -> dict[str, str]:
    """A worksheet for each chapter that asks something, as a notebook, by name."""
    values, titles = quoted()
    texts = {chapter.stem: chapter.read_text("utf-8") for chapter in chapters()}
    return {name: to_notebook(worksheet(name, text, answers), values[name], titles, "")
            for name, text in texts.items() if self_checks(text)}


def banks() -> tuple[list[tuple[str, str, list[Question]]], list[tuple[str, str, list[Question]]]]:
    """The questions of the self-checks and those of the examination, in plain Markdown: each chapter's name, title and questions."""
    values, titles = quoted()

    def plain(text, name):
        return plain_text(text, values.get(name, {}), titles)

    def plainly(question, name):
        return Question(plain(question.text, name), [option._replace(answer=plain(option.answer, name), why=plain(option.why, name))
                                                     for option in question.options], plain(question.answer, name))

    found = [], []
    for chapter in [*chapters(), *(ROOT / "chapters").glob("instructors.md")]:  # the last has no code
        text = chapter.read_text("utf-8")
        title = text.split("\n# ", 1)[1].partition("\n")[0]
        for bank, questions in zip(found, (self_checks(text), examination(text))):
            if questions:
                bank.append((chapter.stem, title, [plainly(question, chapter.stem) for question in questions]))
    return found


def question_files() -> dict[str, str | bytes]:
    """The question banks in both formats, by path."""
    files = {}
    for kind, bank in zip(("self-checks", "examination"), banks()):
        files[f"questions/{kind}.moodle.xml"] = moodle({title: questions for _, title, questions in bank})
        for name, title, questions in bank:
            package = io.BytesIO()
            write_archive(qti(title, questions), package, folder="")
            files[f"questions/canvas/{name if kind == 'self-checks' else kind}.zip"] = package.getvalue()
    return files


def pack(for_class: Path, for_instructors: Path) -> None:
    """Write both archives."""
    worksheets = {f"worksheets/{name}.ipynb": text for name, text in sheets(answers=False).items()}
    write_archive(course_files(CONFIG["repository"]["url"], without_solutions) | worksheets | {"README.md": FOR_CLASS}, for_class)
    answers = {f"answers/{name}.ipynb": text for name, text in sheets(answers=True).items()}
    write_archive(answers | question_files() | {"README.md": FOR_INSTRUCTORS, "LICENSE-TEXT": (ROOT / "LICENSE-TEXT").read_text("utf-8")},
                  for_instructors)
