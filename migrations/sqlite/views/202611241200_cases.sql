-- Since when people may work on a violation, and which one took the place of which.

ALTER TABLE fact ADD COLUMN raised_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE fact_revision ADD COLUMN raised_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE fact_past ADD COLUMN raised_at INTEGER NOT NULL DEFAULT 0;
UPDATE fact SET raised_at = started_at;
UPDATE fact_revision SET raised_at = started_at;
UPDATE fact_past SET raised_at = started_at;

CREATE INDEX fact_by_successor ON fact (superseded_by) WHERE superseded_by IS NOT NULL;
