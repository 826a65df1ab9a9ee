"""Predictions as the official SQuAD scripts read them: one JSON object, ids to answers."""

from types import TracebackType

from distilcli.rows.formats import split_suffixes
from distilcli.rows.jsonl import json_text
from distilcli.rows.output import open_output


class PredictionsWriter:
    """Writes answers by id into a file that appears whole or not at all.

    A context manager that keeps the file only if all went well.
    """

    def __init__(self, path: str, *, force: bool = False) -> None:
        """Raise `UsageError` for a file that may not be written."""
        self._output = open_output(path, split_suffixes(path)[1], force=force)
        self._begun = False

    def write(self, answers: list[tuple[str, str]]) -> None:
        """Write answers, each an id and a text; no answer is an empty text."""
        for key, answer in answers:
            before = ",\n" if self._begun else "{\n"
            self._output.write(f"{before}{json_text(str(key))}: {json_text(answer)}")
            self._begun = True

    def __enter__(self) -> "PredictionsWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._output.discard()
            return
        try:
            self._output.write("\n}\n" if self._begun else "{}\n")
            self._output.commit()
        except BaseException:
            self._output.discard()
            raise
