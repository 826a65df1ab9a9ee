"""Predictions for the official SQuAD scripts: one JSON object, ids to answers."""

from distilcli.rows.formats import split_suffixes
from distilcli.rows.jsonl import json_text
from distilcli.rows.output import WholeOrNothing, open_output


class PredictionsWriter(WholeOrNothing):
    """Writes answers by id into a file that appears whole or not at all."""

    def __init__(self, path: str, *, force: bool = False) -> None:
        """Raise `UsageError` for a file that cannot be written."""
        self._output = open_output(path, split_suffixes(path)[1], force=force)
        self._begun = False

    def write(self, answers: list[tuple[str, str]]) -> None:
        """Write pairs of id and answer; no answer is an empty text."""
        for key, answer in answers:
            before = ",\n" if self._begun else "{\n"
            self._output.write(f"{before}{json_text(str(key))}: {json_text(answer)}")
            self._begun = True

    def close(self) -> None:
        """Finish the object and give the file its name."""
        self._output.write("\n}\n" if self._begun else "{}\n")
        self._output.commit()

    def abort(self) -> None:
        """Give up; no file is left."""
        self._output.discard()
