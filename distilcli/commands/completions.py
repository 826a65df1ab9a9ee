"""`distil completions`: scripts with which a shell completes the commands and their options."""

import sys
from typing import Annotated, Literal

import typer

from distilcli.commands._declare import argument


def completions(
    context: typer.Context,
    shell: Annotated[
        Literal["bash", "zsh", "fish"],
        argument("Shell to print the script for.", "SHELL", topic="Shell"),
    ],
) -> None:
    """Print the script that completes commands, options and values on Tab.

    The script contains all of them, so Tab never starts Python. Renew it after an upgrade.

    bash: add "source ~/.distil.bash" to ~/.bashrc. zsh: DIR is a folder of $fpath.

    Examples:
      distil completions bash > ~/.distil.bash
      distil completions zsh > DIR/_distil
      distil completions fish > ~/.config/fish/completions/distil.fish
    """
    from distilcli.completion import SCRIPTS, read_interface

    sys.stdout.write(SCRIPTS[shell](read_interface(context)))
