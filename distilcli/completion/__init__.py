"""Completion scripts, which contain the whole command line, so that Tab never starts Python."""

from distilcli.completion.bash import bash_script
from distilcli.completion.fish import fish_script
from distilcli.completion.interface import Interface, read_interface
from distilcli.completion.zsh import zsh_script

__all__ = ["SCRIPTS", "Interface", "read_interface"]

SCRIPTS = {"bash": bash_script, "zsh": zsh_script, "fish": fish_script}
"""The function that writes the script of each shell from an `Interface`."""
