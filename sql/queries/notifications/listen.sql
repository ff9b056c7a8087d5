-- Hear what is announced as due.
LISTEN renewer_due;
