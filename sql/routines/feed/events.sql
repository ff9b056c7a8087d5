-- Read what was posted, as CloudEvents: each entry in exactly one event, a member's in the order of their seq.
--
-- Batches are cut by ticks: the next one is what its tick's snapshot saw and the reader's last did not, so that an event
-- whose transaction ends late is in a later batch, never lost and never waited for. A reader who starts gets all that
-- the newest tick saw as one batch, in the order of the primary key.
-- Parameters: after, the cursor of the last event that was dealt with, null from the start; max, 1 to 10000
-- Returns:    cursor, which goes on behind its event; event. None: nothing is new
-- Errors:     RN006 max, RN008 a cursor that is not known here
-- Locks:      none
-- Index:      ledger_entry_xact_idx; of the first batch ledger_entry_pkey
CREATE OR REPLACE FUNCTION renewer.events(after text DEFAULT NULL, max integer DEFAULT 1000)
RETURNS TABLE ("cursor" text, event jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = renewer, pg_temp
AS $$
DECLARE
    feed     renewer.feed := renewer.find_feed();
    place    renewer.place;
    page     record;
    wanted   integer;
    left_out boolean;
    given    integer := 0;
BEGIN
    IF events.max IS NULL OR events.max NOT BETWEEN 1 AND 10000 THEN
        PERFORM renewer.refuse('RN006', pg_catalog.format('max %s is not from 1 to 10000',
            coalesce(events.max::text, 'null')), 'ask for that many and go on behind the last cursor');
    END IF;
    place := renewer.read_place(events.after, feed);
    wanted := 4 * events.max;
    LOOP
        IF place.target IS NULL THEN
            place := renewer.next_batch(place, feed);
            EXIT WHEN place.target IS NULL;
        END IF;
        left_out := false;
        FOR page IN SELECT * FROM renewer.event_page(place, feed, wanted, events.max - given) LOOP
            IF NOT page.whole THEN
                left_out := true;
                EXIT;
            END IF;
            place.member_id := page.member_id;
            place.seq := page.last_seq;
            "cursor" := renewer.write_place(place, feed);
            event := page.event;
            given := given + 1;
            RETURN NEXT;
        END LOOP;
        EXIT WHEN given = events.max;
        IF left_out THEN
            -- An event of more entries than were looked at, such as 4,000 lots that end on one day.
            wanted := 2 * wanted;
        ELSE
            place := renewer.behind_batch(place);
        END IF;
    END LOOP;
END
$$;
