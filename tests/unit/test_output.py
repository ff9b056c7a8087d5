"""What the command line prints."""

import pytest

from renewer.cli import output


def test_json_shows_what_would_steer_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Old names may hold it; JSON alone would pass it on."""
    output.print_json({"member_id": "a\x1b\x9b\u2028\u202e\u2066é"})
    assert capsys.readouterr().out == (
        '{\n  "member_id": "a\\u001b\\u009b\\u2028\\u202e\\u2066é"\n}\n'
    )
