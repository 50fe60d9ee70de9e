"""The exception for mistakes that the user can correct."""


class UserError(Exception):
    """An error in the user's data or configuration.

    The message is one sentence that names the file, the row or key, what was expected, and how to fix it.
    It is shown without a traceback.
    """
