"""Every path that is answered, and who may see it."""

from renewer.web import membership
from renewer.web.site import Page

MEMBER = "/members/{member_id}"

PAGES = (
    Page(MEMBER, membership.show_member, "member"),
    Page(f"{MEMBER}/statement.csv", membership.export_statement, "member"),
    Page(f"/api{MEMBER}", membership.tell_member, "member"),
    Page(f"/api{MEMBER}/statement", membership.tell_statement, "member"),
    Page(f"/api{MEMBER}/cycles", membership.tell_cycles, "member"),
)
