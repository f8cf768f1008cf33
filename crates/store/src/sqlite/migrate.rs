//! Migrations: the files of `migrations/sqlite`, embedded, run once and only forward.

use std::borrow::Cow;
use std::path::Path;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{SqlSafeStr, SqliteConnection};

use super::fail;
use crate::StoreError;

/// One migration: the number and the words of its file name, and the file.
pub(crate) struct Step {
    version: i64,
    name: &'static str,
    sql: &'static str,
}

/// The migrations of `views.db`.
pub(crate) const VIEWS: &[Step] = &[
    Step {
        version: 2026_1123_0900,
        name: "views",
        sql: include_str!("../../../../migrations/sqlite/views/202611230900_views.sql"),
    },
    Step {
        version: 2026_1123_1700,
        name: "segments",
        sql: include_str!("../../../../migrations/sqlite/views/202611231700_segments.sql"),
    },
    Step {
        version: 2026_1123_2100,
        name: "late",
        sql: include_str!("../../../../migrations/sqlite/views/202611232100_late.sql"),
    },
    Step {
        version: 2026_1123_2110,
        name: "errors",
        sql: include_str!("../../../../migrations/sqlite/views/202611232110_errors.sql"),
    },
    Step {
        version: 2026_1124_1200,
        name: "cases",
        sql: include_str!("../../../../migrations/sqlite/views/202611241200_cases.sql"),
    },
    Step {
        version: 2026_1124_1400,
        name: "reminders",
        sql: include_str!("../../../../migrations/sqlite/views/202611241400_reminders.sql"),
    },
];

/// The migrations of `app.db`.
pub(crate) const APP: &[Step] = &[Step {
    version: 2026_1123_0900,
    name: "app",
    sql: include_str!("../../../../migrations/sqlite/app/202611230900_app.sql"),
}];

/// Runs what has not run yet.
pub(crate) async fn run(connection: &mut SqliteConnection, path: &Path, steps: &[Step]) -> Result<(), StoreError> {
    let migrations = steps
        .iter()
        .map(|s| {
            let name = Cow::Borrowed(s.name);
            Migration::new(s.version, name, MigrationType::Simple, s.sql.into_sql_str(), false)
        })
        .collect();
    let known = steps.iter().map(|s| s.version).max().unwrap_or_default();
    Migrator::with_migrations(migrations).run(connection).await.map_err(|error| match error {
        MigrateError::VersionMissing(found) if found > known => {
            StoreError::NewerSchema { path: path.to_owned(), found, known }
        }
        MigrateError::VersionMissing(version) | MigrateError::VersionMismatch(version) => {
            StoreError::ForeignSchema { path: path.to_owned(), version }
        }
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            fail(path, "migrate the database", error)
        }
        other => StoreError::Engine { doing: "migrate the database", source: Box::new(other) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_embedded_in_order() {
        for (folder, steps) in [("views", VIEWS), ("app", APP)] {
            let path = format!("{}/../../migrations/sqlite/{folder}", env!("CARGO_MANIFEST_DIR"));
            let mut files: Vec<String> = std::fs::read_dir(path)
                .expect("the folder")
                .map(|entry| entry.expect("an entry").file_name().into_string().expect("utf-8"))
                .collect();
            files.sort();
            let embedded: Vec<String> = steps.iter().map(|s| format!("{}_{}.sql", s.version, s.name)).collect();
            assert_eq!(files, embedded);
        }
    }
}
