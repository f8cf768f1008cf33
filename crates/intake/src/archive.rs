//! Files packed as ZIP, as spreadsheets and shapefiles come: how much they unpack to is known before anything reads them.

use std::io::{Cursor, Read, copy, sink};

use zip::ZipArchive;

use crate::{Fault, decode_text};

/// Most files of an archive.
const FILES_MAX: usize = 1_000;
/// Most bytes of all files of an archive together, unpacked.
const UNPACKED_MAX: u64 = 64 << 20;

/// Whether a file is packed.
pub(crate) fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

/// Opens an archive whose files have been unpacked once to see that they are whole, and not too large.
///
/// # Errors
/// When it is damaged, encrypted, or too large.
pub(crate) fn open(bytes: &[u8]) -> Result<ZipArchive<Cursor<&[u8]>>, Fault> {
    let damaged = |error: &dyn std::fmt::Display| Fault::whole(format!("the file is damaged: {error}"));
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(&error))?;
    if archive.len() > FILES_MAX {
        return Err(Fault::whole(format!("{} files are packed, at most {FILES_MAX} are taken", archive.len())));
    }
    let mut left = UNPACKED_MAX;
    for index in 0..archive.len() {
        let file = archive.by_index(index).map_err(|error| damaged(&error))?;
        let unpacked = copy(&mut file.take(left + 1), &mut sink()).map_err(|error| damaged(&error))?;
        left = left
            .checked_sub(unpacked)
            .ok_or_else(|| Fault::whole(format!("the file unpacks to more than {} MiB", UNPACKED_MAX >> 20)))?;
    }
    Ok(archive)
}

/// The names of the files, in their order: UTF-8, else GBK, as Chinese systems pack them.
pub(crate) fn names(archive: &ZipArchive<Cursor<&[u8]>>) -> Vec<String> {
    let name = |raw: &[u8]| decode_text(raw).map_or_else(|_| String::from_utf8_lossy(raw).into_owned(), Into::into);
    archive.file_names_raw().map(name).collect()
}

/// A file of an archive that was opened here.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn unpack(archive: &mut ZipArchive<Cursor<&[u8]>>, index: usize) -> Result<Vec<u8>, Fault> {
    let damaged = |error: &dyn std::fmt::Display| Fault::whole(format!("the file is damaged: {error}"));
    let file = archive.by_index(index).map_err(|error| damaged(&error))?;
    let mut bytes = Vec::new();
    file.take(UNPACKED_MAX).read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
    Ok(bytes)
}

/// An archive of files, for tests.
#[cfg(test)]
pub(crate) fn pack(files: &[(&str, &[u8])]) -> Vec<u8> {
    use std::io::Write;
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_unpacks_to_too_much_is_refused() {
        let zeros = vec![0; 40 << 20];
        let small = pack(&[("a", b"1"), ("b", b"2")]);
        assert_eq!(unpack(&mut open(&small).unwrap(), 1), Ok(b"2".to_vec()));
        assert!(open(&pack(&[("a", &zeros)])).is_ok());
        let bomb = open(&pack(&[("a", &zeros), ("b", &zeros)])).err();
        assert!(bomb.is_some_and(|fault| fault.message.contains("more than 64 MiB")));
        assert!(open(&small[..small.len() / 2]).is_err() && open(b"PK\x03\x04").is_err());
    }
}
