-- What was computed from the journal. Ids of 64 bits are kept as the signed number with the same bits, ids of 128
-- bits as 16 bytes big-endian, instants as microseconds since the epoch, terminals as their text.

CREATE TABLE checkpoint (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    shard       INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    control_seq INTEGER NOT NULL
) STRICT;

CREATE TABLE checkpoint_blob (
    name TEXT PRIMARY KEY,
    body BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE vehicle_state (
    vehicle   INTEGER PRIMARY KEY,
    judged_to INTEGER NOT NULL,
    state     BLOB NOT NULL
) STRICT;

CREATE TABLE last_position (
    vehicle       INTEGER PRIMARY KEY,
    time          INTEGER NOT NULL,
    shard         INTEGER NOT NULL,
    seq           INTEGER NOT NULL,
    idx           INTEGER NOT NULL,
    item          INTEGER NOT NULL,
    terminal      TEXT NOT NULL,
    received      INTEGER NOT NULL,
    lon           REAL NOT NULL,
    lat           REAL NOT NULL,
    altitude_m    INTEGER NOT NULL,
    speed_dkmh    INTEGER NOT NULL,
    direction_deg INTEGER NOT NULL,
    alarm         INTEGER NOT NULL,
    status        INTEGER NOT NULL,
    mileage_hm    INTEGER,
    marks         INTEGER NOT NULL
) STRICT;

-- One row a checkpoint that brought fixes, until compaction has moved all of them.
CREATE TABLE segment (
    id    INTEGER PRIMARY KEY,
    fixes INTEGER NOT NULL
) STRICT;

-- The fixes of one vehicle in one segment. Clustered by segment: a checkpoint appends, it does not scatter.
CREATE TABLE block (
    segment    INTEGER NOT NULL,
    vehicle    INTEGER NOT NULL,
    n          INTEGER NOT NULL,
    start      INTEGER NOT NULL,
    stop       INTEGER NOT NULL,
    fixes      INTEGER NOT NULL,
    state_time INTEGER,
    state      BLOB,
    body       BLOB NOT NULL,
    PRIMARY KEY (segment, vehicle, n)
) STRICT, WITHOUT ROWID;

-- At most 1,024 fixes of one vehicle on one day in China.
CREATE TABLE chunk (
    id         INTEGER PRIMARY KEY,
    vehicle    INTEGER NOT NULL,
    day        INTEGER NOT NULL,
    start      INTEGER NOT NULL,
    n          INTEGER NOT NULL,
    stop       INTEGER NOT NULL,
    fixes      INTEGER NOT NULL,
    west_e6    INTEGER,
    south_e6   INTEGER,
    east_e6    INTEGER,
    north_e6   INTEGER,
    cells      BLOB NOT NULL,
    state_time INTEGER,
    state      BLOB,
    format     INTEGER NOT NULL,
    body       BLOB NOT NULL,
    UNIQUE (vehicle, day, start, n)
) STRICT;

-- Facts in their latest revisions.
CREATE TABLE fact (
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
    PRIMARY KEY (id)
) STRICT;

CREATE INDEX fact_violation ON fact (started_at, id) WHERE kind > 0;
CREATE INDEX fact_violation_of_carrier ON fact (carrier, started_at, id) WHERE kind > 0;
CREATE INDEX fact_visit ON fact (started_at, id) WHERE kind = 0;
CREATE INDEX fact_of_vehicle ON fact (vehicle, started_at, id);
CREATE INDEX fact_of_zone ON fact (zone, started_at, id);
CREATE INDEX fact_feed ON fact (changed, id);

-- Facts in all revisions; the same columns.
CREATE TABLE fact_revision (
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
    PRIMARY KEY (id, revision)
) STRICT;

CREATE TABLE effect (
    id        BLOB PRIMARY KEY,
    fact      BLOB NOT NULL,
    revision  INTEGER NOT NULL,
    vehicle   INTEGER NOT NULL,
    terminal  TEXT NOT NULL,
    text      TEXT NOT NULL,
    raised_at INTEGER NOT NULL
) STRICT;

-- What became of effects. Apart from them, because it may be known before the effect is.
CREATE TABLE settlement (
    id      BLOB PRIMARY KEY,
    state   INTEGER NOT NULL,
    command INTEGER
) STRICT, WITHOUT ROWID;

-- Effects without a settlement: the outbox.
CREATE TABLE pending (
    raised_at INTEGER NOT NULL,
    id        BLOB NOT NULL,
    PRIMARY KEY (raised_at, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE stranger (
    terminal     TEXT PRIMARY KEY,
    plate        TEXT,
    plate_colour INTEGER,
    maker        TEXT NOT NULL,
    model        TEXT NOT NULL,
    device       TEXT NOT NULL,
    peer         TEXT NOT NULL,
    first_seen   INTEGER NOT NULL,
    last_seen    INTEGER NOT NULL,
    frames       INTEGER NOT NULL,
    seq          INTEGER NOT NULL
) STRICT;

CREATE INDEX stranger_by_age ON stranger (first_seen, terminal);

CREATE TABLE command (
    id           INTEGER PRIMARY KEY,
    terminal     TEXT NOT NULL,
    body         INTEGER NOT NULL,
    text         TEXT,
    urgent       INTEGER NOT NULL,
    spoken       INTEGER NOT NULL,
    effect       BLOB,
    expires_at   INTEGER NOT NULL,
    vehicle      INTEGER,
    carrier      INTEGER,
    actor        TEXT NOT NULL,
    state        INTEGER NOT NULL,
    requested_at INTEGER NOT NULL,
    sent_at      INTEGER,
    answered_at  INTEGER,
    serial       INTEGER,
    seq          INTEGER NOT NULL
) STRICT;

CREATE INDEX command_of_vehicle ON command (vehicle, requested_at, id);
CREATE INDEX command_open ON command (requested_at, id) WHERE state <= 2;
