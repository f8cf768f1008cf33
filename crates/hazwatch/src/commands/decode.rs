//! `hazwatch decode`: the printer of the wire.

use std::io::{self, BufRead, Read};
use std::process::ExitCode;

use jt808::StreamDecoder;

use super::say;
use crate::cli::Decode;
use crate::error::Failure;

/// No frame is longer than this in hex; longer lines are cut off and reported by the decoder.
const LINE_MAX: u64 = 64 * 1024;

pub(super) fn run(options: &Decode) -> Result<ExitCode, Failure> {
    // One format: the flag says what is meant, and leaves room for another.
    let _ = options.json;
    let mut decoder = StreamDecoder::new();
    let mut all_good = true;
    let mut print = |line: &str| {
        for object in decoder.line(line) {
            all_good &= object.get("error").is_some_and(serde_json::Value::is_null);
            say(&object.to_string());
        }
    };
    if options.frames.is_empty() {
        let mut input = io::stdin().lock();
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = input.by_ref().take(LINE_MAX).read_until(b'\n', &mut line);
            let read = read.map_err(|error| Failure::because("cannot read standard input", error))?;
            if read == 0 {
                break;
            }
            let text = String::from_utf8_lossy(&line);
            if !text.trim().is_empty() {
                print(text.trim());
            }
        }
    } else {
        options.frames.iter().for_each(|frame| print(frame));
    }
    Ok(if all_good { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
