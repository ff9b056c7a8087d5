-- Copy checked lines, good and bad, into the staging table.
COPY pg_temp.import_line (line, member_id, plan, anchor_on, timezone, status, balance, cycle_n, cycle_first_day,
                          cycle_last_day, first_boundary_on, renews_at, expires_at, reason) FROM STDIN;
