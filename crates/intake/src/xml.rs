//! A small XML document as a tree, within bounds: no document type, no entities but the five of XML.

use quick_xml::Reader;
use quick_xml::escape::{resolve_xml_entity, unescape};
use quick_xml::events::{BytesRef, BytesStart, Event};

use crate::Fault;

/// Deepest nesting, and most elements, of a document.
const DEPTH_MAX: usize = 64;
const ELEMENTS_MAX: usize = 500_000;

/// An element.
#[derive(Debug, Default)]
pub(crate) struct Element {
    /// Its name without prefix.
    pub(crate) name: String,
    /// Its attribute `name`.
    pub(crate) label: Option<String>,
    /// All text directly in it.
    pub(crate) text: String,
    /// The elements in it.
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// The first element of that name directly in it.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The elements of that name directly in it.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the first element of that name.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim())
    }
}

/// Reads a document; what comes back holds its root.
///
/// # Errors
/// When it is no XML, or beyond the bounds, with the line.
pub(crate) fn parse(text: &str) -> Result<Element, Fault> {
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    let mut count = 0;
    loop {
        let event = reader.read_event();
        let line = |at: u64| 1 + text.bytes().take(at as usize).filter(|byte| *byte == b'\n').count() as u64;
        let refuse =
            |message: String| Fault::whole(message).in_row(line(reader.error_position().max(reader.buffer_position())));
        match event.map_err(|error| refuse(format!("no XML: {error}")))? {
            Event::Start(start) => {
                count += 1;
                if open.len() > DEPTH_MAX || count > ELEMENTS_MAX {
                    return Err(refuse(format!("more than {DEPTH_MAX} elements deep, or {ELEMENTS_MAX} in all")));
                }
                open.push(element(&start).map_err(refuse)?);
            }
            Event::Empty(start) => {
                count += 1;
                let element = element(&start).map_err(refuse)?;
                if let Some(parent) = open.last_mut().filter(|_| count <= ELEMENTS_MAX) {
                    parent.children.push(element);
                }
            }
            Event::End(_) => {
                let closed = open.pop();
                if let (Some(closed), Some(parent)) = (closed, open.last_mut()) {
                    parent.children.push(closed);
                }
            }
            Event::Text(text) => append(&mut open, &text.xml10_content()),
            Event::CData(text) => append(&mut open, &text.xml10_content()),
            Event::GeneralRef(reference) => append(&mut open, &referred(&reference).map_err(refuse)?),
            Event::DocType(_) => return Err(refuse("a document type is not read".to_owned())),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some(root), true) => Ok(root),
        _ => Err(Fault::whole("no XML: it ends within an element")),
    }
}

fn append(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn element(start: &BytesStart<'_>) -> Result<Element, String> {
    let mut element = Element { name: start.local_name().as_ref().to_owned(), ..Element::default() };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| format!("no XML: {error}"))?;
        if attribute.key.as_ref() == "name" {
            let value = unescape(&attribute.value).map_err(|error| format!("no XML: {error}"))?;
            element.label = Some(value.into_owned());
        }
    }
    Ok(element)
}

fn referred(reference: &BytesRef<'_>) -> Result<String, String> {
    if let Ok(Some(c)) = reference.resolve_char_ref() {
        return Ok(c.to_string());
    }
    let name = reference.xml10_content();
    resolve_xml_entity(&name).map(str::to_owned).ok_or_else(|| format!("the entity &{name}; is not read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_become_trees() {
        let root =
            parse("<?xml version=\"1.0\"?><a><x:b name=\"k &amp; l\">1 &lt; <![CDATA[<2>]]>&#x6865;</x:b><c/></a>");
        let root = root.unwrap();
        let a = root.child("a").unwrap();
        let b = a.child("b").unwrap();
        assert_eq!((b.text.as_str(), b.label.as_deref()), ("1 < <2>桥", Some("k & l")));
        assert_eq!(a.children.len(), 2);
    }

    #[test]
    fn what_is_no_document_is_refused() {
        let deep = "<a>".repeat(70);
        for bad in ["<a>", "<a></b>", "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "<a>&x;</a>", &deep] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
