-- What an unfinished operation is about, and its plan's place in the journal: whoever comes later to
-- the same object waits. And when each process last showed a sign of life.
ALTER TABLE unfinished ADD COLUMN object TEXT NOT NULL DEFAULT '';
ALTER TABLE unfinished ADD COLUMN accepted INTEGER NOT NULL DEFAULT 0;
CREATE INDEX unfinished_by_object ON unfinished (source, object, accepted);

CREATE TABLE owners (
    owner TEXT PRIMARY KEY,
    beat  INTEGER NOT NULL
) WITHOUT ROWID;
