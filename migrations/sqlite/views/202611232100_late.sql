-- Facts that were judged again: whether they hold, as of which envelope, and what was found in their place.

ALTER TABLE fact ADD COLUMN standing INTEGER NOT NULL DEFAULT 0;
ALTER TABLE fact ADD COLUMN as_of INTEGER NOT NULL DEFAULT 0;
ALTER TABLE fact ADD COLUMN superseded_by BLOB;
ALTER TABLE fact_revision ADD COLUMN standing INTEGER NOT NULL DEFAULT 0;
ALTER TABLE fact_revision ADD COLUMN as_of INTEGER NOT NULL DEFAULT 0;
ALTER TABLE fact_revision ADD COLUMN superseded_by BLOB;
UPDATE fact SET as_of = changed;
UPDATE fact_revision SET as_of = changed;

-- What was replaced in `fact_revision` since the last checkpoint; the same columns. A start takes back what is ahead of
-- the checkpoint, so that judging again finds what stood there.
CREATE TABLE fact_past (
    id              BLOB NOT NULL,
    revision        INTEGER NOT NULL,
    kind            INTEGER NOT NULL,
    vehicle         INTEGER NOT NULL,
    zone            INTEGER NOT NULL,
    zone_revision   INTEGER NOT NULL,
    started_at      INTEGER NOT NULL,
    ended_at        INTEGER,
    confidence      INTEGER NOT NULL,
    detected_late   INTEGER NOT NULL,
    rule_revision   INTEGER NOT NULL,
    fixes_inside    INTEGER NOT NULL,
    length_m        INTEGER NOT NULL,
    speed_max_dkmh  INTEGER NOT NULL,
    start_lon_e7    INTEGER NOT NULL,
    start_lat_e7    INTEGER NOT NULL,
    end_lon_e7      INTEGER NOT NULL,
    end_lat_e7      INTEGER NOT NULL,
    depth_max_m     INTEGER NOT NULL,
    evidence        BLOB NOT NULL,
    carrier         INTEGER,
    changed         INTEGER NOT NULL,
    case_state      INTEGER NOT NULL,
    standing        INTEGER NOT NULL,
    as_of           INTEGER NOT NULL,
    superseded_by   BLOB,
    PRIMARY KEY (id, revision, as_of)
) STRICT;

-- States that had judged up to `since` or beyond, but not up to `until`.
ALTER TABLE void_state ADD COLUMN until INTEGER NOT NULL DEFAULT 9223372036854775807;

-- Who was judged beyond an instant: a zone that is recorded late may touch them.
CREATE INDEX vehicle_by_judged ON vehicle_state (judged_to);
