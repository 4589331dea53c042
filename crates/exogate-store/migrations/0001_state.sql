-- Sources, and one integer for every object id: all other tables speak in integers.
CREATE TABLE sources (
    source INTEGER PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE
);

CREATE TABLE ids (
    oid    INTEGER PRIMARY KEY,
    source INTEGER NOT NULL,
    id     TEXT NOT NULL
);
CREATE UNIQUE INDEX ids_by_id ON ids (source, id);

-- Objects get their integers in the order in which anything names them first: a member of a group
-- may be named long before its user is read. Tables of objects therefore keep rows in the order of
-- writing, and find them by an index of integers; in the order of oid, every page of users would
-- be scattered over the whole table.

-- What every run touches is kept narrow and apart, so that reading an unchanged tenant again
-- rewrites some forty bytes per object. part: 1 users, 2 mailboxes, 3 client access attributes,
-- 4 groups, 5 Exchange attributes of groups, 6 dynamic distribution groups.
CREATE TABLE marks (
    mark      INTEGER PRIMARY KEY,
    part      INTEGER NOT NULL,
    source    INTEGER NOT NULL,
    oid       INTEGER NOT NULL,
    hash      BLOB NOT NULL,
    first_run INTEGER NOT NULL,
    seen_run  INTEGER NOT NULL,
    read_at   INTEGER NOT NULL
);
CREATE UNIQUE INDEX marks_by_oid ON marks (part, source, oid);

CREATE TABLE users (
    oid          INTEGER NOT NULL UNIQUE,
    source       INTEGER NOT NULL,
    upn          TEXT NOT NULL COLLATE NOCASE,
    display_name TEXT,
    mail         TEXT,
    disabled     INTEGER NOT NULL,
    sid          TEXT
);
CREATE INDEX users_by_upn ON users (source, upn);

CREATE TABLE mailboxes (
    oid                INTEGER NOT NULL UNIQUE,
    source             INTEGER NOT NULL,
    kind               TEXT NOT NULL,
    display_name       TEXT NOT NULL,
    primary_smtp       TEXT NOT NULL COLLATE NOCASE,
    exchange_guid      TEXT,
    name               TEXT,
    alias              TEXT,
    distinguished_name TEXT,
    legacy_dn          TEXT,
    upn                TEXT
);
CREATE INDEX mailboxes_by_address ON mailboxes (source, primary_smtp);

CREATE TABLE groups (
    oid          INTEGER PRIMARY KEY,
    source       INTEGER NOT NULL,
    id           TEXT NOT NULL,
    kind         TEXT NOT NULL,
    display_name TEXT NOT NULL COLLATE NOCASE,
    mail         TEXT,
    sid          TEXT
);
CREATE INDEX groups_by_name ON groups (source, display_name, id);

CREATE TABLE group_exchange (
    oid                INTEGER PRIMARY KEY,
    source             INTEGER NOT NULL,
    exchange_guid      TEXT,
    name               TEXT,
    alias              TEXT,
    distinguished_name TEXT
);

-- Attributes as JSON, apart from what look-ups and scans need.
CREATE TABLE user_attributes           (oid INTEGER NOT NULL UNIQUE, json TEXT NOT NULL);
CREATE TABLE mailbox_attributes        (oid INTEGER NOT NULL UNIQUE, json TEXT NOT NULL);
CREATE TABLE cas_attributes            (oid INTEGER NOT NULL UNIQUE, json TEXT NOT NULL);
CREATE TABLE group_attributes          (oid INTEGER NOT NULL UNIQUE, json TEXT NOT NULL);
CREATE TABLE group_exchange_attributes (oid INTEGER NOT NULL UNIQUE, json TEXT NOT NULL);

-- role: 0 member, 1 owner.
CREATE TABLE memberships (
    grp       INTEGER NOT NULL,
    role      INTEGER NOT NULL,
    member    INTEGER NOT NULL,
    kind      INTEGER NOT NULL,
    source    INTEGER NOT NULL,
    first_run INTEGER NOT NULL,
    seen_run  INTEGER NOT NULL,
    PRIMARY KEY (grp, role, member)
) WITHOUT ROWID;
CREATE INDEX memberships_by_member ON memberships (member, role);

-- A trustee is resolved once, however many grants name it. sid: '' where there is none.
CREATE TABLE trustees (
    trustee      INTEGER PRIMARY KEY,
    source       INTEGER NOT NULL,
    text         TEXT NOT NULL,
    sid          TEXT NOT NULL,
    resolved_run INTEGER NOT NULL DEFAULT 0,
    oid          INTEGER,
    principal    TEXT NOT NULL DEFAULT '{"kind":"unknown"}'
);
CREATE UNIQUE INDEX trustees_by_text ON trustees (source, text, sid);
CREATE INDEX trustees_by_oid ON trustees (oid) WHERE oid IS NOT NULL;

-- facet: 1 mailbox permission, 2 send as, 3 send on behalf. A grant with gone_run is no longer
-- there; it is kept until its facet is settled, so that a trustee that was only rendered anew is
-- not reported as one who lost and another who got the right.
CREATE TABLE grants (
    mailbox   INTEGER NOT NULL,
    facet     INTEGER NOT NULL,
    right     TEXT NOT NULL,
    trustee   INTEGER NOT NULL,
    deny      INTEGER NOT NULL,
    inherited INTEGER NOT NULL,
    source    INTEGER NOT NULL,
    first_run INTEGER NOT NULL,
    seen_run  INTEGER NOT NULL,
    gone_run  INTEGER,
    read_at   INTEGER NOT NULL,
    PRIMARY KEY (mailbox, facet, right, trustee, deny, inherited)
) WITHOUT ROWID;
CREATE INDEX grants_by_trustee ON grants (trustee);

CREATE TABLE facet_reads (
    mailbox INTEGER NOT NULL,
    facet   INTEGER NOT NULL,
    source  INTEGER NOT NULL,
    run     INTEGER NOT NULL,
    read_at INTEGER NOT NULL,
    PRIMARY KEY (mailbox, facet)
) WITHOUT ROWID;

-- until_run: NULL for the label of today.
CREATE TABLE labels (
    mailbox   INTEGER NOT NULL,
    label     TEXT NOT NULL,
    folded    TEXT NOT NULL,
    source    INTEGER NOT NULL,
    since_run INTEGER NOT NULL,
    until_run INTEGER,
    PRIMARY KEY (mailbox, label)
) WITHOUT ROWID;
CREATE INDEX labels_by_label ON labels (source, folded);

CREATE TABLE runs (
    run            INTEGER PRIMARY KEY AUTOINCREMENT,
    source         INTEGER NOT NULL,
    id             TEXT NOT NULL UNIQUE,
    scope          TEXT NOT NULL,
    fingerprint    TEXT NOT NULL,
    schema_changed INTEGER NOT NULL,
    state          TEXT NOT NULL,
    started        INTEGER NOT NULL,
    finished       INTEGER,
    who            TEXT NOT NULL,
    host           TEXT NOT NULL,
    pid            INTEGER NOT NULL,
    resumed        INTEGER NOT NULL DEFAULT 0,
    created        INTEGER NOT NULL DEFAULT 0,
    changed        INTEGER NOT NULL DEFAULT 0,
    unchanged      INTEGER NOT NULL DEFAULT 0,
    deleted        INTEGER NOT NULL DEFAULT 0,
    changes        INTEGER NOT NULL DEFAULT 0,
    streams        TEXT NOT NULL DEFAULT '[]',
    notes          TEXT NOT NULL DEFAULT '[]'
);
CREATE INDEX runs_by_source ON runs (source, run);

CREATE TABLE checkpoints (
    run     INTEGER NOT NULL,
    stream  TEXT NOT NULL,
    done    INTEGER NOT NULL,
    cursor  TEXT,
    pages   INTEGER NOT NULL,
    objects INTEGER NOT NULL,
    notes   TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (run, stream)
) WITHOUT ROWID;

-- Up to which run the changes of a part of the state are in the feed. No row: never complete yet.
CREATE TABLE settled (
    source INTEGER NOT NULL,
    part   TEXT NOT NULL,
    run    INTEGER NOT NULL,
    PRIMARY KEY (source, part)
) WITHOUT ROWID;

CREATE TABLE leases (
    source     INTEGER PRIMARY KEY,
    run        INTEGER NOT NULL,
    token      TEXT NOT NULL,
    taken_at   INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    who        TEXT NOT NULL,
    host       TEXT NOT NULL,
    pid        INTEGER NOT NULL,
    process    TEXT
);

-- object: 1 user, 2 mailbox, 3 group.
CREATE TABLE changes (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    source   INTEGER NOT NULL,
    run      INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    object   INTEGER NOT NULL,
    id       TEXT NOT NULL,
    name     TEXT NOT NULL,
    learnt   TEXT NOT NULL,
    happened TEXT NOT NULL
);
CREATE INDEX changes_by_source ON changes (source, sequence);
