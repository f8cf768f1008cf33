//! Judgement is pure (decision D4), and the wire is sans-I/O: these rooms know no clock, no file, no socket and no
//! thread, and their mathematics gives the same bits on every machine.

use super::Finding;
use super::lex::{self, Token, follows};
use crate::workspace::Source;

/// Rooms that are functions of their arguments.
const PURE: &[&str] = &["model", "jt808", "geofence", "rules", "reconcile"];
/// Rooms whose numbers two machines must agree on.
const EXACT: &[&str] = &["model", "geofence", "rules", "reconcile"];

const MODULES: &[&str] = &["fs", "net", "thread", "process", "env"];
/// What `net` has that is a plain value.
const ADDRESSES: &[&str] = &["IpAddr", "Ipv4Addr", "Ipv6Addr", "SocketAddr", "SocketAddrV4", "SocketAddrV6"];
const CLOCKS: &[&str] = &["Instant", "SystemTime"];
/// Methods of floats whose last bit the platform may choose.
const INEXACT: &[&str] = &[
    "sin", "cos", "tan", "sin_cos", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "exp", "exp2", "exp_m1",
    "ln", "ln_1p", "log", "log2", "log10", "powf", "powi", "cbrt", "hypot",
];

/// Checks the shipped part of the pure rooms.
pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    sources.iter().filter(|source| source.is_rust()).flat_map(file).collect()
}

fn file(source: &Source) -> Vec<Finding> {
    let lies_in = |rooms: &[&str]| rooms.iter().any(|room| source.path.starts_with(&format!("crates/{room}/src/")));
    let (pure, exact) = (lies_in(PURE), lies_in(EXACT));
    if !pure {
        return Vec::new();
    }
    let masked = lex::mask(&source.text);
    let tokens = lex::tokens(&masked);
    let tests = lex::test_items(&tokens);
    let shipped = |at: usize| !tests.iter().any(|range| range.contains(&at));
    let mut findings = Vec::new();
    for at in (0..tokens.len()).filter(|at| shipped(*at)) {
        let reason = impurity(&tokens, at).or_else(|| if exact { inexact(&tokens, at) } else { None });
        findings.extend(reason.map(|text| Finding::new(&source.path, tokens[at].line, text)));
    }
    findings
}

fn impurity(tokens: &[Token<'_>], at: usize) -> Option<String> {
    let word = tokens[at].text;
    if CLOCKS.contains(&word) || follows(tokens, at, &[":", ":", "now", "("]) {
        return Some("this room knows no clock: take the time as an argument".into());
    }
    if !follows(tokens, at, &["std", ":", ":"]) {
        return None;
    }
    let named = imported(tokens, at + 3);
    let module = named.into_iter().find(|name| MODULES.contains(name))?;
    let is_address = |name: &&str| ADDRESSES.contains(name);
    if follows(tokens, at + 3, &["net", ":", ":"]) && imported(tokens, at + 6).iter().all(is_address) {
        return None;
    }
    Some(format!("this room does no I/O: no std::{module}; take what it would give as an argument"))
}

/// What comes directly under a path's `::` : one name, or the names of a group.
fn imported<'a>(tokens: &[Token<'a>], at: usize) -> Vec<&'a str> {
    match tokens.get(at) {
        Some(token) if token.text == "{" => {
            let inside = at + 1..lex::closing_brace(tokens, at);
            inside.filter(|i| ["{", ","].contains(&tokens[i - 1].text)).map(|i| tokens[i].text).collect()
        }
        Some(token) => vec![token.text],
        None => Vec::new(),
    }
}

fn inexact(tokens: &[Token<'_>], at: usize) -> Option<String> {
    let name = tokens.get(at + 1).map(|token| token.text).filter(|name| INEXACT.contains(name))?;
    (tokens[at].text == "." && follows(tokens, at + 2, &["("]))
        .then(|| format!("machines may differ in the last bit of {name}: call libm::{name}, or multiply out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&[Source::new(path, text)]).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn clocks_and_files_are_found() {
        for bad in [
            "use std::fs;",
            "use std::{fmt, net::TcpStream};",
            "use std::net::{IpAddr, TcpStream};",
            "fn f() { let t = std::time::Instant::now(); }",
            "let t = jiff::Timestamp::now();",
            "std::thread::spawn(f);",
        ] {
            assert!(!lines("crates/rules/src/a.rs", bad).is_empty(), "{bad}");
            assert!(lines("crates/store/src/a.rs", bad).is_empty(), "{bad}");
        }
    }

    #[test]
    fn arguments_and_tests_are_let_pass() {
        let good = "//! No std::fs.\nuse std::fmt;\nuse std::net::{IpAddr, Ipv6Addr};\nfn f(now: Time) -> f64 { libm::sin(x) }\n\
                    #[cfg(test)]\nmod tests { use std::fs; fn t() { x.sin(); } }\n";
        assert_eq!(lines("crates/rules/src/a.rs", good), [0; 0]);
    }

    #[test]
    fn the_platforms_mathematics_are_found() {
        let bad = "fn f(x: f64) -> f64 {\n    x.sin()\n}";
        assert_eq!(lines("crates/geofence/src/a.rs", bad), [2]);
        assert_eq!(lines("crates/jt808/src/a.rs", bad), [0; 0]);
    }
}
