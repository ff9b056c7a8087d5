-- Let each statement of this transaction see what was committed before it.
SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
