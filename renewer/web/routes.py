"""Every path that is answered, and who may see it."""

from renewer.web import demonstration, events, guidance, membership, operation
from renewer.web.site import Page

MEMBER = "/members/{member_id}"

PAGES = (
    Page("/", operation.show_overview, "operator"),
    Page("/runs/{run_id}", operation.show_run, "operator"),
    Page("/api/status", operation.tell_status, "operator"),
    Page("/api/runs", operation.tell_runs, "operator"),
    Page("/api/runs/{run_id}", operation.tell_run, "operator"),
    Page("/api/plans", operation.tell_plans, "operator"),
    Page("/api/events", events.tell_events, "operator"),
    Page("/api/expiring", events.tell_expiring, "operator"),
    Page("/help", guidance.show_help, "operator"),
    Page("/api/help", guidance.tell_help, "operator"),
    Page("/api/openapi.json", guidance.tell_description, "operator"),
    Page(MEMBER, membership.show_member, "member"),
    # The same rules under the member's own address: a link opens nothing else.
    Page(f"{MEMBER}/help", guidance.show_help, "member"),
    Page(f"{MEMBER}/statement.csv", membership.export_statement, "member"),
    Page(f"/api{MEMBER}", membership.tell_member, "member"),
    Page(f"/api{MEMBER}/statement", membership.tell_statement, "member"),
    Page(f"/api{MEMBER}/cycles", membership.tell_cycles, "member"),
)

DEMO_PAGES = (
    Page("/demo", demonstration.show_demo, "operator"),
    Page("/demo/{step}", demonstration.advance, "operator", "POST"),
)
"""What the demo answers besides; these paths are nowhere else."""
