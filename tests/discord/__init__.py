"""Discord without Discord: discord.py's real machinery against a world in memory."""
