-- Let every statement of this transaction see the same moment.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
