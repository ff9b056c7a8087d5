-- Let this transaction go wrong when another of its kind changes what it has read.
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;
