//! The floor plan as a table: which room may import which, and what it never holds. Checked against the normal and
//! build dependencies that the manifests declare; tests may import what they like.

use super::Finding;
use crate::workspace::{Package, Source};

/// A crate of the house.
struct Room {
    /// Its folder, `crates/` and `tests/` left out; the package is `hazwatch-<folder>`, of the binary `hazwatch`.
    folder: &'static str,
    /// The rooms that it may import.
    may: May,
    /// The crates of others that it never holds, with everything that would smuggle them in.
    never: &'static [&'static str],
}

enum May {
    These(&'static [&'static str]),
    All,
}

use May::{All, These};

/// What makes a crate wait, talk or look at a clock.
const ASYNC: &[&str] = &["tokio", "tokio-util", "async-trait", "futures-util", "axum", "hyper", "tower"];

/// The table of design: what is not listed here is not allowed between rooms.
const ROOMS: &[Room] = &[
    Room { folder: "model", may: These(&[]), never: &["serde", "serde_json", "prost"] },
    Room { folder: "jt808", may: These(&[]), never: &["prost", "socket2", "bytes"] },
    Room { folder: "journal", may: These(&["model"]), never: &[] },
    Room { folder: "control", may: These(&["model", "geofence", "journal", "store"]), never: &["socket2", "axum"] },
    Room { folder: "gateway", may: These(&["model", "jt808", "journal"]), never: &["axum"] },
    Room { folder: "geofence", may: These(&[]), never: &["serde", "serde_json", "jiff"] },
    Room {
        folder: "rules",
        may: These(&["model", "geofence"]),
        never: &["serde", "serde_json", "jiff", "rand", "getrandom"],
    },
    Room {
        folder: "reconcile",
        may: These(&["model", "geofence"]),
        never: &["serde", "serde_json", "jiff", "rand", "getrandom"],
    },
    Room {
        folder: "pipeline",
        may: These(&["model", "jt808", "journal", "geofence", "rules", "reconcile", "store"]),
        never: &["axum", "socket2"],
    },
    Room { folder: "store", may: These(&["model"]), never: &["axum"] },
    Room { folder: "intake", may: These(&["model", "geofence"]), never: &["socket2", "axum"] },
    Room { folder: "evidence", may: These(&["model", "jt808", "journal", "store"]), never: &["axum"] },
    Room {
        folder: "api",
        may: These(&["model", "geofence", "intake", "rules", "store"]),
        never: &["socket2", "prost"],
    },
    Room { folder: "console", may: These(&[]), never: &["tokio"] },
    Room { folder: "hazwatch", may: All, never: &[] },
    Room { folder: "fleet", may: These(&["jt808"]), never: &["axum"] },
    // Beside the crates. The crash client must not share the server's mistakes: it speaks the wire and HTTP.
    Room { folder: "tests", may: These(&["jt808"]), never: &[] },
    // The truth must not share the judgement's geometry.
    Room { folder: "judge", may: These(&["model", "rules"]), never: &["geo"] },
    Room { folder: "benches", may: All, never: &[] },
    Room { folder: "xtask", may: These(&[]), never: &[] },
];

/// Rooms that are computed, not run: no executor, no socket.
const SYNC_ROOMS: &[&str] = &["model", "jt808", "geofence", "rules", "reconcile"];

/// Crates of others that one room alone holds (decision D6: nothing else knows which engine runs). The benches may hold
/// one too, as the peer that a room is measured beside.
const SOLE_HOLDERS: &[(&str, &str)] =
    &[("sqlx", "store"), ("rusqlite", "store"), ("utoipa", "api"), ("argon2", "store"), ("rstar", "geofence")];

/// Checks every package of the workspace.
pub(super) fn check(packages: &[Package], sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let folder = short_folder(package);
        let line = |name: &str| manifest_line(sources, package, name);
        let Some(room) = ROOMS.iter().find(|room| room.folder == folder) else {
            let text = "this crate is not in the floor plan; give it a row in ROOMS of xtask/src/tidy/imports.rs, and say why in docs/decisions/";
            findings.push(Finding::new(&package.manifest, 1, text));
            continue;
        };
        let wanted = package_name(folder);
        if package.name != wanted {
            findings.push(Finding::new(
                &package.manifest,
                line("name"),
                format!("the package of this folder is named {wanted}"),
            ));
        }
        for dependency in package.dependencies.iter().filter(|dependency| dependency.kind != "dev") {
            if let Some(text) = objection(room, &dependency.name, packages) {
                let name = room_of(&dependency.name, packages).unwrap_or(&dependency.name);
                findings.push(Finding::new(&package.manifest, line(name), text));
            }
        }
    }
    findings
}

/// Why a room may not import that package, if so.
fn objection(room: &Room, dependency: &str, packages: &[Package]) -> Option<String> {
    let folder = room.folder;
    if let Some(other) = room_of(dependency, packages) {
        let allowed = match room.may {
            All => true,
            These(list) => list.contains(&other),
        };
        return (!allowed).then(|| {
            format!("{folder} may not import {other}: move the code, or hand it in through a trait in model")
        });
    }
    let is_other = |holder: &str| holder != folder && folder != "benches";
    if let Some((_, holder)) = SOLE_HOLDERS.iter().find(|(name, holder)| *name == dependency && is_other(holder)) {
        return Some(format!("only {holder} holds {dependency}: ask it through its public functions"));
    }
    if SYNC_ROOMS.contains(&folder) && ASYNC.contains(&dependency) {
        return Some(format!("{folder} does no I/O, so it has no use for {dependency}: take the bytes as an argument"));
    }
    room.never.contains(&dependency).then(|| format!("{folder} never holds {dependency}: leave it to the caller"))
}

fn package_name(folder: &str) -> String {
    if ["hazwatch", "xtask"].contains(&folder) { folder.to_owned() } else { format!("hazwatch-{folder}") }
}

/// The folder of a package as the table names it.
fn short_folder(package: &Package) -> &str {
    let folder = package.folder();
    folder.strip_prefix("crates/").or_else(|| folder.strip_prefix("tests/")).unwrap_or(folder)
}

/// The folder of a room of ours by its package name.
fn room_of<'a>(dependency: &str, packages: &'a [Package]) -> Option<&'a str> {
    packages.iter().find(|package| package.name == dependency).map(short_folder)
}

/// The line of a manifest that begins with a name; 1 when it cannot be told.
fn manifest_line(sources: &[Source], package: &Package, name: &str) -> usize {
    let Some(manifest) = sources.iter().find(|source| source.path == package.manifest) else { return 1 };
    let is_it = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', ' ', '=']));
    manifest.text.lines().position(is_it).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    fn package(folder: &str, dependencies: &[(&str, &str)]) -> Package {
        Package {
            name: package_name(folder),
            manifest: format!("crates/{folder}/Cargo.toml"),
            dependencies: dependencies
                .iter()
                .map(|(name, kind)| Dependency { name: (*name).into(), kind: (*kind).into() })
                .collect(),
            targets: Vec::new(),
        }
    }

    fn texts(packages: &[Package]) -> Vec<String> {
        check(packages, &[]).into_iter().map(|finding| format!("{}: {}", finding.path, finding.text)).collect()
    }

    #[test]
    fn the_plan_is_let_pass() {
        let packages = [
            package("model", &[("jiff", "normal"), ("proptest", "dev")]),
            package("jt808", &[("serde_json", "normal")]),
            package("geofence", &[]),
            package("journal", &[("hazwatch-model", "normal"), ("tokio", "normal")]),
            package("rules", &[("hazwatch-model", "normal"), ("hazwatch-geofence", "normal"), ("tokio", "dev")]),
            package("store", &[("hazwatch-model", "normal"), ("sqlx", "normal")]),
            package("hazwatch", &[("hazwatch-store", "normal"), ("hazwatch-rules", "normal")]),
        ];
        assert_eq!(texts(&packages), Vec::<String>::new());
    }

    #[test]
    fn what_the_plan_forbids_is_found() {
        let others = ["model", "jt808", "geofence", "store", "gateway"].map(|folder| package(folder, &[]));
        let cases = [
            ("model", "serde", "normal", "never holds serde"),
            ("jt808", "hazwatch-model", "normal", "may not import model"),
            ("rules", "hazwatch-store", "normal", "may not import store"),
            ("rules", "tokio", "normal", "does no I/O"),
            ("geofence", "tokio", "build", "does no I/O"),
            ("api", "hazwatch-gateway", "normal", "may not import gateway"),
            ("pipeline", "sqlx", "normal", "only store holds sqlx"),
            ("tests", "hazwatch-store", "normal", "may not import store"),
        ];
        for (folder, dependency, kind, wanted) in cases {
            let mut packages = others.to_vec();
            packages.retain(|package| package.name != package_name(folder));
            packages.push(package(folder, &[(dependency, kind)]));
            let found = texts(&packages);
            assert!(found.len() == 1 && found[0].contains(wanted), "{folder} {dependency}: {found:?}");
        }
    }

    #[test]
    fn crates_outside_the_plan_are_found() {
        assert!(texts(&[package("util", &[])])[0].contains("not in the floor plan"));
        let misnamed = Package { name: "rules".into(), ..package("rules", &[]) };
        assert!(texts(&[misnamed])[0].contains("named hazwatch-rules"));
    }

    #[test]
    fn a_finding_points_at_its_line() {
        let packages = [package("jt808", &[("hazwatch-model", "normal")]), package("model", &[])];
        let source =
            Source::new("crates/jt808/Cargo.toml", "[package]\nname = \"x\"\n[dependencies]\nmodel.workspace = true\n");
        assert_eq!(check(&packages, &[source])[0].line, 4);
    }
}
