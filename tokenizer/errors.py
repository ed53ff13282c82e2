"""The base of all errors that are the user's to solve."""


class UserError(Exception):
    """Something that the user can put right; the message is one line that says what to do.

    Commands print the message without a traceback and exit with 1.
    """
