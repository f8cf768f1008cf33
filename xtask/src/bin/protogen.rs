//! Makes Rust out of `proto/`, for `cargo xtask proto`: protox reads, prost-build writes, rustfmt shapes. Nothing
//! that is shipped depends on it; the result is checked in.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a task talks to a terminal")]

use std::collections::BTreeSet;
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// How the Rust of a contract comes about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Written by this program.
    Generated,
    /// Written by hand (narrower visibility, `Copy`); this program compares messages, fields, types and tags.
    ByHand,
}

/// Every contract and the file that its Rust lies in.
const OUTPUTS: &[(&str, &str, Form)] = &[
    ("hazwatch/control/v1/control.proto", "crates/journal/src/proto/control.rs", Form::Generated),
    ("hazwatch/journal/v1/journal.proto", "crates/journal/src/proto/journal.rs", Form::Generated),
    ("hazwatch/pipeline/v1/assemblies.proto", "crates/pipeline/src/wire.rs", Form::ByHand),
    ("hazwatch/pipeline/v1/vehicle.proto", "crates/pipeline/src/vehicle_wire.rs", Form::ByHand),
    ("hazwatch/rules/v1/state.proto", "crates/rules/src/wire.rs", Form::ByHand),
];

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (Some(root), check) = (args.next().map(PathBuf::from), args.next().as_deref() == Some("--check")) else {
        eprintln!("usage: protogen ROOT [--check]   (started by `cargo xtask proto`)");
        return ExitCode::from(2);
    };
    match run(&root, check) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("protogen: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes the files, or with `check` compares them. False when something differs or is not in the table.
fn run(root: &Path, check: bool) -> Result<bool, Box<dyn Error>> {
    let proto = root.join("proto");
    let mut good = true;
    for found in contracts(&proto, &proto)? {
        if !OUTPUTS.iter().any(|(contract, ..)| Path::new(contract) == found) {
            eprintln!("proto/{}: not in OUTPUTS of xtask/src/bin/protogen.rs; add it there", found.display());
            good = false;
        }
    }
    for (contract, output, form) in OUTPUTS {
        let wanted = generate(&proto, contract)?;
        let path = root.join(output);
        let current = std::fs::read_to_string(&path).unwrap_or_default();
        if *form == Form::ByHand {
            let (have, want) = (fields(&current), fields(&wanted));
            for field in have.symmetric_difference(&want) {
                let lack = if want.contains(field) { "lacks" } else { "has, and the contract does not," };
                eprintln!("{output}:1: {lack} {field}; follow proto/{contract}");
                good = false;
            }
            println!("{output}: compared with proto/{contract}, {} fields", want.len());
        } else if current == wanted {
            println!("{output}: up to date");
        } else if check {
            let line = current.lines().zip(wanted.lines()).take_while(|(have, want)| have == want).count() + 1;
            eprintln!("{output}:{line}: differs from proto/{contract}; run `cargo xtask proto`");
            good = false;
        } else {
            std::fs::write(&path, wanted)?;
            println!("{output}: written");
        }
    }
    Ok(good)
}

/// All `.proto` files under `folder`, relative to `base`, sorted.
fn contracts(base: &Path, folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.append(&mut contracts(base, &path)?);
        } else if path.extension().is_some_and(|e| e == "proto") {
            found.push(path.strip_prefix(base)?.to_path_buf());
        }
    }
    found.sort();
    Ok(found)
}

/// What a file says about the wire: `Message.field` with its type and tag.
fn fields(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let (mut message, mut attribute) = ("", "");
    for line in code.lines().map(str::trim) {
        if let Some((_, rest)) = line.split_once("struct ") {
            message = rest.split([' ', '{', ';']).next().unwrap_or_default();
        } else if line.starts_with("#[prost(") {
            attribute = line;
        } else if let Some((field, _)) = line.split_once(": ").filter(|_| !attribute.is_empty()) {
            let name = field.rsplit(' ').next().unwrap_or_default();
            found.insert(format!("{message}.{name} {attribute}"));
            attribute = "";
        }
    }
    found
}

/// The Rust of one contract, as it is checked in.
fn generate(proto: &Path, contract: &str) -> Result<String, Box<dyn Error>> {
    let descriptors = protox::compile([contract], [proto])?;
    let requests = descriptors
        .file
        .into_iter()
        .filter(|file| file.name() == contract)
        .map(|file| (prost_build::Module::from_protobuf_package_name(file.package()), file))
        .collect();
    let mut config = prost_build::Config::new();
    config.bytes(["."]);
    let modules = config.generate(requests)?;
    let (_, code) = modules.into_iter().next().ok_or_else(|| format!("{contract}: defines nothing"))?;
    // The generator's own first line says that it is generated, but not from what and by which command.
    let code = code.strip_prefix("// This file is @generated by prost-build.\n").unwrap_or(&code);
    let header = format!("//! Generated from `proto/{contract}` by `cargo xtask proto`; do not edit.\n\n");
    rustfmt(proto, &(header + code))
}

/// As `cargo fmt` would leave it, so that both checks agree.
fn rustfmt(proto: &Path, code: &str) -> Result<String, Box<dyn Error>> {
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--emit", "stdout", "--config-path"])
        .arg(proto.join("../rustfmt.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cannot run rustfmt: {e}"))?;
    // rustfmt reads all of its input before it writes, so one thread is enough.
    child.stdin.take().ok_or("rustfmt has no input")?.write_all(code.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err("rustfmt refused the generated code".into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_compared_by_message_name_type_and_tag() {
        let generated =
            "pub struct Seen {\n    /// Fix time.\n    #[prost(int64, tag = \"1\")]\n    pub time_us: i64,\n}";
        let by_hand = "pub(crate) struct Seen {\n#[prost(int64, tag = \"1\")]\n    pub(crate) time_us: i64,\n}";
        assert_eq!(fields(generated), fields(by_hand));
        assert_eq!(fields(generated).len(), 1);
        for (from, to) in [("int64", "sint64"), ("\"1\"", "\"2\""), ("time_us:", "time_ms:"), ("Seen", "Sight")] {
            assert_ne!(fields(generated), fields(&by_hand.replace(from, to)), "{to}");
        }
    }
}
