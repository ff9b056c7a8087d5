"""The mutations: each breaks one guard, and names the tests that must see it."""

from dataclasses import dataclass

BACKFILL = "tests/integration/test_backfill.py::"
FEED = "tests/integration/test_feed.py::"
READER = "tests/faults/test_feed.py::test_a_reader_has_each_entry_once_and_in_order"
PAGES = "tests/web/test_access.py::"
ATTACK = "tests/integration/test_attack.py::"
POOLER = (
    "tests/faults/test_b_server.py::"
    "test_b15_what_a_role_sets_is_the_same_through_a_pooler_or_refused"
)
CONTRACT = "tests/unit/test_contract.py::"
CYCLE = "tests/unit/test_calendar.py::"
FAULTS = "tests/faults/test_c_inside.py::"
FUNCTIONS = "tests/integration/test_functions.py::"
TROUBLE = "tests/integration/test_trouble.py::"
DUE = "tests/integration/test_due.py::"
PASSES = "tests/integration/test_passes.py::"
PROCESSES = "tests/faults/test_processes.py::"
POLICY = "tests/unit/test_policy.py::"
RENEWAL = "tests/integration/test_renewal.py::"
REPAIR = "tests/unit/test_backfill.py::"
WEB = "tests/web/"


@dataclass(frozen=True)
class Mutation:
    """
    One guard that is broken: in the function *where*, *old* becomes *new*.

    *where* names a function or method ("renewer.rules.draft:Draft.post"), a routine or
    view of SQL ("renewer.spend"), or a file, and *old* occurs there exactly once. Every
    one of *tests* must then be red. *guard* says what would go wrong without it. A
    *quick* one is tried by the normal suite.
    """

    name: str
    guard: str
    where: str
    old: str
    new: str
    tests: tuple[str, ...]
    quick: bool = False


MUTATIONS = (
    # 1. What a pass writes: versions, one member alone, busy ones
    Mutation(
        "posting-ignores-the-version",
        "A posting that was planned before a request came is not written.",
        "renewer.post_member",
        "IF current <> planned.version THEN",
        "IF false THEN",
        # A spend is seen without it: the number of its entry is taken.
        (TROUBLE + "test_a_request_made_while_a_pass_plans_is_not_forgotten",),
    ),
    Mutation(
        "call-keeps-the-version",
        "Every call of the marketplace makes what was planned before it stale.",
        "renewer.keep_request",
        "SET version = m.version + 1, last_request",
        "SET last_request",
        (PASSES + "test_a_member_who_never_holds_still_is_posted_under_a_lock",),
    ),
    Mutation(
        "failure-ignores-the-version",
        "A failure of a version that is gone is not recorded.",
        "renewer.record_failure",
        "IF current <> planned.version THEN",
        "IF false THEN",
        (
            PASSES + "test_a_failure_of_a_version_that_is_gone_is_not_recorded",
            TROUBLE + "test_a_failure_counts_once_for_the_version_that_was_planned",
        ),
    ),
    Mutation(
        "failure-keeps-the-version",
        "A failure makes what was planned before it stale.",
        "renewer.record_failure",
        "SET retry_at = planned.retry_at, version = m.version + 1",
        "SET retry_at = planned.retry_at",
        (TROUBLE + "test_a_failure_counts_once_for_the_version_that_was_planned",),
    ),
    Mutation(
        "failure-conflict-without-a-target",
        "A second failure is counted; ON CONFLICT names its constraint.",
        "renewer.record_failure",
        """ON CONFLICT ON CONSTRAINT failure_pkey DO UPDATE
    SET code = excluded.code, message = excluded.message, plan = excluded.plan, \
timezone = excluded.timezone,
        run_id = excluded.run_id, attempts = f.attempts + 1, last_failed_at = \
excluded.last_failed_at;""",
        "ON CONFLICT DO NOTHING;",
        (
            RENEWAL + "test_a_member_who_fails_delays_nobody_and_is_tried_again",
            "tests/unit/test_project.py::test_a_conflict_that_is_expected_is_named",
        ),
    ),
    Mutation(
        "enrolment-conflict-without-a-target",
        "Of an enrolment only the member's own key may be there already.",
        "renewer.enroll",
        "ON CONFLICT ON CONSTRAINT member_pkey DO NOTHING",
        "ON CONFLICT DO NOTHING",
        ("tests/unit/test_project.py::test_a_conflict_that_is_expected_is_named",),
    ),
    Mutation(
        "no-sub-block",
        "An error inside one member's posting undoes that member alone.",
        "renewer.post_batch",
        "EXCEPTION WHEN OTHERS THEN",
        "EXCEPTION WHEN division_by_zero THEN",
        (
            FAULTS
            + "test_c10_a_write_that_is_dropped_in_silence_posts_nothing_of_its_member",
        ),
    ),
    Mutation(
        "error-is-swallowed",
        "An error inside a posting is recorded, never counted as posted.",
        "renewer.post_batch",
        "planned.error_code := SQLSTATE;",
        "outcome := 'posted';",
        (RENEWAL + "test_what_the_database_refuses_is_that_members_failure",),
    ),
    Mutation(
        "lock-is-a-failure",
        "A lock that somebody else holds is nobody's failure.",
        "renewer.post_batch",
        " OR SQLSTATE = '55P03' THEN",
        " THEN",
        (TROUBLE + "test_a_lock_on_what_a_posting_writes_is_nobodys_failure",),
    ),
    Mutation(
        "privilege-is-a-failure",
        "A privilege that is missing is trouble of the server, not of a member.",
        "renewer.post_batch",
        " OR SQLSTATE = '42501' THEN",
        " THEN",
        (TROUBLE + "test_a_privilege_that_is_missing_is_trouble_of_the_server",),
    ),
    Mutation(
        "busy-member-is-waited-for",
        "A pass does not wait for whoever holds a member's row.",
        "renewer.post_member",
        "FOR UPDATE SKIP LOCKED",
        "FOR UPDATE",
        (TROUBLE + "test_a_locked_member_is_passed_over_not_waited_for",),
    ),
    Mutation(
        "busy-member-is-posted",
        "A busy member is not counted as posted.",
        "renewer.post_member",
        "RETURN 'busy';",
        "RETURN 'posted';",
        (
            TROUBLE + "test_a_locked_member_is_passed_over_not_waited_for",
            TROUBLE + "test_who_was_busy_is_looked_at_again_in_the_same_pass",
            RENEWAL + "test_a_member_somebody_holds_stays_due_and_is_skipped",
        ),
    ),
    Mutation(
        "session-stays-asynchronous",
        "The last write of a pass is synchronous, and so is whatever comes after it.",
        "renewer.post_batch",
        "SET LOCAL synchronous_commit = off",
        "SET synchronous_commit = off",
        (TROUBLE + "test_a_pass_leaves_its_session_synchronous",),
    ),
    Mutation(
        "built-in-by-its-name-alone",
        "A function of the same name in another schema is not run by the job.",
        "renewer.post_batch",
        "pg_catalog.jsonb_build_object(",
        "jsonb_build_object(",
        (
            ATTACK + "test_a_better_match_in_another_schema_is_not_called",
            ATTACK + "test_built_ins_that_take_any_type_are_named_with_their_schema",
        ),
    ),
    # 2. How a pass goes through the members
    Mutation(
        "no-second-look",
        "Who was busy is looked at again before the pass ends.",
        "renewer.jobs.renewal:renew_due",
        "while retry.pause(locked):",
        "while False:",
        (TROUBLE + "test_who_was_busy_is_looked_at_again_in_the_same_pass",),
        quick=True,
    ),
    Mutation(
        "patience-counts-as-done",
        "A bucket whose lease is never given back is done without the lease.",
        "renewer.jobs.scan:BucketScan._step",
        """\
            elif self._wait_for_lease(bucket):
                running.recorder.keep_alive(conn)
                return False
""",
        """\
            else:
                return not self._wait_for_lease(bucket)
""",
        (
            "tests/faults/test_d_concurrency.py::"
            "test_d_leases_that_others_hold_are_waited_for_and_then_done_without",
        ),
    ),
    Mutation(
        "left-is-not-counted",
        "A pass says how many are still due at its end.",
        "renewer.jobs.renewal:renew_due",
        "left = count_due(conn, request.as_of, request.members)",
        "left = 0",
        (RENEWAL + "test_a_member_somebody_holds_stays_due_and_is_skipped",),
    ),
    Mutation(
        "named-member-waits",
        "A named member does not wait for their next try.",
        "renewer.jobs.scan:MemberListScan.run",
        "heed_retry=self._has_tried",
        "heed_retry=True",
        (
            PASSES + "test_a_named_member_does_not_wait_but_stays_where_they_were_put",
            RENEWAL + "test_a_named_member_is_tried_again_at_once",
        ),
    ),
    Mutation(
        "late-pass-is-missed",
        "A pass that comes late, after a host that slept, is run.",
        "renewer.worker.schedule:Worker.serve",
        """\
            id="renew",
            next_run_time=datetime.now(UTC),
            misfire_grace_time=None,
""",
        """\
            id="renew",
            next_run_time=datetime.now(UTC),
            misfire_grace_time=1,
""",
        (TROUBLE + "test_a_pass_that_comes_late_is_run_all_the_same",),
    ),
    Mutation(
        "read-only-is-no-trouble",
        "A server that is read-only for a moment is trouble of the server.",
        "renewer/store/connection.py",
        'SERVER_TROUBLE = ("08", "25", "40", "53", "55P03", "57", "58")',
        'SERVER_TROUBLE = ("08", "40", "53", "55P03", "57", "58")',
        ("tests/faults/test_b_server.py::test_b13_a_server_that_is_read_only_is_told",),
    ),
    Mutation(
        "no-watchdog",
        "A server that does not answer is given up by the client.",
        "renewer.store.connection:Database._bounded",
        "                self._lose_patience(began)\n",
        "",
        (
            TROUBLE + "test_a_server_that_does_not_answer_is_given_up",
            TROUBLE + "test_one_who_was_asked_to_leave_waits_for_no_answer",
        ),
    ),
    Mutation(
        "busy-member-never-has-a-turn",
        "A member whom callers change without pause is waited for.",
        "renewer.jobs.poster:BatchPoster.post",
        "        self._wait_for_locks(conn, results)\n",
        "",
        (
            "tests/faults/test_d_concurrency.py::"
            "test_d5_a_flood_of_calls_for_one_member_does_not_starve_their_renewal",
        ),
    ),
    Mutation(
        "busy-members-wait-one-after-the-other",
        "Many whom somebody holds delay a pass no longer than one does.",
        "renewer.jobs.poster:BatchPoster._wait_for_locks",
        "if time.monotonic() > until:",
        "if False:",
        (
            "tests/faults/test_d_concurrency.py::"
            "test_d6_many_whom_somebody_holds_delay_a_pass_no_longer_than_one",
        ),
    ),
    Mutation(
        "killed-pass-keeps-its-locks",
        "The server looks whether the client of a statement is still there.",
        "sql/queries/connection/pin_session.sql",
        "'client_connection_check_interval', '500ms'",
        "'client_connection_check_interval', '0'",
        ("tests/faults/test_a_process.py::test_a3_what_a_killed_pass_held_is_let_go",),
    ),
    Mutation(
        "operator-of-anybody",
        "What is run before the search path is pinned names its operators.",
        "sql/queries/connection/pin_session.sql",
        "OPERATOR(pg_catalog.~)",
        "~",
        (
            "tests/integration/test_attack.py::"
            "test_an_operator_of_the_same_name_is_never_run",
        ),
    ),
    Mutation(
        "invalid-index-is-no-drift",
        "An index that the database does not use is named.",
        "sql/queries/catalog/find_indexes.sql",
        "ELSE ' INVALID' END",
        "ELSE '' END",
        (FAULTS + "test_c12_a_unique_key_that_is_gone_is_named_by_verify",),
    ),
    Mutation(
        "privilege-of-a-stranger-is-no-drift",
        "Whoever may more than renewer's roles is named.",
        "renewer.answers.drift:_compare_others",
        "if granted - allowed:",
        "if False:",
        ("tests/integration/test_drift.py::test_a_drift_is_told_with_its_way_out",),
    ),
    Mutation(
        "role-that-owns-is-no-drift",
        "What one of renewer's roles owns, and so may do anything with, is named.",
        "sql/queries/catalog/find_memberships.sql",
        "WHERE o.owner = r.oid",
        "WHERE false",
        ("tests/integration/test_drift.py::test_a_drift_is_told_with_its_way_out",),
    ),
    # 3. When a member is due
    Mutation(
        "parked-is-due",
        "Who was set aside is left alone.",
        "renewer.due_at",
        "IF parked OR status = 'closed' THEN",
        "IF status = 'closed' THEN",
        (
            DUE + "test_who_is_due_and_when",
            PASSES + "test_a_named_member_does_not_wait_but_stays_where_they_were_put",
        ),
    ),
    Mutation(
        "closed-is-due",
        "Who is closed is never due.",
        "renewer.due_at",
        "IF parked OR status = 'closed' THEN",
        "IF parked THEN",
        (
            DUE + "test_who_is_due_and_when",
            DUE + "test_who_is_closed_is_never_due_again",
        ),
    ),
    Mutation(
        "review-is-due-without-a-request",
        "Under review nobody is due before what ends it.",
        "renewer.due_at",
        "RETURN CASE WHEN requested_at IS NOT NULL THEN "
        "greatest(requested_at, retry_at) END;",
        "RETURN greatest(requested_at, retry_at);",
        (DUE + "test_who_is_due_and_when",),
    ),
    Mutation(
        "lot-end-is-forgotten",
        "Who gets a lot that lapses becomes due at its end.",
        "renewer.issue_lot",
        ", lapses_at = least(m.lapses_at, issue_lot.expires_at)",
        "",
        (FUNCTIONS + "test_a_lapsed_lot_is_not_spendable_even_before_it_is_swept",),
        quick=True,
    ),
    Mutation(
        "refunded-lot-end-is-forgotten",
        "A lot that was used up ends again when something comes back to it.",
        "renewer.refund",
        "SET lapses_at = least(h.lapses_at, ends_at)",
        "SET lapses_at = h.lapses_at",
        (FUNCTIONS + "test_a_refund_makes_a_used_up_lot_lapse_again",),
    ),
    Mutation(
        "earlier-request-is-forgotten",
        "A request dated before one that waits makes its member due earlier.",
        "renewer.await_request",
        "ELSE least(m.requested_at,",
        "ELSE greatest(m.requested_at,",
        (DUE + "test_a_request_recorded_late_is_due_at_its_own_time",),
    ),
    # 4. The calendar and what a boundary does
    Mutation(
        "boundary-a-day-early",
        "A cycle is awarded on the day after its last, not on it.",
        "renewer.rules.calendar:Calendar.boundary",
        "return starts_at(self.first_day(n), self.timezone)",
        "return starts_at(self.last_day(n - 1), self.timezone)",
        (CYCLE + "test_the_last_day_of_december_fourth_is_awarded_on_the_fifth",),
        quick=True,
    ),
    Mutation(
        "months-are-chained",
        "Months count from the anchor: January 31 comes back after February.",
        "renewer.rules.calendar:_add_months",
        "        day = anchor_on + relativedelta(months=months)\n",
        "        day = anchor_on\n"
        "        for _ in range(months):\n"
        "            day += relativedelta(months=1)\n",
        (
            CYCLE + "test_the_end_of_january_comes_back_after_february",
            CYCLE + "test_a_leap_day_comes_back_in_leap_years",
        ),
    ),
    Mutation(
        "midnight-is-the-second",
        "Of a midnight that exists twice, the first counts.",
        "renewer.rules.calendar:starts_at",
        "midnight = datetime.combine(day, time(), local)",
        "midnight = datetime.combine(day, time(fold=1), local)",
        (CYCLE + "test_odd_midnights",),
    ),
    Mutation(
        "summer-of-cet-is-forgotten",
        "CET, MET, EET and WET are zones, not offsets that never change.",
        "renewer.local_day",
        "AT TIME ZONE renewer.zone_of(local_day.timezone)",
        "AT TIME ZONE local_day.timezone",
        (FUNCTIONS + "test_a_zone_that_is_also_an_abbreviation_has_its_summer",),
    ),
    Mutation(
        "cap-after-the-allowance",
        "The cap counts before the new allowance is added.",
        "renewer.rules.boundary:_end_cycle",
        "find_excess(held, rules.rollover_cap)",
        "find_excess(held, max((rules.rollover_cap or 0) - rules.allowance, 0))",
        (POLICY + "test_the_cap_counts_before_the_new_allowance",),
        quick=True,
    ),
    Mutation(
        "bought-ones-end-with-the-cycle",
        "No cycle touches what was bought.",
        "renewer.rules.boundary:_ends_at",
        "return lot.cycle_bound and lot.issued_at < at",
        "return lot.issued_at < at",
        (POLICY + "test_bought_connects_outlive_every_cycle",),
    ),
    Mutation(
        "boundary-ends-what-it-began-with",
        "What is issued at a boundary belongs to the cycle that begins.",
        "renewer.rules.boundary:_ends_at",
        "return lot.cycle_bound and lot.issued_at < at",
        "return lot.cycle_bound and lot.issued_at <= at",
        (POLICY + "test_a_lot_issued_at_the_boundary_is_not_touched_by_it",),
    ),
    Mutation(
        "lapse-after-the-boundary",
        "A lot that ends at a boundary lapses before it and does not roll over.",
        "renewer.rules.boundary:post_lapses",
        "lapse[0] <= until:",
        "lapse[0] < until:",
        (POLICY + "test_a_lot_that_lapses_at_the_boundary_does_not_roll_over",),
    ),
    Mutation(
        "lapse-on-its-day",
        "A lot lapses at its end, not earlier on that day.",
        "renewer.rules.boundary:post_lapses",
        "lapse[0] <= until:",
        "lapse[0].date() <= until.date():",
        (DUE + "test_a_lot_ends_at_its_end_and_not_before",),
    ),
    Mutation(
        "renewal-above-the-limit",
        "A renewal that no ledger holds is a failure that says so.",
        "renewer.rules.draft:Draft.post",
        "if self.balance > LARGEST_BALANCE:",
        "if False:",
        (FUNCTIONS + "test_a_renewal_no_ledger_holds_fails_and_says_so",),
    ),
    Mutation(
        "late-lot-ends-before-it-begins",
        "What is made up for while boundaries wait belongs to the cycle of today.",
        "renewer.rules.backfill:_issue_late",
        "if at >= member.renews_at:",
        "if False:",
        (REPAIR + "test_a_lifetime_counts_from_the_cycle_of_today",),
    ),
    Mutation(
        "older-cycle-has-no-rules",
        "A cycle older than its plan's first rules is reckoned by those.",
        "renewer.rules.requests:_reckon_day",
        "plans.first_known(member.plan, first_day)",
        "plans.in_force(member.plan, first_day)",
        (FUNCTIONS + "test_a_cycle_older_than_the_rules_of_its_plan_can_be_changed",),
    ),
    Mutation(
        "changing-back-and-forth-earns",
        "Changes of one day bring no more than the last of them alone.",
        "renewer.rules.requests:prorate",
        "used - day.credited, 0)",
        "used, 0)",
        (FUNCTIONS + "test_changing_back_and_forth_earns_nothing",),
    ),
    # 5. What the marketplace may do
    Mutation(
        "repeated-call-is-judged-by-its-time",
        "Of a call that is repeated, the time does not count.",
        "renewer.receive_request",
        "PERFORM renewer.check_name('reference', receive_request.reference, 200);",
        "PERFORM renewer.check_name('reference', receive_request.reference, 200);\n"
        "    PERFORM renewer.check_time(receive_request.at);",
        (FUNCTIONS + "test_a_call_repeated_after_its_end_is_answered",),
    ),
    Mutation(
        "reference-is-reused",
        "One reference is one call; with other content it is refused.",
        "renewer.receive_request",
        "IF known.kind <> receive_request.kind OR "
        "known.content <> receive_request.content THEN",
        "IF false THEN",
        (FUNCTIONS + "test_one_reference_is_one_call",),
    ),
    Mutation(
        "more-comes-back-than-was-spent",
        "A spend comes back once, in all.",
        "renewer.refund",
        "IF open > spent - returned OR open = 0 THEN",
        "IF open = 0 THEN",
        (FUNCTIONS + "test_a_refund_goes_back_where_it_came_from_last_spent_first",),
    ),
    Mutation(
        "lapsed-lot-is-spent",
        "A lapsed lot is not spendable, swept or not.",
        "renewer.take_connects",
        " AND (l.expires_at IS NULL OR l.expires_at > judged)",
        "",
        (FUNCTIONS + "test_a_lapsed_lot_is_not_spendable_even_before_it_is_swept",),
    ),
    Mutation(
        "lot-is-spent-at-its-end",
        "At its end, to the instant, a lot has lapsed.",
        "renewer.take_connects",
        "OR l.expires_at > judged)",
        "OR l.expires_at >= judged)",
        (DUE + "test_a_lot_ends_at_its_end_and_not_before",),
    ),
    Mutation(
        "waiting-boundary-ends-what-came-after",
        "A lot's cycle ends at the first boundary after it was issued.",
        "renewer.cycle_end",
        "WHILE at <= cycle_end.issued_at LOOP",
        "WHILE false LOOP",
        (DUE + "test_a_refund_lot_of_today_is_not_over_while_a_boundary_waits",),
    ),
    Mutation(
        "plan-without-rules-is-accepted",
        "A change now is refused when the plan has no rules for today.",
        "renewer.change_plan",
        "p.effective_from <= coalesce(today, 'infinity')",
        "p.effective_from <= 'infinity'",
        (FUNCTIONS + "test_a_plan_without_rules_for_today_is_refused",),
    ),
    Mutation(
        "purchase-above-the-limit",
        "A balance no ledger holds is refused in words of our own.",
        "renewer.check_balance",
        "IF held + check_balance.amount > 2147483647 THEN",
        "IF false THEN",
        (FUNCTIONS + "test_a_balance_no_ledger_holds_is_refused_with_a_way_out",),
    ),
    Mutation(
        "control-characters-are-accepted",
        "No name steers a terminal or forges a line of a log.",
        "renewer.check_name",
        "IF check_name.name ~ (",
        "IF false AND check_name.name ~ (",
        (
            FUNCTIONS + "test_a_name_that_steers_a_terminal_is_refused",
            FUNCTIONS + "test_a_name_is_refused_by_a_call_as_by_an_import",
        ),
    ),
    Mutation(
        "a-name-may-end-with-a-blank",
        "No two members look like one.",
        "renewer.check_name",
        "IF check_name.name ~ '^ | $'",
        "IF check_name.name ~ '^ '",
        (FUNCTIONS + "test_a_name_is_refused_by_a_call_as_by_an_import",),
    ),
    Mutation(
        "json-steers-the-terminal",
        "JSON shows characters that a terminal would obey.",
        "renewer.cli.output:_dumps",
        r'return STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)',
        "return text",
        ("tests/unit/test_output.py::test_json_shows_what_would_steer_a_terminal",),
        quick=True,
    ),
    Mutation(
        "zeros-are-sent-as-nulls",
        "A value that is left out of a posting is null: a zero is not.",
        "renewer.store.batches:describe_posting",
        "        if written is not None:\n",
        "        if written:\n",
        (CONTRACT + "test_a_zero_is_sent_and_a_null_is_not",),
    ),
    Mutation(
        "an-older-text-of-the-schema-passes",
        "A database made from an older text of the schema is refused.",
        "renewer.store.schema:refuse_unknown",
        "if applied[name] != shipped[name]:",
        "if False:",
        (
            "tests/integration/test_migrations.py::"
            "test_a_schema_made_from_an_older_text_is_refused",
        ),
    ),
    Mutation(
        "stored-days-are-not-compared",
        "The days stored with a cycle are those of the calendar.",
        "renewer.rules.cycle_history:_find_wrong_days",
        "if (key.first_day, key.last_day) != (first_day, last_day):",
        "if False:",
        ("tests/integration/test_verification.py::test_what_is_broken_is_named",),
    ),
    Mutation(
        "an-answer-nobody-asked-is-a-node-away",
        "Only an error with SQLSTATE tells of a node; another is the connection's own.",
        "renewer.store.cluster:is_node_away",
        "return tells and is_server_trouble(error)",
        "return is_server_trouble(error)",
        (TROUBLE + "test_only_what_tells_its_state_is_a_node_that_is_away",),
    ),
    Mutation(
        "an-answer-nobody-asked-is-a-wrong-call",
        "A pooler that loses count is trouble that passes.",
        "renewer.store.connection:is_server_trouble",
        "error, psycopg.OperationalError | psycopg.InternalError",
        "error, psycopg.OperationalError",
        (
            "tests/faults/test_b_server.py::"
            "test_b5_an_answer_that_comes_twice_is_trouble_of_the_wire",
        ),
    ),
    # 8. The feed: wrong readers, and what a crash or a move would take back
    Mutation(
        "feed-goes-by-transaction-ids",
        "A transaction that began early and ends late is read all the same.",
        "renewer.find_batch",
        "      AND NOT renewer.is_seen(e.xact, place.base, feed.raised_by)\n$$",
        "      AND e.xact >= pg_catalog.pg_snapshot_xmax(place.base)::text::bigint\n$$",
        (FEED + "test_what_commits_late_is_in_a_later_batch", READER),
    ),
    Mutation(
        "feed-goes-by-the-oldest-transaction",
        "A member's events come in the order of their entries.",
        "renewer.find_batch",
        """      AND renewer.is_seen(e.xact, place.target, feed.raised_by)
      AND NOT renewer.is_seen(e.xact, place.base, feed.raised_by)
$$;""",
        """      AND e.xact < pg_catalog.pg_snapshot_xmin(place.target)::text::bigint
$$;""",
        (FEED + "test_a_member_is_in_order_whoever_began_first",),
    ),
    Mutation(
        "feed-goes-by-the-row",
        "What a subtransaction wrote is read when all of it has committed.",
        "renewer.find_batch",
        "      AND NOT renewer.is_seen(e.xact, place.base, feed.raised_by)\n$$",
        "      AND NOT renewer.is_seen("
        "e.xmin::text::bigint, place.base, feed.raised_by)\n$$",
        (FEED + "test_what_commits_late_is_in_a_later_batch", READER),
    ),
    Mutation(
        "large-batch-tells-what-was-told",
        "A batch that is read by key is what its tick saw and the one before did not.",
        "renewer.batch_entries",
        "(place.base IS NULL OR NOT renewer.is_seen("
        "e.xact, place.base, feed.raised_by))",
        "true",
        (FEED + "test_a_large_batch_is_read_by_key_and_is_only_itself",),
    ),
    Mutation(
        "first-seal-is-timed-out",
        "The seal of a large ledger may take longer than any statement of a pass.",
        "renewer.store.feed:seal_batch",
        '"statement_timeout", "value": "0"',
        '"statement_timeout", "value": "50ms"',
        (FEED + "test_the_first_seal_may_take_its_time",),
    ),
    Mutation(
        "tick-is-asynchronous",
        "What a reader saw, no crash takes back.",
        "renewer.tick",
        "PERFORM pg_catalog.set_config('synchronous_commit', 'on', true);",
        "",
        (FEED + "test_a_tick_is_on_disk_whatever_the_session_is_set_to",),
    ),
    Mutation(
        "event-is-cut-at-the-end-of-a-page",
        "An event has all its entries, however many are looked at.",
        "renewer.events",
        "IF NOT page.whole THEN",
        "IF false THEN",
        (FEED + "test_an_event_of_many_entries_is_whole",),
    ),
    Mutation(
        "cursor-of-another-server-is-read",
        "A cursor whose transactions are another server's is refused.",
        "renewer.read_place",
        "read ->> 0 <> feed.server::text OR read ->> 1 <> feed.raised_by::text",
        "false",
        (FEED + "test_a_ledger_that_was_moved_is_read_anew_after_migrate",),
    ),
    Mutation(
        "ids-are-not-raised-after-a-move",
        "New transactions lie above those of the server before.",
        "renewer.adopt_server",
        "SELECT coalesce(pg_catalog.max(e.xact), 0) INTO above",
        "SELECT 0 INTO above",
        (FEED + "test_a_ledger_that_was_moved_is_read_anew_after_migrate",),
    ),
    Mutation(
        "seal-leaves-out-the-reason",
        "A seal is of all that an entry says.",
        "sql/queries/feed/copy_batch.sql",
        "b.plan, b.reason,",
        "b.plan,",
        (FEED + "test_whatever_the_owner_bends_is_named",),
    ),
    Mutation(
        "seal-goes-on-from-one-that-is-not-the-last",
        "Two who seal at once make one chain.",
        "sql/queries/feed/record_seal.sql",
        "WHERE %(before)s::bigint = coalesce(",
        "WHERE 0 <= %(before)s::bigint + coalesce(",
        (FEED + "test_seals_made_at_once_go_on_from_each_other",),
    ),
    Mutation(
        "tick-waits-for-a-clock-that-was-set-back",
        "A tick that is still to come by the clock holds up no reader.",
        "renewer.tick",
        "interval '1 second' AND pg_catalog.clock_timestamp()",
        "interval '1 second' AND 'infinity'",
        (FEED + "test_a_clock_that_was_set_back_holds_up_no_reader",),
    ),
    # 9. Names, and the server's own trouble
    Mutation(
        "temporary-types-come-first",
        "A call that runs with the owner's rights finds a caller's types last.",
        "renewer.spend",
        "SECURITY DEFINER SET search_path = renewer, pg_temp",
        "SECURITY DEFINER SET search_path = renewer",
        (ATTACK + "test_a_temporary_type_takes_no_place_of_one_that_is_built_in",),
    ),
    Mutation(
        "session-is-pinned-by-what-a-role-has-set",
        "Not even the first statement uses a type of another schema.",
        "sql/queries/connection/pin_session.sql",
        "::pg_catalog.text, false),\n       pg_catalog.set_config('idle",
        "::text, false),\n       pg_catalog.set_config('idle",
        (ATTACK + "test_a_type_of_the_same_name_is_never_used",),
    ),
    Mutation(
        "pooler-finds-other-names-first",
        "Through a pooler, names before those that are built in are refused.",
        "renewer.store.connection:_pin",
        "if before is not None:",
        "if False:",
        (POOLER,),
    ),
    Mutation(
        "full-disk-is-a-failure-of-the-member",
        "Trouble of the server ends the batch; nobody is to blame.",
        "renewer.post_batch",
        "('25', '53', '57', '58')",
        "('25')",
        (FAULTS + "test_c1_trouble_of_the_server_ends_the_pass_and_fails_nobody",),
    ),
    # 10. Pages: who may see what
    Mutation(
        "any-host-is-answered",
        "A page of another site cannot read members through a browser.",
        "renewer.web.gate:Gate",
        "if self._is_ours(scope):",
        "if True:",
        (PAGES + "test_another_host_is_refused",),
    ),
    Mutation(
        "link-opens-anybody",
        "A member's link opens that member and nobody else.",
        "renewer.web.access:Visitor.may_see",
        "return self.is_operator or self.member_id == member_id",
        "return self.is_known",
        (PAGES + "test_a_link_opens_its_member_and_nobody_else",),
    ),
    Mutation(
        "link-opens-the-operators-pages",
        "A member's link opens nothing of the operator's.",
        "renewer.web.site:_admit",
        'if page.audience == "operator" and not visitor.is_operator:',
        'if page.audience == "nobody" and not visitor.is_operator:',
        (PAGES + "test_a_link_opens_that_members_pages_and_nothing_else",),
    ),
    Mutation(
        "link-for-ever-is-accepted",
        "A link has an end, an audience and a member.",
        "renewer.web.links:read_member",
        'options={"require": ["exp", "sub", "aud"]},',
        'options={"require": ["sub", "aud"]},',
        (PAGES + "test_a_forged_link_opens_nothing",),
    ),
    Mutation(
        "secrets-may-be-guessed-without-end",
        "Failed look-ups of one address are limited.",
        "renewer.web.site:_limited",
        "if visitor.is_operator or trouble.status not in FAILED_LOOKUPS:",
        "if True:",
        (PAGES + "test_only_failed_look_ups_are_limited",),
    ),
    # 11. Pages: what moves the demo's clock, what they say
    Mutation(
        "another-site-moves-the-clock",
        "Only the demo's own buttons move its clock.",
        "renewer.web.demonstration:check_origin",
        'if request.headers.getlist("origin") != [ours]:',
        "if False:",
        (WEB + "test_demo.py::test_another_site_moves_no_clock",),
    ),
    Mutation(
        "the-clock-is-everywhere",
        "Nowhere but in the demo is there anything to press.",
        "renewer.web.serving:make_app",
        "return Gate(build(site, PAGES), hosts, place.prefix)",
        "return Gate(build(site, (*PAGES, *DEMO_PAGES)), hosts, place.prefix)",
        (WEB + "test_demo.py::test_outside_the_demo_there_is_no_clock_to_move",),
    ),
    Mutation(
        "a-link-opens-the-operators-pages",
        "A member's link opens that member's pages and nothing else.",
        "renewer.web.site:_admit",
        'if page.audience == "operator" and not visitor.is_operator:',
        "if False:",
        (
            WEB
            + "test_access.py::test_a_link_opens_that_members_pages_and_nothing_else",
        ),
    ),
    Mutation(
        "a-statement-ends-early",
        "A statement as CSV is whole, however long.",
        "renewer.answers.member_page:walk_statement",
        "while before is not None:",
        "for _ in range(10):",
        (WEB + "test_membership.py::test_a_statement_as_csv_is_whole_however_long",),
    ),
    Mutation(
        "every-proxy-is-believed",
        "Who asks is believed of named proxies alone.",
        "renewer.web.serving:serve",
        "forwarded_allow_ips=list(place.proxies),",
        'forwarded_allow_ips="*",',
        (WEB + "test_states.py::test_only_a_trusted_proxy_is_believed_who_asks",),
    ),
    Mutation(
        "cursor-of-a-lost-timeline-is-read",
        "What a server before a failover told and this one never got is asked anew.",
        "renewer.read_place",
        "l.number > place.timeline AND l.first_tick <= place.target_number",
        "false",
        (
            "tests/faults/test_feed.py::"
            "test_a_cursor_of_what_a_failover_lost_is_refused_for_ever",
        ),
    ),
    # 12. Processes and passes that share a run: counted, asked to stop, missed
    Mutation(
        "counts-of-a-run-are-replaced",
        "Passes that share a run add their counts to it.",
        "sql/queries/runs/record_progress.sql",
        "SET due = r.due + %(due)s::bigint",
        "SET due = %(due)s::bigint",
        ("tests/e2e/test_monitor.py::test_announced_members_of_an_hour_are_one_run",),
    ),
    Mutation(
        "other-processes-are-not-counted",
        "A pass counts what all its processes did.",
        "renewer.jobs.parallel:HelperProcesses._take",
        "self._recorder.add(BatchResult.from_json(document))",
        "pass",
        (PROCESSES + "test_a_pass_of_three_processes_is_one_pass",),
    ),
    Mutation(
        "other-processes-are-not-asked-to-leave",
        "A pass that is asked to leave does so with all its processes.",
        "renewer.jobs.helper:_stop_at_end_of_input",
        """        pass
    stop.set()""",
        """        pass""",
        (PROCESSES + "test_processes_finish_their_batches_and_leave",),
    ),
    Mutation(
        "a-killed-process-is-not-missed",
        "A process that dies is told of.",
        "renewer.jobs.parallel:HelperProcesses._supervise",
        "if code and not self._has_to_end():",
        "if False:",
        (PROCESSES + "test_what_a_killed_process_leaves_is_done_by_the_others",),
    ),
)
