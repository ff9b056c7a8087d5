-- Give the lots on record that are bound to a cycle the boundary that ends it.
--
-- A change of plan moves the boundary, and a lot returned after a boundary that was not posted yet had its end guessed.
-- Only members the marketplace called for have lots whose end matters: it is asked when Connects come back.
-- Parameters: id, the member; cycles, an array of at and renews_at, in their order; known, the last lot before them
-- Locks:      the member's row, held by post_member
CREATE OR REPLACE FUNCTION renewer.end_lots(id text, cycles jsonb, known integer)
RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    begun record;
BEGIN
    FOR begun IN SELECT c.at, c.renews_at FROM jsonb_to_recordset(cycles) AS c (at timestamptz, renews_at timestamptz)
    LOOP
        UPDATE renewer.lot AS l SET cycle_ends_at = begun.renews_at
        WHERE l.member_id = id AND l.number <= known AND l.cycle_ends_at <> begun.renews_at
            AND (l.cycle_ends_at > begun.at OR l.issued_at >= begun.at);
    END LOOP;
END
$$;
