"""Telegram without Telegram: a Bot API server on this computer, held to the published description of the API."""
