"""`python -m loyalty`: the same commands as `loyalty`."""

from loyalty.commands import main

main(prog_name="loyalty")
