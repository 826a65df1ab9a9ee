"""A message names the options of the command that gives it, and no others."""

import ast
from pathlib import Path

import pytest

from distilcli.app import COMMANDS
from tests.contracts._reach import PACKAGE, reached, strings_of
from tests.contracts._settings import (
    all_settings,
    command_lines_in,
    flags_in,
    flags_of_command,
    foreign_options,
    settings_in,
)

SURFACE = ("distilcli.app", "distilcli.commands", "distilcli.completion")

# What a command can reach and leaves as it is, so that no message of it is about that.
_OF_TOKENIZE = "engine truncation"
_OF_EMBED = "dims layer pooling prompt prompt_name"
_OF_FILES = "whole_files file_column max_field_bytes deterministic shard"
_OF_READING = "delimiter encoding input_format limit no_header prefix text_column texts word_column"
_OF_ONE_TASK = (
    "aggregation max_answer_length targets top_k whole_word all_scores multi_label no_abstain"
)
NEVER_GIVEN = {
    "bench": f"{_OF_EMBED} {_OF_ONE_TASK} {_OF_FILES} force prefix long stride max_length "
    "min_agreement texts",
    "choose": "text_column whole_files",
    "classify": _OF_EMBED,
    "clean": f"{_OF_EMBED} {_OF_ONE_TASK} whole_files keep_empty resume retry_errors shard "
    "engine workers gpus_per_worker ray_address "
    "pair_column labels task options_column option_columns label_separator",
    "compress": f"{_OF_EMBED} {_OF_ONE_TASK} {_OF_FILES} texts prefix batch calibrate max_error "
    "threshold_search long stride max_length position_growth student_layers precision seq threads",
    "evaluate": f"{_OF_EMBED} {_OF_ONE_TASK} {_OF_FILES} texts output output_format",
    "finetune": f"{_OF_ONE_TASK} {_OF_FILES} calibrate threshold_search min_agreement "
    "long stride texts max_error",
    "merge": f"{_OF_FILES} {_OF_READING}",
    "qa": "text_column",
    "tokenize": "shard",
}
# Faults that are known.
TO_MEND: dict[str, str] = {
    # It reads files with the usual settings only, and messages of the readers name them.
    "compress": "delimiter encoding input_format no_header word_column label_columns "
    "option_columns options_column task",
}

# Modules whose messages still name flags and not settings.
TO_CONVERT: list[str] = []


def _strings(path: Path) -> list[tuple[int, str]]:
    return list(strings_of(ast.parse(path.read_text(encoding="utf-8"))))


def _library() -> dict[str, Path]:
    paths = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path
        for path in sorted(PACKAGE.rglob("*.py"))
    }
    return {name: path for name, path in paths.items() if not name.startswith(SURFACE)}


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_can_name_no_option_but_its_own(command: str) -> None:
    excused = {*f"{_OF_TOKENIZE} {NEVER_GIVEN.get(command)} {TO_MEND.get(command)}".split()}
    excused |= {flags_of_command(other).get(name, "") for name in excused for other in COMMANDS}
    excused |= {"--alpha"}
    foreign = [
        f"{unit.module}, line {unit.line}: {name}"
        for unit in reached(f"distilcli.commands.{command}", command)
        if not unit.module.startswith("distilcli.completion")
        for text in unit.strings
        for name in foreign_options(command, text)
        if name not in excused
    ]
    assert foreign == []


@pytest.mark.parametrize("name", _library())
def test_the_library_names_settings_and_not_flags(name: str) -> None:
    found = [
        f"line {line}: {flag}"
        for line, text in _strings(_library()[name])
        for flag in flags_in(text)
    ]
    if found and name.removeprefix("distilcli.") in TO_CONVERT:
        pytest.skip(f"to be converted: {found}")
    assert found == []


@pytest.mark.slow
def test_a_setting_is_one_of_some_command() -> None:
    unknown = [
        f"{name}, line {line}: {setting}"
        for name, path in _library().items()
        for line, text in _strings(path)
        for setting in settings_in(text)
        if setting not in all_settings() and not name.endswith("model_card")  # Markdown
    ]
    assert unknown == []


@pytest.mark.slow
def test_a_command_line_that_is_shown_can_be_typed() -> None:
    wrong = [
        f"{path.name}, line {line}: distil {command} has no {flag}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, text in _strings(path)
        for command, flags in command_lines_in(text)
        for flag in flags
        if foreign_options(command, flag)
    ]
    assert wrong == []
