"""`python -m renewer` is the command `renewer`."""

from renewer.cli import main

main()
