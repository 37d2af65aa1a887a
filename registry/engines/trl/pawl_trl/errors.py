"""The error that crosses the protocol."""


class EngineError(Exception):
    """A failure with one of the protocol's codes; its message goes to the host as it is."""

    def __init__(self, code: str, message: str, retryable: bool = False):
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable


def invalid(message: str) -> EngineError:
    return EngineError("invalid_argument", message)
