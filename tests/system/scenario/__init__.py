"""One person, one story, on every surface."""
