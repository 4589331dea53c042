-- Which parts of an object are to be read again, as bits; NULL: all of it.
ALTER TABLE backlog ADD COLUMN parts INTEGER;
