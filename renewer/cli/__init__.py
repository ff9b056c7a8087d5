"""The command line; its only part that prints is here."""

from renewer.cli.app import main

__all__ = ["main"]
