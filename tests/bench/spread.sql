CREATE TABLE bench.planned AS
SELECT w.id, p.*
FROM bench.work AS w CROSS JOIN jsonb_populate_record(NULL::renewer.planned, w.posting) AS p;
ALTER TABLE bench.planned ADD PRIMARY KEY (id);
CREATE TABLE bench.entry AS
SELECT p.id, p.member_id, e.* FROM bench.planned AS p CROSS JOIN unnest(p.entries) AS e;
CREATE INDEX ON bench.entry (id);
CREATE TABLE bench.new_lot AS
SELECT p.id, p.member_id, l.* FROM bench.planned AS p CROSS JOIN unnest(p.new_lots) AS l;
CREATE INDEX ON bench.new_lot (id);
CREATE TABLE bench.changed_lot AS
SELECT p.id, p.member_id, l.* FROM bench.planned AS p CROSS JOIN unnest(p.changed_lots) AS l;
CREATE INDEX ON bench.changed_lot (id);
