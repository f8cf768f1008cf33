-- How far the instants of a fact may be off, milliseconds; 4294967295 when that is not known.
ALTER TABLE fact ADD COLUMN start_error_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE fact ADD COLUMN end_error_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE fact_revision ADD COLUMN start_error_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE fact_revision ADD COLUMN end_error_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE fact_past ADD COLUMN start_error_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE fact_past ADD COLUMN end_error_ms INTEGER NOT NULL DEFAULT 0;
