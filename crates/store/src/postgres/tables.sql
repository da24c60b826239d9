CREATE TABLE kv_rec (k bytea NOT NULL PRIMARY KEY, v bytea NOT NULL, ver bigint NOT NULL);
CREATE TABLE kv_log (k bytea NOT NULL PRIMARY KEY, v bytea NOT NULL, ver bigint NOT NULL);
CREATE TABLE kv_tmp (k bytea NOT NULL PRIMARY KEY, v bytea NOT NULL, ver bigint NOT NULL);
CREATE SEQUENCE kv_version CACHE 64;
