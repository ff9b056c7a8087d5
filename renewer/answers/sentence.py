"""
Puts an explanation into one sentence that can be sent to the member as it is.

It begins with what the member's state comes to and goes on with what is special about it, clause by clause.
"""

from renewer.answers.explanation import Explanation
from renewer.answers.headline import state
from renewer.answers.notes import special


def sentence(explanation: Explanation) -> str:
    """Return the one sentence."""
    text = "; ".join([*state(explanation), *special(explanation)])
    return text[0].upper() + text[1:] + "."


def stranger(member_id: str) -> str:
    """Return the sentence about a member nobody knows."""
    return f"No member with the id “{member_id}” is known here: please check the id."
