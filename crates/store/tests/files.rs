//! The files: made, migrated, opened again, and refused with a reason.
#![allow(clippy::unwrap_used)]

mod common;

use common::{commit, fix, fresh, open};
use model::VehicleId;
use sqlx::{Connection, SqliteConnection};
use store::{Store, StoreError};

async fn sql(file: &std::path::Path, statement: &'static str) {
    let url = format!("sqlite://{}", file.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_folder_is_made_and_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("a/b");
    for _ in 0..2 {
        let store = open(&data, 16).await;
        assert_eq!(store.stats().await.unwrap().facts, 0);
        store.close().await;
    }
    assert!(data.join("views.db").is_file() && data.join("app.db").is_file());
}

#[tokio::test]
async fn a_newer_or_foreign_schema_is_refused() {
    for (statement, newer) in [
        (
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (999912312359, 'x', TRUE, x'00', 0)",
            true,
        ),
        ("UPDATE _sqlx_migrations SET checksum = x'00'", false),
    ] {
        let (dir, store) = fresh(16).await;
        store.close().await;
        sql(&dir.path().join("views.db"), statement).await;
        match Store::open(dir.path(), 1).await {
            Err(StoreError::NewerSchema { found, .. }) => assert!(newer && found == 999_912_312_359),
            Err(StoreError::ForeignSchema { .. }) => assert!(!newer),
            other => panic!("{:?}", other.err()),
        }
    }
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("views.db"), [7; 9000]).unwrap();
    let refused = Store::open(dir.path(), 1).await.err().unwrap();
    assert!(matches!(&refused, StoreError::Corrupt { what, .. } if what.contains("views.db")), "{refused}");
    let file = dir.path().join("a file");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(Store::open(&file, 1).await, Err(StoreError::Io { .. })));
}

#[tokio::test]
async fn a_damaged_chunk_is_named_and_holds_up_nobody_else() {
    let (dir, store) = fresh(16).await;
    let vehicles = [VehicleId(1), VehicleId(2)];
    commit(&store, vehicles.map(|v| (v, fix(v.0, 0, 1))).to_vec(), 1).await;
    store.compact().await.unwrap();
    sql(&dir.path().join("views.db"), "UPDATE chunk SET body = x'0102030405' WHERE vehicle = 1").await;
    commit(&store, vehicles.map(|v| (v, fix(v.0, 1, 2))).to_vec(), 2).await;
    let error = store.compact().await.unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { what, .. } if what.contains("v_")), "{error}");
    let stats = store.stats().await.unwrap();
    assert_eq!((stats.fixes_segments, stats.fixes_chunks), (1, 3), "the other vehicle was moved");
    assert!(matches!(store.digest().await, Err(StoreError::Corrupt { .. })));
}
