"""What cannot be answered, and how it is said: a status, a title, what to do."""

from http import HTTPStatus

from renewer.rules.value import value


@value
class Trouble:
    """A problem of one request."""

    status: HTTPStatus
    detail: str
    retry_after_s: int | None = None


class Refused(Exception):
    """Ends the work on a request with a problem."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.detail)
        self.trouble = trouble


NOT_FOUND = Trouble(HTTPStatus.NOT_FOUND, "There is nothing here that you may see.")
UNKNOWN = Trouble(
    HTTPStatus.UNAUTHORIZED,
    "Open the link you were sent, or sign in with the operator's token. "
    "A link ends after some time: ask for a new one.",
)
AWAY = Trouble(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The database cannot be read now, so no numbers can be shown. Nothing is lost: "
    "try again in a minute.",
    retry_after_s=10,
)
BROKEN = Trouble(HTTPStatus.INTERNAL_SERVER_ERROR, "Something is wrong here.")


def bad_request(detail: str) -> Refused:
    """Return the refusal of what was asked for in a way nobody can answer."""
    return Refused(Trouble(HTTPStatus.BAD_REQUEST, detail))
