//! A strict reader of JSON objects: it names the place of whatever is wrong, and refuses what it does not know.

use std::fmt::Display;
use std::str::FromStr;

use model::Timestamp;
use serde_json::{Map, Value};

use crate::Fault;

/// Most unknown members that are named of one object.
pub(crate) const STRANGE_MAX: usize = 100;

/// Reads the members of an object, gathering what is wrong with them. JSON `null` counts as absent.
pub(crate) struct Reader<'a> {
    path: String,
    members: &'a Map<String, Value>,
    pub(crate) faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    /// With the path that faults begin with.
    pub(crate) fn new(path: impl Into<String>, members: &'a Map<String, Value>) -> Self {
        Self { path: path.into(), members, faults: Vec::new() }
    }

    /// A value that must be an object.
    pub(crate) fn of(path: impl Into<String>, value: &'a Value) -> Result<Self, Fault> {
        let path = path.into();
        match value.as_object() {
            Some(members) => Ok(Self::new(path, members)),
            None => Err(Fault::field(path, "must be an object")),
        }
    }

    pub(crate) fn path(&self, member: &str) -> String {
        if self.path.is_empty() { member.to_owned() } else { format!("{}.{member}", self.path) }
    }

    pub(crate) fn fault(&mut self, member: &str, message: impl Display) {
        let path = self.path(member);
        self.faults.push(Fault::field(path, message));
    }

    /// Refuses every member that is not one of these.
    pub(crate) fn only(&mut self, known: &[&str]) {
        for key in self.members.keys().filter(|key| !known.contains(&key.as_str())).take(STRANGE_MAX) {
            let path = self.path(key);
            self.faults.push(Fault::field(path, "unknown property"));
        }
    }

    pub(crate) fn get(&self, member: &str) -> Option<&'a Value> {
        self.members.get(member).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&mut self, member: &str, chars_max: usize) -> Option<String> {
        match self.get(member)?.as_str().map(str::trim) {
            Some(text) if text.chars().count() <= chars_max && !text.contains(char::is_control) => {
                return Some(text.to_owned());
            }
            Some(_) => self.fault(member, format!("must be one line of at most {chars_max} characters")),
            None => self.fault(member, "must be a text"),
        }
        None
    }

    /// One of a list of names.
    pub(crate) fn choice<T>(&mut self, member: &str, find: impl Fn(&str) -> Option<T>, names: &str) -> Option<T> {
        let value = self.get(member)?;
        let found = value.as_str().and_then(&find);
        if found.is_none() {
            self.fault(member, format!("{value} is none of {names}"));
        }
        found
    }

    /// A whole number within the range of its type.
    pub(crate) fn whole<T: TryFrom<u64>>(&mut self, member: &str) -> Option<T> {
        let number = self.get(member)?.as_u64().and_then(|number| T::try_from(number).ok());
        if number.is_none() {
            self.fault(member, "must be a whole number, not too large");
        }
        number
    }

    pub(crate) fn flag(&mut self, member: &str) -> Option<bool> {
        let flag = self.get(member)?.as_bool();
        if flag.is_none() {
            self.fault(member, "must be true or false");
        }
        flag
    }

    pub(crate) fn time(&mut self, member: &str) -> Option<Timestamp> {
        let value = self.get(member)?;
        match value.as_str().map(str::parse::<Timestamp>) {
            Some(Ok(time)) => return Some(time),
            Some(Err(error)) => self.fault(member, error),
            None => self.fault(member, "must be an RFC 3339 time with offset"),
        }
        None
    }

    /// A list; empty when it is absent.
    pub(crate) fn list(&mut self, member: &str) -> &'a [Value] {
        match self.get(member) {
            None => &[],
            Some(Value::Array(list)) => list,
            Some(_) => {
                self.fault(member, "must be a list");
                &[]
            }
        }
    }

    /// A list of texts that are read as something; empty when it is absent.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&mut self, member: &str) -> Vec<T> {
        let mut found = Vec::new();
        for (i, value) in self.list(member).iter().enumerate() {
            match value.as_str().map(str::parse) {
                Some(Ok(one)) => found.push(one),
                Some(Err(error)) => self.fault(&format!("{member}[{i}]"), error),
                None => self.fault(&format!("{member}[{i}]"), "must be a text"),
            }
        }
        found
    }

    /// Each entry of a list, read by `read`, which is given its path.
    pub(crate) fn each<T>(&mut self, member: &str, read: impl Fn(String, &Value) -> Result<T, Vec<Fault>>) -> Vec<T> {
        let mut found = Vec::new();
        for (i, value) in self.list(member).iter().enumerate() {
            match read(self.path(&format!("{member}[{i}]")), value) {
                Ok(one) => found.push(one),
                Err(faults) => self.faults.extend(faults),
            }
        }
        found
    }

    /// One member, read by `read`, which is given its path.
    pub(crate) fn one<T>(
        &mut self,
        member: &str,
        read: impl FnOnce(String, &Value) -> Result<T, Vec<Fault>>,
    ) -> Option<T> {
        let value = self.get(member)?;
        read(self.path(member), value).map_err(|faults| self.faults.extend(faults)).ok()
    }

    /// What was read, unless something was wrong.
    pub(crate) fn finish<T>(self, made: T) -> Result<T, Vec<Fault>> {
        if self.faults.is_empty() { Ok(made) } else { Err(self.faults) }
    }
}
