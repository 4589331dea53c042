-- Attributes are found by the place of the row that identifies their object: an index of their own cost
-- a scan of the largest tables, a sort and a write with every load. The place is a column, so that no
-- VACUUM gives it another number. What a migrated store has aside of these indices is made here.
CREATE TABLE users_placed (
    place        INTEGER PRIMARY KEY,
    oid          INTEGER NOT NULL,
    source       INTEGER NOT NULL,
    upn          TEXT NOT NULL COLLATE NOCASE,
    display_name TEXT,
    mail         TEXT,
    disabled     INTEGER NOT NULL,
    sid          TEXT
);
INSERT INTO users_placed
    SELECT rowid, oid, source, upn, display_name, mail, disabled, sid FROM users ORDER BY rowid;
DROP TABLE users;
ALTER TABLE users_placed RENAME TO users;
CREATE UNIQUE INDEX users_by_oid ON users (oid);
CREATE INDEX users_by_upn ON users (source, upn);

CREATE TABLE mailboxes_placed (
    place              INTEGER PRIMARY KEY,
    oid                INTEGER NOT NULL,
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
INSERT INTO mailboxes_placed
    SELECT rowid, oid, source, kind, display_name, primary_smtp, exchange_guid, name, alias,
        distinguished_name, legacy_dn, upn
    FROM mailboxes ORDER BY rowid;
DROP TABLE mailboxes;
ALTER TABLE mailboxes_placed RENAME TO mailboxes;
CREATE UNIQUE INDEX mailboxes_by_oid ON mailboxes (oid);
CREATE INDEX mailboxes_by_address ON mailboxes (source, primary_smtp);

CREATE TABLE user_attributes_placed (place INTEGER PRIMARY KEY, json TEXT NOT NULL);
INSERT INTO user_attributes_placed
    SELECT u.place, a.json FROM user_attributes a CROSS JOIN users u ON u.oid = a.oid;
DROP TABLE user_attributes;
ALTER TABLE user_attributes_placed RENAME TO user_attributes;

CREATE TABLE mailbox_attributes_placed (place INTEGER PRIMARY KEY, json TEXT NOT NULL);
INSERT INTO mailbox_attributes_placed
    SELECT m.place, a.json FROM mailbox_attributes a CROSS JOIN mailboxes m ON m.oid = a.oid;
DROP TABLE mailbox_attributes;
ALTER TABLE mailbox_attributes_placed RENAME TO mailbox_attributes;

DELETE FROM indices_aside WHERE name IN (
    'users_by_oid', 'users_by_upn', 'user_attributes_by_oid',
    'mailboxes_by_oid', 'mailboxes_by_address', 'mailbox_attributes_by_oid');
