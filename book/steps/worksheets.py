"""A chapter for class: without its solutions, as a worksheet, and as the worksheet's answers; MyST, from the same source."""

import re
from textwrap import indent

from book.steps.questions import SELF_CHECK, Option, self_checks

EXERCISE = re.compile(r"^```\{exercise\}\n:label: [\w-]+\n(.*?)\n```\n\n"
                      r"```\{solution-start\} [\w-]+\n:class: dropdown\n```\n(.*?)\n```\{solution-end\}\n```\n", re.M | re.S)
PREDICTION = re.compile(r"^(`{3,}|:{3,})\{admonition\} Before you run it\n:class: predict\n(.*?)^\1$", re.M | re.S)
GOAL = re.compile(r"^(:{3,})\{admonition\} The question of this chapter\n:class: question\n(.*?)\n\n.*?^\1$", re.M | re.S)
CELL = "```{{code-cell}} ipython3\n{}\n```\n"
# So that the chapter's objects are there, without its outputs.
BEGIN = "%%capture\n%cd -q ../chapters\n%run {}.ipynb"
SPACE = "*Your answer:*\n"


def without_solutions(text: str) -> str:
    """A chapter with an empty cell for each solution, and questions that don't tell their answers."""
    text = EXERCISE.sub(lambda exercise: exercise[0][:exercise.start(2) - exercise.start()].rpartition("```{solution-start}")[0]
                        + SPACE + "\n" + CELL.format(""), text)
    return SELF_CHECK.sub(lambda block: options(block[0]), text)


def options(text: str, answers: bool = False) -> str:
    """The questions of a self-check as a list; with `answers` the right option and why."""
    lines = []
    for number, question in enumerate(self_checks(text), 1):
        lines.append(f"{number}. " + indent(question.text, "   ").strip() + "\n")
        lines += ["   - " + indent(said(option, letter, answers), "     ").strip()
                  for letter, option in zip("abcdefgh", question.options)]
        lines.append("")
    return "\n".join(lines)


def said(option: Option, letter: str, answers: bool) -> str:
    words = f"({letter}) {option.answer}"
    return f"{words} **Right.** {option.why}" if answers and option.right else words


def worksheet(name: str, text: str, answers: bool = False) -> str:
    """What there is to do in the chapter `name`: predictions, exercises, questions; with `answers` the solutions."""
    head, _, _ = text.partition("\n(ch-")
    title = re.search(r"^# (.+)$", text, re.M)[1]
    parts = [head, f"# {'Answers' if answers else 'Worksheet'}: {title}", GOAL.search(text)[2], CELL.format(BEGIN.format(name))]
    if not answers:  # what the chapter shows after it is the answer
        parts += [part for _, words in PREDICTION.findall(text) for part in (f"**Before you run it.** {words.strip()}", SPACE)]
    for number, (words, solution) in enumerate(EXERCISE.findall(text), 1):
        parts += [f"## Exercise {number}\n\n{words}", solution if answers else SPACE + "\n" + CELL.format("")]
    return "\n\n".join([*parts, "## Check yourself", options(text, answers)])
