"""The real bot, ended or cut off at random again and again, on a sandbox cloud that goes on."""
