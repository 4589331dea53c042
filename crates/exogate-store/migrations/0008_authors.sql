-- What an audit record says beyond whom it is about, so that no change is ascribed to a record of
-- another one. named: the trustee as typed, where nobody is known by that text. about: the rights or
-- the places in a group that it tells of, as JSON; NULL where it does not say. deny: of entries that
-- deny a right.
ALTER TABLE audit_records ADD COLUMN named TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_records ADD COLUMN about TEXT;
ALTER TABLE audit_records ADD COLUMN deny INTEGER NOT NULL DEFAULT 0;
