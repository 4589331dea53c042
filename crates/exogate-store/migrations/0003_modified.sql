-- When an object last changed in a way that the feed of changes tells of: its attributes, its place
-- in groups, its rights on mailboxes. NULL: never since it was first read.
ALTER TABLE marks ADD COLUMN changed_at INTEGER;

-- Whatever enters the feed also dates the objects that it speaks of, whoever writes it.
CREATE TRIGGER changes_date_objects AFTER INSERT ON changes
BEGIN
    UPDATE marks SET changed_at = NEW.at
    WHERE source = NEW.source AND part IN (1, 2, 3, 4, 5, 6) AND oid IN (
        SELECT oid FROM ids WHERE source = NEW.source AND id IN (
            NEW.id, json_extract(NEW.happened, '$.principal'), json_extract(NEW.happened, '$.member')));
END;

-- The id by which a client of the SCIM door knows an object. NULL: it took it back.
CREATE TABLE external_ids (
    oid    INTEGER PRIMARY KEY,
    source INTEGER NOT NULL,
    value  TEXT,
    at     INTEGER NOT NULL
);
CREATE INDEX external_ids_by_value ON external_ids (source, value);
