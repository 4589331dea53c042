-- What was done to tenants: only ever added to. Each entry's hash covers the one before it.
CREATE TABLE entries (
    sequence  INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    source    TEXT NOT NULL,
    plan      TEXT NOT NULL,
    operation INTEGER,
    key       TEXT,
    record    TEXT NOT NULL,
    hash      BLOB NOT NULL
);
CREATE INDEX entries_by_plan ON entries (source, plan, sequence);
CREATE INDEX entries_by_key ON entries (source, key, sequence) WHERE key IS NOT NULL;

CREATE TRIGGER entries_stay BEFORE UPDATE ON entries
BEGIN SELECT raise(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER entries_remain BEFORE DELETE ON entries
BEGIN SELECT raise(ABORT, 'the journal is append-only'); END;

-- Operations without an end yet, and the process that has them. Follows from the entries.
CREATE TABLE unfinished (
    source    TEXT NOT NULL,
    plan      TEXT NOT NULL,
    operation INTEGER NOT NULL,
    owner     TEXT NOT NULL,
    PRIMARY KEY (source, plan, operation)
) WITHOUT ROWID;
