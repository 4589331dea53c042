-- Who delivers to a webhook: one process at a time, however many serve one store.
CREATE TABLE webhook_leases (
    source     INTEGER NOT NULL,
    name       TEXT NOT NULL,
    token      TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    process    TEXT,
    PRIMARY KEY (source, name)
) WITHOUT ROWID;

-- When the first run of a source was complete is asked for with every object that is dated, however many runs
-- there were since.
CREATE INDEX runs_completed ON runs (source, finished) WHERE state = 'completed';
