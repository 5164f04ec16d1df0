-- The extension stays: other schemas of the database may use it, and dropping it would take their hypertables along.
SELECT 1;
