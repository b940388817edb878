"""`python -m xpshpc` is the program `xpshpc`."""

from xpshpc.cli import main

main()
