"""Decisions as pure functions of a snapshot and the time; the loops only load, ask, act and record."""
