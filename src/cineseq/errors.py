"""The one exception that users are meant to read."""


class UserError(Exception):
    """A mistake that the user can mend.

    The message is one sentence that names the file, the row or key, what was expected, and how to mend it.
    It is shown without a traceback.
    """
