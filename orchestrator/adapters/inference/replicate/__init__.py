"""Replicate, a managed API."""

from orchestrator.adapters.inference.replicate.api import Replicate, replicate

__all__ = ["Replicate", "replicate"]
