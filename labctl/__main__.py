"""Lets `python -m labctl` be the command, where no script of it is on the path."""

from labctl.cli.main import main

main()
