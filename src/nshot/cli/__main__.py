"""``python -m nshot.cli``."""

from nshot.cli.main import main

main()
