-- A posting sends of these only what changes; the posting procedure of an older schema would take the rest for null.
-- depends: 0005_ordered

COMMENT ON TYPE renewer.planned IS
    'what one transaction writes for one member: a posting, or why there is none. What is null of plan, anchor_on, timezone, status and first_boundary_on stays as it is';
