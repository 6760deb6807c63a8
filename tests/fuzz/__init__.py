"""Answers nobody should send, for every parser of what comes from outside."""
