"""The errors that users see: each class knows its exit code; the text is one line.

A message says what is wrong, where (file, line, column), and the way out. The library raises
these and never exits; `distilcli.app.main` turns them into a line on stderr and an exit code.
"""


class DistilError(Exception):
    """Base of every error whose cause is outside this program."""

    exit_code = 1


class UsageError(DistilError):
    """The command line asks for something that cannot be meant (exit code 2)."""

    exit_code = 2


class InputError(DistilError):
    """An input file or one of its rows cannot be read as it stands (exit code 3)."""

    exit_code = 3


class ModelError(DistilError):
    """A model folder, checkpoint or tokenizer cannot be used (exit code 4)."""

    exit_code = 4


class HeadError(ModelError):
    """A model has no trained head for what it is asked to do."""


class ResourceError(DistilError):
    """Memory, disk, device or network does not suffice (exit code 5)."""

    exit_code = 5


class RowError(InputError):
    """One row cannot be used; a run goes on past it unless told to stop."""


class GateError(DistilError):
    """What was measured is not as good as was asked for (exit code 7)."""

    exit_code = 7
