-- Applies one conditional batch, or raises 40K01 and changes nothing.
--
-- Three phases, each over all tables in key order, so that two calls never wait for each other in
-- a ring: lock what is there, insert what must not be there, write what was locked. At the end
-- the call holds every key it was given, by a row's lock or by a row it inserted; that makes the
-- outcome the same under every isolation level.
--
-- Per table T:
--   lk_T, lv_T  keys to lock, ascending, and what is expected of each: a version; 0 for a put
--               without a check; -1 for a delete without a check
--   ik_T, iv_T  rows to insert, ascending: puts that expect nothing there, puts without a check, and
--               empty rows that hold the place of keys which are only expected to be absent
--   uk_T, uv_T  rows to overwrite: puts that expect a version
--   dk_T        keys to delete, the held places among them
CREATE FUNCTION kv_commit(
{ARGUMENTS}
) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $kv_commit$
DECLARE
    fresh      bigint := nextval('kv_version');
    failed   bigint;
    inserted bigint;
{VARIABLES}
BEGIN
    IF current_setting('synchronous_commit') NOT IN ('on', 'remote_apply') THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
{LOCK}
{INSERT}
{WRITE}
    RETURN fresh;
END
$kv_commit$
