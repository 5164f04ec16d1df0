//! From the log to the database, exactly once.
