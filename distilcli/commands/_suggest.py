"""Unknown commands and options: which one was probably meant."""

import difflib
from collections.abc import Iterable
from typing import Any

from distilcli.errors import UsageError

# What other tools call it.
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
    "--epoch": "--epochs", "--num-epochs": "--epochs", "--input": "--input-format",
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
    """Raise `UsageError` for a first word that is no command, naming the likely one."""
    if word in _PROGRAM:
        raise UsageError(f"no command {word!r}; did you mean 'distil {_PROGRAM[word]}'?")
    if word.startswith("-"):
        return
    near = _nearest(word, commands, _COMMANDS)
    hint = f"did you mean 'distil {near}'?" if near else "see 'distil --help'"
    raise UsageError(f"no command {word!r}; {hint}")


def plain_usage_error(error: Any, program: str) -> str:
    """Return what Typer says of a command line, as one plain sentence with the way out."""
    context: Any = getattr(error, "ctx", None)
    path = context.command_path if context else program
    unknown = getattr(error, "option_name", None)
    if unknown is not None and "No such option" in str(getattr(error, "message", "")):
        known = [each for parameter in context.command.params for each in parameter.opts]
        near = _nearest(unknown, known, _OPTIONS)
        hint = f"did you mean {near}?" if near else f"see '{path} --help'"
        return f"{path} has no option {unknown}; {hint}"
    message = error.format_message().replace("Value error, ", "").rstrip(".")
    return f"{message}; see '{path} --help'"
