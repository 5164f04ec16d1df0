DROP SCHEMA project_sql CASCADE;
DROP TABLE sql_secret;
