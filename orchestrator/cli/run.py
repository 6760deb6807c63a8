"""``glowplug run``: the bot."""

import os
import sys


def run() -> None:
    """Run the bot: the page on 127.0.0.1, and each chat that has a token. Ctrl-C ends its machines."""
    # the same process, so that a signal to this pid is a signal to the bot
    os.execv(sys.executable, [sys.executable, "-m", "bot"])  # noqa: S606 - our own module, no shell
