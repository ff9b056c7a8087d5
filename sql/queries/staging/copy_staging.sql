-- Copy checked lines, good and bad, into the staging table.
COPY pg_temp.import_line (line, member_id, member, balance, expires_at, reason) FROM STDIN;
