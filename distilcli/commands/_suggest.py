"""Errors in a command line, in plain words and with the likely correction."""

import difflib
import re
from collections.abc import Iterable
from typing import Any

from distilcli.errors import UsageError

# The names that other tools have for our commands and options.
_COMMANDS = {
    "ask": "qa", "answer": "qa", "question-answering": "qa", "squad": "qa",
    "benchmark": "bench", "speed": "bench", "time": "bench",
    "completion": "completions",
    "count": "params", "info": "params", "inspect": "params", "parameters": "params",
    "encode": "embed", "search": "embed", "similarity": "embed", "vectors": "embed",
    "eval": "evaluate", "score": "evaluate", "test": "evaluate",
    "label": "classify", "predict": "classify", "sentiment": "classify",
    "mask": "fill", "fill-mask": "fill", "mlm": "fill",
    "multiple-choice": "choose", "swag": "choose",
    "ner": "tag", "entities": "tag", "token-classification": "tag",
    "tokens": "tokenize", "tokenizer": "tokenize", "vocab": "tokenize",
    "train": "finetune", "fine-tune": "finetune", "fit": "finetune", "distill": "finetune",
    "text-classification": "classify",
}  # fmt: skip
_OPTIONS = {
    "--batch-size": "--batch", "--bs": "--batch", "--bf16": "--precision", "--fp16": "--precision",
    "--column": "--text-column", "--cuda": "--device", "--gpu": "--device", "--cpu": "--device",
    "--dtype": "--precision", "--half": "--precision", "--int8": "--precision",
    "--epoch": "--epochs", "--num-epochs": "--epochs", "--max-steps": "--epochs",
    "--label": "--label-column", "--labels": "--label-column", "--input": "--input-format",
    "--jobs": "--threads", "--workers": "--threads", "--num-workers": "--threads",
    "--max-len": "--max-length", "--max-seq-length": "--max-length", "--model-name": "--model",
    "--out": "--output", "--overwrite": "--force", "--sep": "--delimiter", "--silent": "--quiet",
    "--n": "--limit", "--head": "--limit", "--max-rows": "--limit", "--topk": "--top-k",
    "--truncate": "--long", "--window": "--long", "-j": "--threads", "-b": "--batch",
    "-d": "--delimiter", "-f": "--format", "-n": "--limit", "-t": "--text",
}  # fmt: skip
_PROGRAM = {"help": "--help", "version": "--version", "-V": "--version", "-v": "--version"}


def _nearest(word: str, known: Iterable[str], synonyms: dict[str, str]) -> str | None:
    known = list(known)
    if synonyms.get(word.lower()) in known:
        return synonyms[word.lower()]
    near = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return near[0] if near else None


def refuse_unknown(word: str, commands: Iterable[str]) -> None:
    """Raise `UsageError` for an unknown command, naming the likely one; options pass."""
    if word in _PROGRAM:
        raise UsageError(f"no command {word!r}; did you mean 'distil {_PROGRAM[word]}'?")
    if word.startswith("-"):
        return
    near = _nearest(word, commands, _COMMANDS)
    hint = f"did you mean 'distil {near}'?" if near else "see 'distil --help'"
    raise UsageError(f"no command {word!r}; {hint}")


_PLAIN = (
    (r"Input should be a valid integer.*", "is not a whole number"),
    (r"Input should be a valid number.*", "is not a number"),
    (r"Input should be greater than or equal to (.*)", r"must be at least \1"),
    (r"Input should be less than or equal to (.*)", r"must be at most \1"),
    (r"Input should be greater than (.*)", r"must be above \1"),
)


def plain_usage_error(error: Any, path: str, known: Iterable[str]) -> str:
    """Return an error of Typer's in plain words, with the way out.

    `path` is the command, such as `distil tag`, and `known` are its options.
    """
    message = " ".join(error.format_message().replace("Value error, ", "").split()).rstrip(".")
    see = f"see '{path} --help'"
    option = getattr(error, "option_name", None)
    if option is not None and "requires" not in message:
        near = _nearest(option, known, _OPTIONS)
        return f"{path} has no option {option}; {f'did you mean {near}?' if near else see}"
    if found := re.fullmatch(r"Invalid value for '([^']+)'[^:]*: (.*)", message):
        name, fault = found.groups()
        for pattern, plain in _PLAIN:
            fault = re.sub(pattern, plain, fault)
        message = f"{name}: {fault}" if fault.startswith("'") else f"{name} {fault}"
    elif found := re.fullmatch(r"Missing \w+ '([^']+)'.*?(?:Choose from: (.*))?", message):
        choices = f"; choose from {found[2]}" if found[2] else ""
        message = f"{found[1].rstrip('.')} is missing{choices}"
    elif found := re.fullmatch(r"Got unexpected extra argument.*\((.*)\)", message):
        message = f"unexpected argument {found[1]}"
    elif found := re.fullmatch(r"Option '([^']+)' requires an argument", message):
        message = f"{found[1]} needs a value"
    return f"{message}; {see}"
