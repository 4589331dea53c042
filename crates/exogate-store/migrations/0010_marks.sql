-- Marks are found by what they are of, and by nothing else: with that as their key they need no index beside
-- them, which a first load had to sort and to write. What a migrated store has aside of it is not made.
DROP TRIGGER changes_date_objects;

CREATE TABLE marks_keyed (
    part       INTEGER NOT NULL,
    source     INTEGER NOT NULL,
    oid        INTEGER NOT NULL,
    hash       BLOB NOT NULL,
    first_run  INTEGER NOT NULL,
    seen_run   INTEGER NOT NULL,
    read_at    INTEGER NOT NULL,
    changed_at INTEGER,
    PRIMARY KEY (part, source, oid)
) WITHOUT ROWID;
INSERT INTO marks_keyed
    SELECT part, source, oid, hash, first_run, seen_run, read_at, changed_at FROM marks
    ORDER BY part, source, oid;
DROP TABLE marks;
ALTER TABLE marks_keyed RENAME TO marks;
DELETE FROM indices_aside WHERE name = 'marks_by_oid';

-- Whatever enters the feed also dates the objects that it speaks of, whoever writes it.
CREATE TRIGGER changes_date_objects AFTER INSERT ON changes
BEGIN
    UPDATE marks SET changed_at = NEW.at
    WHERE source = NEW.source AND part IN (1, 2, 3, 4, 5, 6) AND oid IN (
        SELECT oid FROM ids WHERE source = NEW.source AND id IN (
            NEW.id, json_extract(NEW.happened, '$.principal'), json_extract(NEW.happened, '$.member')));
END;
