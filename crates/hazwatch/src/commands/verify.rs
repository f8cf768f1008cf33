//! `hazwatch verify`: walks the chains of a folder that no server is using.

use std::process::ExitCode;

use journal::{DataLock, RealDisk};

use super::say;
use crate::cli::Verify;
use crate::error::Failure;
use crate::house::JOURNAL;

pub(super) fn run(options: &Verify) -> Result<ExitCode, Failure> {
    let folder = options.data.join(JOURNAL);
    if !folder.is_dir() {
        return Err(Failure::Usage(format!("there is no journal in {}", options.data.display())));
    }
    let _lock = DataLock::acquire(&options.data).map_err(|error| Failure::because("cannot verify", error))?;
    let report = journal::verify(&RealDisk, &folder)
        .map_err(|error| Failure::plain(format!("the journal is not sound: {error}")))?;
    say(&format!(
        "sound: {} frame envelopes from number {} on with {} records, {} control records, {} starts",
        report.frame_envelopes,
        report.first_frame_envelope,
        report.frame_records,
        report.control_records,
        report.writers
    ));
    if report.torn_bytes > 0 {
        say(&format!("torn tail of {} bytes: never acknowledged, cut at the next start", report.torn_bytes));
    }
    say(&format!("head of frames:  {}\nhead of control: {}", report.frames_head, report.control_head));
    say("This proves that the chains are consistent in themselves; compare the heads with ones kept elsewhere.");
    Ok(ExitCode::SUCCESS)
}
