"""The one error that is the user's to mend."""


class InputError(Exception):
    """Bad input, refused before work starts.

    The message is one sentence: the key, the value, what is allowed, and the fix. Entry points print it without a
    traceback and exit with a non-zero status.
    """
