-- Segments as a few rows of many vehicles, written fast; last positions as one value. What a checkpoint had written in
-- the old shape is forgotten together with the checkpoint, and comes again from the journal. Facts, effects, strangers
-- and commands stay: writing them again changes nothing.

DROP TABLE block;
DROP TABLE segment;
DROP TABLE last_position;
DELETE FROM chunk;
DELETE FROM vehicle_state;
DELETE FROM checkpoint;
DELETE FROM checkpoint_blob;

-- One row a checkpoint that brought fixes, until compaction has moved all of them. Times bound those of the rows.
CREATE TABLE segment (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    start INTEGER NOT NULL,
    stop  INTEGER NOT NULL
) STRICT;

-- The fixes of one bucket of vehicles in one segment: id = (segment * 1024 + bucket) * 4096 + n.
CREATE TABLE segment_row (
    id    INTEGER PRIMARY KEY,
    start INTEGER NOT NULL,
    stop  INTEGER NOT NULL,
    fixes INTEGER NOT NULL,
    body  BLOB NOT NULL
) STRICT;

-- The rule states that came with a bucket, under the id of its first row.
CREATE TABLE segment_state (
    id   INTEGER PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;

-- States in segments up to this one that had judged up to this instant or beyond do not hold any more.
CREATE TABLE void_state (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    vehicle INTEGER NOT NULL,
    since   INTEGER NOT NULL,
    segment INTEGER NOT NULL
) STRICT;

CREATE INDEX void_state_of_vehicle ON void_state (vehicle);

-- Where vehicles were last. `rank` sorts as (time, place in the journal) does.
CREATE TABLE last_position (
    vehicle INTEGER PRIMARY KEY,
    rank    BLOB NOT NULL,
    body    BLOB NOT NULL
) STRICT;

-- Retention: by day, by the age of the silent, by the age of what is done.
CREATE INDEX chunk_by_day ON chunk (day, vehicle);
CREATE INDEX stranger_by_silence ON stranger (last_seen, terminal);
CREATE INDEX effect_by_age ON effect (raised_at);
CREATE INDEX command_by_age ON command (requested_at) WHERE state > 2;
