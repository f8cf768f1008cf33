//! An error with its causes on one line, for the log and for whoever reads one.

use std::error::Error;
use std::fmt;

/// An error and what caused it: `cannot write a checkpoint: database or disk is full`.
///
/// An error whose text ends in its cause's own is not followed by that cause again.
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        for cause in std::iter::successors(self.0.source(), |cause| (**cause).source()) {
            let text = cause.to_string();
            if !said.ends_with(&text) {
                write!(f, ": {text}")?;
            }
            said = text;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Said(&'static str, Option<Box<Said>>);

    impl fmt::Display for Said {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Said {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|cause| cause as _)
        }
    }

    #[test]
    fn causes_follow_each_once() {
        let cause = || Some(Box::new(Said("no room: EDQUOT", Some(Box::new(Said("EDQUOT", None))))));
        assert_eq!(Chain(&Said("cannot write", cause())).to_string(), "cannot write: no room: EDQUOT");
        assert_eq!(Chain(&Said("alone", None)).to_string(), "alone");
    }
}
