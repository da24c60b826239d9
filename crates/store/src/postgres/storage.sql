-- Values are hashes, keys and packed records: compressing them costs time and saves nothing.
ALTER TABLE kv_rec ALTER COLUMN v SET STORAGE EXTERNAL;
ALTER TABLE kv_log ALTER COLUMN v SET STORAGE EXTERNAL;
ALTER TABLE kv_tmp ALTER COLUMN v SET STORAGE EXTERNAL;
-- Room for new versions of a row on its own page, so that an update leaves the index alone.
ALTER TABLE kv_rec SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE kv_log SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.05);
-- Rows that come and go: cleared away before the table grows by more than a fiftieth.
ALTER TABLE kv_tmp SET (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_cost_delay = 0,
    toast.autovacuum_vacuum_scale_factor = 0.02
);
