-- Who made a change, as JSON; NULL while unknown. May become known after the change itself: audit
-- records arrive later than what they tell of can be seen.
ALTER TABLE changes ADD COLUMN author TEXT;
CREATE INDEX changes_by_object ON changes (source, id, sequence);

-- Up to which sequence number the feed of a source was compacted: who stands before it has to
-- start over.
CREATE TABLE feed_floors (
    source   INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL
);

-- Where each feed of differences goes on. Written in the transaction that applies what came
-- before, never sooner. at: when it was written; since: up to which instant it speaks.
CREATE TABLE feed_cursors (
    source INTEGER NOT NULL,
    feed   TEXT NOT NULL,
    cursor TEXT NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (source, feed)
) WITHOUT ROWID;

-- Objects that have to be read again, not before due_at. object: 1 user, 2 mailbox, 3 group.
CREATE TABLE backlog (
    source    INTEGER NOT NULL,
    object    INTEGER NOT NULL,
    id        TEXT NOT NULL,
    reason    TEXT NOT NULL,
    queued_at INTEGER NOT NULL,
    due_at    INTEGER NOT NULL,
    PRIMARY KEY (source, object, id)
) WITHOUT ROWID;

-- Audit records of the last days: to tell duplicates, and who made a change. object and trustee:
-- ids where the texts in the record could be resolved, else empty.
CREATE TABLE audit_records (
    source    INTEGER NOT NULL,
    id        TEXT NOT NULL,
    at        INTEGER NOT NULL,
    seen_at   INTEGER NOT NULL,
    operation TEXT NOT NULL,
    object    TEXT NOT NULL,
    trustee   TEXT NOT NULL,
    author    TEXT NOT NULL,
    PRIMARY KEY (source, id)
) WITHOUT ROWID;
CREATE INDEX audit_records_by_object ON audit_records (source, object, at);

-- Pieces of the activity feed that were read to their end.
CREATE TABLE activity_content (
    source  INTEGER NOT NULL,
    id      TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (source, id)
) WITHOUT ROWID;

-- How far each webhook was delivered, and what it could not be given.
CREATE TABLE webhooks (
    source   INTEGER NOT NULL,
    name     TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    next_at  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (source, name)
) WITHOUT ROWID;
CREATE TABLE dead_letters (
    source   INTEGER NOT NULL,
    name     TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    PRIMARY KEY (source, name, sequence)
) WITHOUT ROWID;
