"""The one error that a user can mend, and that is shown as one line without a traceback."""


class ScanError(ValueError):
    """Bad input: the message names the file, the key and the remedy in one line."""
