"""`distil completions`: scripts by which a shell completes the commands and their options."""

import sys
from typing import Annotated, Literal

import typer


def completions(
    context: typer.Context,
    shell: Annotated[
        Literal["bash", "zsh", "fish"], typer.Argument(metavar="SHELL", help="Whose script.")
    ],
) -> None:
    """Print the script that lets a shell complete commands, options and their values on Tab.

    The script knows them all by itself: Tab starts no Python. Renew it after an upgrade.

    bash: distil completions bash > ~/.distil.bash, and in ~/.bashrc: source ~/.distil.bash

    zsh: distil completions zsh > DIR/_distil, where DIR is a folder of $fpath.

    fish: distil completions fish > ~/.config/fish/completions/distil.fish
    """
    from distilcli.completion import SCRIPTS, read_interface

    sys.stdout.write(SCRIPTS[shell](read_interface(context)))
