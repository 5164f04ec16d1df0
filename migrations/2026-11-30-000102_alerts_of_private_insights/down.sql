-- What is hidden stays so.
SELECT 1;
