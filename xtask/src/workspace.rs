//! What lies in the repository: its root, its files, its packages.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{Failure, shell};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    // Cargo sets the variable at run time; the other one is for a binary that is started by hand.
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    xtask.parent().map(Path::to_path_buf).unwrap_or(xtask)
}

/// A file of the repository that is text.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// Relative to the root, with `/`.
    pub path: String,
    pub text: String,
}

impl Source {
    #[cfg(test)]
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// Everything in the repository that git does not ignore, committed or not yet. Files that are not UTF-8 are listed
/// with no text.
pub(crate) struct Files {
    pub texts: Vec<Source>,
    pub binaries: Vec<String>,
}

/// Reads the repository.
pub(crate) fn files(root: &Path) -> Result<Files, Failure> {
    let git = shell::command(root, "git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listing = shell::output(git)?;
    let mut paths: Vec<&str> = listing.split('\0').filter(|path| !path.is_empty()).collect();
    paths.sort_unstable();
    paths.dedup();
    let mut files = Files { texts: Vec::new(), binaries: Vec::new() };
    for path in paths {
        // Listed but gone: deleted, and the deletion is not committed yet.
        let Ok(bytes) = std::fs::read(root.join(path)) else { continue };
        match String::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => files.texts.push(Source { path: path.into(), text }),
            _ => files.binaries.push(path.into()),
        }
    }
    Ok(files)
}

/// A dependency as a manifest declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub name: String,
    /// `normal`, `build` or `dev`.
    pub kind: String,
}

/// A package of the workspace.
#[derive(Clone, Debug)]
pub(crate) struct Package {
    pub name: String,
    /// Relative to the root, with `/`.
    pub manifest: String,
    pub dependencies: Vec<Dependency>,
    /// The roots of its crates: library, binaries, tests, benches, build script. Relative to the workspace root.
    pub targets: Vec<String>,
}

impl Package {
    /// The folder that it lies in.
    pub(crate) fn folder(&self) -> &str {
        self.manifest.strip_suffix("/Cargo.toml").unwrap_or("")
    }
}

/// The packages of one workspace, and where it builds.
pub(crate) struct Metadata {
    pub packages: Vec<Package>,
    pub target_dir: PathBuf,
}

/// Asks cargo about the workspace of that manifest (relative to the root).
pub(crate) fn metadata(root: &Path, manifest: &str) -> Result<Metadata, Failure> {
    let args = ["metadata", "--format-version", "1", "--no-deps", "--manifest-path", manifest];
    let text = shell::output(shell::command(root, "cargo", &args))?;
    let value: Value = serde_json::from_str(&text).map_err(|e| Failure::Broken(format!("cargo metadata: {e}")))?;
    Ok(parse(root, &value))
}

fn parse(root: &Path, value: &Value) -> Metadata {
    let relative = |path: &Value| {
        let path = Path::new(path.as_str().unwrap_or_default());
        path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let dependency = |value: &Value| Dependency {
        name: text(&value["name"]),
        kind: value["kind"].as_str().unwrap_or("normal").to_owned(),
    };
    let package = |value: &Value| Package {
        name: text(&value["name"]),
        manifest: relative(&value["manifest_path"]),
        dependencies: list(&value["dependencies"]).iter().map(dependency).collect(),
        targets: list(&value["targets"]).iter().map(|target| relative(&target["src_path"])).collect(),
    };
    Metadata {
        packages: list(&value["packages"]).iter().map(package).collect(),
        target_dir: PathBuf::from(text(&value["target_directory"])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_cargo_says() {
        let value = serde_json::json!({"target_directory": "/r/target", "packages": [{
            "name": "hazwatch-a", "manifest_path": "/r/crates/a/Cargo.toml",
            "dependencies": [{"name": "tokio", "kind": null}, {"name": "tempfile", "kind": "dev"}],
            "targets": [{"src_path": "/r/crates/a/src/lib.rs"}]
        }]});
        let metadata = parse(Path::new("/r"), &value);
        let package = &metadata.packages[0];
        assert_eq!(package.folder(), "crates/a");
        assert_eq!(package.targets, ["crates/a/src/lib.rs"]);
        let kinds: Vec<_> = package.dependencies.iter().map(|d| (d.name.as_str(), d.kind.as_str())).collect();
        assert_eq!(kinds, [("tokio", "normal"), ("tempfile", "dev")]);
    }

    #[test]
    fn finds_itself() {
        let root = root();
        let metadata = metadata(&root, "Cargo.toml").expect("cargo answers");
        assert!(metadata.packages.iter().any(|package| package.targets.contains(&"xtask/src/main.rs".to_owned())));
    }
}
