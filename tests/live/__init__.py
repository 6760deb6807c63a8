"""
The real vendors: opt-in, because it costs money.

``GLOWPLUG_LIVE=1 GLOWPLUG_LIVE_CAP_USD=2 .venv/bin/pytest tests/live`` tries every cloud and every managed API that
``.env`` configures, ends what it started, and proves it. The cap holds for each of them.
"""
