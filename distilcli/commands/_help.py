"""The help pages: options by topic, types in plain words, one example per line."""

import inspect
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from typer.core import TyperCommand

Parameter = Any
"""An option or argument, as Typer has it."""

_LAST = "Report"
_TOPICS = ("Output", "Model", "Long texts", "Speed", _LAST)  # after the command's own
_MARGIN = "  "
_COLUMN = 28
_WIDEST = 100
_LONGEST_CHOICES = 26


def page_width() -> int:
    """Return how wide help is written."""
    return min(shutil.get_terminal_size().columns, _WIDEST)


class Command(TyperCommand):
    """A command whose help is written here."""

    def get_help(self, ctx: Any) -> str:
        """Return the page of `distil COMMAND --help`."""
        text, _, examples = inspect.cleandoc(self.help or "").partition("\n\nExamples:")
        topics: dict[str, list[Parameter]] = {}
        for parameter in sorted(self.get_params(ctx), key=lambda each: each.param_type_name):
            topic = getattr(parameter, "rich_help_panel", None)
            topics.setdefault(topic or _LAST, []).append(parameter)
        arguments = [each for each in self.params if each.param_type_name == "argument"]
        words = [_usage(each) for each in arguments]
        usage = " ".join([f"Usage: {ctx.command_path}", *words, "[OPTIONS]"])
        parts = [usage, *(_filled(part) for part in text.split("\n\n"))]
        for topic in sorted(topics, key=_order):
            rows = (row for parameter in topics[topic] for row in _row(parameter))
            parts.append("\n".join([f"{topic}:", *two_columns(rows, _COLUMN)]))
        if examples:
            parts.append(f"Examples:{examples}")
        return "\n\n".join(parts)


def _usage(argument: Parameter) -> str:
    word = argument.metavar or str(argument.name).upper()
    return word if argument.required or word.startswith("[") else f"[{word}]"


def _order(topic: str) -> int:
    """Put the input first, and the topics of all commands after those of one."""
    if topic == "Input":
        return -1
    return _TOPICS.index(topic) + 1 if topic in _TOPICS else 0


def _filled(paragraph: str) -> str:
    return textwrap.fill(" ".join(paragraph.split()), page_width(), break_on_hyphens=False)


def two_columns(rows: Iterable[tuple[str, str]], column: int) -> Iterator[str]:
    """Yield the lines of a table of words and their meanings, wrapped to the page."""
    width = max(page_width() - column - len(_MARGIN), 24)
    for left, right in rows:
        lines = textwrap.wrap(right, width, break_on_hyphens=False) or [""]
        first = f"{_MARGIN}{left}"
        if len(left) > column - 2:
            yield first
            first = ""
        yield f"{first:{column + len(_MARGIN)}}{lines[0]}".rstrip()
        yield from (" " * (column + len(_MARGIN)) + line for line in lines[1:])


def _row(parameter: Parameter) -> Iterator[tuple[str, str]]:
    """Yield how a parameter is written, and its help."""
    if parameter.hidden:
        return
    if parameter.param_type_name == "argument":
        name = parameter.metavar or parameter.name.upper()
        left, kind = name.strip("[].").removesuffix("..."), ""
    else:
        spellings = sorted(parameter.opts, key=lambda each: each.startswith("--"))
        spellings += parameter.secondary_opts
        left, kind = ", ".join(spellings), _kind(parameter)
        if spellings[1:] == [f"--no-{spellings[0][2:]}"]:
            left = f"--[no-]{spellings[0][2:]}"
    explanation = parameter.help or ""
    choices = _choices(parameter)
    if choices and kind != "|".join(choices):
        explanation = f"{explanation.rstrip('.')}; one of {', '.join(choices)}."
    default = parameter.default
    is_shown = default not in (None, "") and not isinstance(default, bool)
    if is_shown and "default" not in explanation:
        shown = f"{default:g}" if isinstance(default, float) else default
        explanation = f"{explanation.rstrip('.')} (default: {shown})."
    if getattr(parameter, "multiple", False):
        explanation += " Repeatable."
    yield f"{left} {kind}".strip(), explanation


def _choices(parameter: Parameter) -> list[str]:
    return list(map(str, parameter.type_descriptor.choices or ()))


def _kind(parameter: Parameter) -> str:
    """Return what an option takes, in a word that people know."""
    if parameter.is_flag:
        return ""
    if parameter.metavar:
        return str(parameter.metavar)
    descriptor = parameter.type_descriptor
    if choices := "|".join(_choices(parameter)):
        name = str(max(parameter.opts, key=len)).strip("-").replace("-", "_").upper()
        return choices if len(choices) <= _LONGEST_CHOICES else name
    if descriptor.annotation in (int, float):
        most = descriptor.parameter_info.max
        return "0..1" if descriptor.annotation is float and most and most <= 1 else "N"
    return "TEXT"


_ABOUT = "Run DistilBERT over files: classify, tag and embed texts, answer questions, train models."
_EXIT_CODES = (
    ("0", "done"),
    ("2", "usage: a wrong option or argument"),
    ("3", "input: a file or row cannot be read"),
    ("4", "model: missing, damaged or for another task"),
    ("5", "resources: memory, disk, device or network"),
    ("6", "done, but some rows failed"),
    ("7", "a threshold was missed (bench, evaluate)"),
    ("130", "interrupted (129: hung up, 141: pipe closed, 143: terminated)"),
)
_EXAMPLES = """\
Examples:
  distil classify reviews.csv             label every row with the built-in model
  distil finetune rows.csv -o my-model    train a model on labelled rows
  distil classify new.csv -m my-model     and use it"""


def program_help(commands: Mapping[str, Any]) -> str:
    """Return the page of `distil --help` for commands with a summary and a topic."""
    topics: dict[str, list[tuple[str, str]]] = {}
    for name, command in commands.items():
        topics.setdefault(command.topic, []).append((name, command.summary))
    topics["Options"] = [("-h, --help", "Show this help."), ("--version", "Show the version.")]
    topics["Exit codes"] = list(_EXIT_CODES)
    parts = ["Usage: distil COMMAND [ARGUMENTS]", _filled(_ABOUT)]
    for topic, rows in topics.items():
        parts.append("\n".join([f"{topic}:", *two_columns(rows, 14)]))
    parts.insert(-1, _EXAMPLES)
    parts.insert(-2, "Run 'distil COMMAND --help' for the options and examples of a command.")
    return "\n\n".join(parts)


def overview() -> str:
    """Return the page of `distil` alone, which fits a terminal of 80 by 24."""
    return f"""\
Usage: distil COMMAND [ARGUMENTS]

{_filled(_ABOUT)}

Start with one of these; the built-in models need no download:
  distil classify reviews.csv               label every row (sentiment)
  distil classify --text "I loved it"       label one text
  distil tag news.txt                       find people, places, companies
  distil qa questions.csv                   answer questions from their contexts
  distil embed docs.csv -o docs.npy         turn texts into vectors
  distil embed --search "late" --index docs.npy
                                            search them
  distil finetune rows.csv -o my-model      train your own on labelled rows
  distil evaluate my-model test.csv         measure a model

Files may be CSV, TSV, JSONL, text and more, or - for standard input.

More:
  distil --help                             all commands and exit codes
  distil COMMAND --help                     the options of a command"""
