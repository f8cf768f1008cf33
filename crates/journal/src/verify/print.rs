//! A report for people: what was found, and what it does and does not prove.

use std::fmt;

use super::{Parting, Report, SealReport};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "sound: {} frame envelopes with {} records, {} control records, {} starts",
            self.frame_envelopes, self.frame_records, self.control_records, self.writers
        )?;
        if self.first_frame_envelope > 1 {
            writeln!(
                f,
                "frames begin at envelope {}; what was before it was removed by retention, its last hash is {}",
                self.first_frame_envelope, self.before_frames
            )?;
        }
        if self.packed_segments > 0 {
            writeln!(f, "{} files are packed", self.packed_segments)?;
        }
        if self.torn_bytes > 0 {
            writeln!(f, "torn tail of {} bytes: never acknowledged, cut at the next start", self.torn_bytes)?;
        }
        writeln!(f, "head of frames:  {}\nhead of control: {}", self.frames_head, self.control_head)?;
        self.seals.fmt(f)?;
        if self.is_anchored() {
            return write!(f, "What is sealed by a trusted key or under a published head was not rewritten since.");
        }
        writeln!(
            f,
            "Consistency only: no key and no published daily head was given, so this proves that nothing in the"
        )?;
        write!(f, "middle was changed, not that nothing was made anew from some point to the end.")
    }
}

impl fmt::Display for SealReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(last) = self.last_sealed else { return writeln!(f, "no seals") };
        writeln!(
            f,
            "{} seals up to {last}, covering frames up to envelope {}; {} signed by a trusted key, {} by a key that only \
             this folder names, {} by one that is not known",
            self.seals, self.sealed_frames, self.trusted, self.own, self.unchecked
        )?;
        if self.gaps > 0 {
            writeln!(
                f,
                "{} stretches of more than two minutes without a seal: no server ran, or it could not seal",
                self.gaps
            )?;
        }
        writeln!(f, "{} daily heads, {} of them as they were published", self.days, self.published)
    }
}

impl fmt::Display for Parting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same { one, other } if one == other => write!(f, "the same, up to envelope {one}"),
            Self::Same { one, other } => {
                write!(f, "the same as far as both reach: one to envelope {one}, the other to {other}")
            }
            Self::Parted { common: Some(common), first } => {
                write!(f, "a fork: the same up to envelope {common}, different from {first} on")
            }
            Self::Parted { common: None, first } => {
                write!(f, "a fork before or at envelope {first}, the first that both hold")
            }
            Self::Apart => write!(f, "nothing to compare: no envelope is in both"),
        }
    }
}
