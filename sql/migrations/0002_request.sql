-- Requests of the marketplace, and what they change of a member.
-- depends: 0001_ledger

CREATE TABLE renewer.timezone (
    name text COLLATE "C" NOT NULL,
    CONSTRAINT timezone_pkey PRIMARY KEY (name)
);

COMMENT ON TABLE renewer.timezone IS 'the zone names renewer knows, so that SQL refuses the others; filled by renewer migrate';

CREATE TABLE renewer.request (
    member_id   text COLLATE "C" NOT NULL,
    reference   text COLLATE "C" NOT NULL,
    number      bigint NOT NULL,
    kind        text NOT NULL,
    content     jsonb NOT NULL,
    at          timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    applied_at  timestamptz,
    run_id      bigint,
    balance     integer NOT NULL,
    first_seq   bigint,
    last_seq    bigint,
    CONSTRAINT request_pkey PRIMARY KEY (member_id, reference),
    CONSTRAINT request_kind_known CHECK (
        kind IN ('enroll', 'spend', 'refund', 'purchase', 'grant_bonus', 'change_plan', 'set_status', 'set_timezone'))
);

COMMENT ON COLUMN renewer.request.number IS 'place among the member''s requests, for those of one instant';
COMMENT ON COLUMN renewer.request.content IS 'the arguments of the call, its time aside';
COMMENT ON COLUMN renewer.request.applied_at IS 'null: the next pass applies it';

CREATE INDEX request_waiting_idx ON renewer.request (member_id, at, number) WHERE applied_at IS NULL;
CREATE INDEX request_refund_idx ON renewer.request (member_id, (content ->> 'spend_reference')) WHERE kind = 'refund';

ALTER TABLE renewer.member
    ALTER COLUMN cycle_n DROP NOT NULL,
    ALTER COLUMN first_boundary_on DROP NOT NULL,
    DROP CONSTRAINT member_waiting_is_not_due,
    ADD COLUMN pending_plan text,
    ADD COLUMN boundary_timezone text,
    ADD COLUMN last_boundary_at timestamptz,
    ADD COLUMN allowance_lot integer,
    ADD COLUMN changed jsonb,
    ADD COLUMN last_request bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT member_closed_is_not_due CHECK (due_at IS NULL OR status <> 'closed'),
    ADD CONSTRAINT member_enrolled_whole CHECK ((cycle_n IS NULL) = (first_boundary_on IS NULL));

COMMENT ON COLUMN renewer.member.cycle_n IS 'the cycle the ledger has reached, counted from anchor_on; null: enrolled, not awarded yet';
COMMENT ON COLUMN renewer.member.renews_at IS 'the next boundary not posted yet; of a member not awarded yet, when they enrolled';
COMMENT ON COLUMN renewer.member.pending_plan IS 'the plan of the next cycle, when it is another';
COMMENT ON COLUMN renewer.member.boundary_timezone IS 'the zone renews_at was computed in, when timezone has changed since';
COMMENT ON COLUMN renewer.member.last_boundary_at IS 'the last boundary posted; null: none yet';
COMMENT ON COLUMN renewer.member.allowance_lot IS 'the newest allowance lot';
COMMENT ON COLUMN renewer.member.changed IS 'what the plan changes of a day are reckoned from: on, allowance, elapsed, days, credited';

ALTER TABLE renewer.lot ADD COLUMN cycle_ends_at timestamptz;

COMMENT ON COLUMN renewer.lot.cycle_ends_at IS 'the boundary that ends the cycle of a cycle-bound lot; null for bought and rolled over ones';

UPDATE renewer.lot AS l
SET cycle_ends_at = coalesce(
    (SELECT min(e.occurred_at) FROM renewer.ledger_entry AS e
     WHERE e.member_id = l.member_id AND e.kind = 'renewal' AND e.occurred_at > l.issued_at),
    (SELECT m.renews_at FROM renewer.member AS m WHERE m.member_id = l.member_id))
WHERE l.source IN ('allowance', 'refund');

UPDATE renewer.member AS m
SET last_boundary_at = (SELECT max(e.occurred_at) FROM renewer.ledger_entry AS e
                        WHERE e.member_id = m.member_id AND e.kind = 'renewal'),
    allowance_lot = (SELECT max(l.number) FROM renewer.lot AS l
                     WHERE l.member_id = m.member_id AND l.source = 'allowance');
