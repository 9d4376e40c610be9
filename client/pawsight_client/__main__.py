"""`python -m pawsight_client` is the `pawsight` program."""

from pawsight_client.cli import main

main(prog_name="pawsight")
