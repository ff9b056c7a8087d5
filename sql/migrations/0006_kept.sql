-- Plan, anchor_on, timezone, status and first_boundary_on are sent when one of them changes, and of a lot on record its
-- number and remainder; the posting procedure of an older schema would take for null what is left out.
-- depends: 0005_ordered

COMMENT ON TYPE renewer.planned IS
    'what one transaction writes for one member: a posting, or why there is none. What is null of plan, anchor_on, timezone, status and first_boundary_on stays as it is';
COMMENT ON TYPE renewer.planned_lot IS
    'a lot as a posting leaves it; of one on record only number and remaining';
