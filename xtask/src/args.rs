//! Arguments of a task: flags and values, and nothing left over.

use crate::Failure;

/// The words after the task's name.
pub(crate) struct Args(Vec<String>);

impl Args {
    pub(crate) fn new(words: Vec<String>) -> Self {
        Self(words)
    }

    /// Takes `--name` if it is there.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let place = self.0.iter().position(|word| word == name);
        place.map(|at| self.0.remove(at)).is_some()
    }

    /// Takes `--name VALUE` or `--name=VALUE` if it is there.
    pub(crate) fn value(&mut self, name: &str) -> Result<Option<String>, Failure> {
        let with_equals = format!("{name}=");
        let Some(at) = self.0.iter().position(|word| word == name || word.starts_with(&with_equals)) else {
            return Ok(None);
        };
        let word = self.0.remove(at);
        if let Some(value) = word.strip_prefix(&with_equals) {
            return Ok(Some(value.to_owned()));
        }
        if at < self.0.len() {
            Ok(Some(self.0.remove(at)))
        } else {
            Err(Failure::Usage(format!("{name} needs a value")))
        }
    }

    /// Takes a positive number.
    pub(crate) fn number(&mut self, name: &str, default: u32) -> Result<u32, Failure> {
        let Some(text) = self.value(name)? else { return Ok(default) };
        let bad = || Failure::Usage(format!("{name} wants a positive number, not {text:?}"));
        text.parse().ok().filter(|number| *number > 0).ok_or_else(bad)
    }

    /// Whatever was not taken.
    pub(crate) fn rest(self) -> Vec<String> {
        self.0
    }

    /// Fails when something was not taken.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self.0.first() {
            None => Ok(()),
            Some(word) => Err(Failure::Usage(format!("what is {word:?}?"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Args {
        Args::new(line.split_whitespace().map(String::from).collect())
    }

    #[test]
    fn takes_what_is_there() {
        let mut a = args("--all --rounds 7 --only=tidy");
        assert!(a.flag("--all"));
        assert!(!a.flag("--all"));
        assert_eq!(a.number("--rounds", 20).expect("a number"), 7);
        assert_eq!(a.value("--only").expect("a value").as_deref(), Some("tidy"));
        assert_eq!(a.number("--seconds", 5).expect("the default"), 5);
        assert!(a.finish().is_ok());
    }

    #[test]
    fn refuses_the_rest() {
        assert!(args("--al").finish().is_err());
        assert!(args("--rounds").value("--rounds").is_err());
        for bad in ["--rounds x", "--rounds 0", "--rounds -1", "--rounds=1.5"] {
            assert!(args(bad).number("--rounds", 1).is_err(), "{bad}");
        }
    }
}
