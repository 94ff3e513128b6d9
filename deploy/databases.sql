-- Run once by the postgres image, when its volume is empty. The application and Dagster each keep a migration table of
-- one name, so each has a database of its own; POSTGRES_DB is the application's.
CREATE DATABASE dagster;
