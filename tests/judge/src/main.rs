//! `judge`: prints how the rules and the naive method did, family by family.
#![allow(clippy::print_stdout, reason = "a table on a terminal")]

use clap::Parser;
use judge::family::FAMILIES;
use judge::{HOLD_OUT, judge, table};

/// Precision, recall and timing error of the rules, beside point in polygon at the fixes.
#[derive(Parser)]
struct Args {
    /// Scenes of each family.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// First seed.
    #[arg(long, default_value_t = HOLD_OUT)]
    from: u64,
    /// This family only.
    #[arg(long)]
    family: Option<String>,
    /// Lists up to that many cases that went wrong of each rule and family.
    #[arg(long, default_value_t = 0)]
    cases: usize,
}

fn main() {
    let args = Args::parse();
    println!("{}", table::HEAD);
    for family in FAMILIES.iter().filter(|family| args.family.as_ref().is_none_or(|name| name == family.name)) {
        let scores = judge(family, args.from, args.seeds);
        for (kind, score) in &scores.rules {
            println!("{}", table::line(family.name, *kind, "rules", score));
            if let Some(naive) = scores.naive.get(kind) {
                println!("{}", table::line(family.name, *kind, "naive", naive));
            }
            score.cases.iter().take(args.cases).for_each(|case| println!("    {case}"));
        }
    }
}
