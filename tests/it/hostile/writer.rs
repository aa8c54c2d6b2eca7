//! Writes zips byte by byte, as no honest tool would: every field may lie.

use std::io::Write;

/// One entry. Fields that are `None` tell the truth.
#[derive(Clone, Default)]
pub struct Raw {
    pub name: Vec<u8>,
    /// The packed bytes.
    pub data: Vec<u8>,
    pub method: u16,
    pub flags: u16,
    pub attributes: u32,
    pub crc: u32,
    pub size: u32,
    pub packed: Option<u32>,
    pub offset: Option<u32>,
    pub extra: Vec<u8>,
    pub comment: Vec<u8>,
    pub disk: u16,
    pub local: Local,
    /// Bytes before the local header.
    pub before: Vec<u8>,
    /// Bytes after the data: a data descriptor.
    pub after: Vec<u8>,
    /// Only in one of the two places.
    pub unlisted: bool,
    pub listed_only: bool,
}

/// What the local header says instead.
#[derive(Clone, Default)]
pub struct Local {
    pub name: Option<Vec<u8>>,
    pub method: Option<u16>,
    pub flags: Option<u16>,
    pub date: Option<u16>,
    pub crc: Option<u32>,
    pub packed: Option<u32>,
    pub size: Option<u32>,
    pub extra: Option<Vec<u8>>,
}

/// An archive. Fields that are `None` tell the truth.
#[derive(Clone, Default)]
pub struct Archive {
    pub entries: Vec<Raw>,
    pub before_directory: Vec<u8>,
    /// Inside the directory, after its last header.
    pub in_directory: Vec<u8>,
    /// Between directory and end record.
    pub before_end: Vec<u8>,
    pub zip64: Option<End64>,
    pub comment: Vec<u8>,
    pub comment_bytes: Option<u16>,
    pub after: Vec<u8>,
    pub disk: u16,
    pub count: Option<u16>,
    pub directory: Option<u32>,
    pub directory_bytes: Option<u32>,
}

/// Zip64 records before the end record, and what lies in them.
#[derive(Clone, Default)]
pub struct End64 {
    pub count: Option<u64>,
    pub directory: Option<u64>,
    pub record_bytes: Option<u64>,
    pub locator: Option<u64>,
    pub locator_disks: Option<u32>,
    pub no_record: bool,
    pub disks: u32,
}

pub fn crc32(data: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(data);
    crc.sum()
}

/// A stored file.
pub fn raw(name: impl AsRef<[u8]>) -> Raw {
    stored(name, b"x")
}

pub fn stored(name: impl AsRef<[u8]>, data: &[u8]) -> Raw {
    Raw {
        name: name.as_ref().to_vec(),
        data: data.to_vec(),
        flags: 1 << 11,
        attributes: 0o100_644 << 16,
        crc: crc32(data),
        size: u32::try_from(data.len()).unwrap(),
        ..Raw::default()
    }
}

pub fn deflated(name: impl AsRef<[u8]>, data: &[u8]) -> Raw {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(data).unwrap();
    Raw { data: encoder.finish().unwrap(), method: 8, ..stored(name, data) }
}

pub fn folder(name: impl AsRef<[u8]>) -> Raw {
    Raw { attributes: 0o040_755 << 16 | 0x10, ..stored(name, b"") }
}

/// An entry whose sizes follow after its data, as a stream is written.
pub fn streamed(name: impl AsRef<[u8]>, data: &[u8]) -> Raw {
    let entry = deflated(name, data);
    let packed = u32::try_from(entry.data.len()).unwrap();
    let after = descriptor(true, entry.crc, packed, entry.size);
    let local = Local { crc: Some(0), packed: Some(0), size: Some(0), ..Local::default() };
    Raw { flags: entry.flags | 1 << 3, after, local, ..entry }
}

pub fn descriptor(signed: bool, crc: u32, packed: u32, size: u32) -> Vec<u8> {
    let signature: &[u8] = if signed { b"PK\x07\x08" } else { b"" };
    [signature, &crc.to_le_bytes(), &packed.to_le_bytes(), &size.to_le_bytes()].concat()
}

/// One extra field.
pub fn extra(id: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    [&id.to_le_bytes(), &length.to_le_bytes(), data].concat()
}

pub fn zip64(values: &[u64]) -> Vec<u8> {
    extra(1, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
}

/// Info-ZIP's Unicode path, of an entry with the raw name `of`.
pub fn unicode_path(of: &[u8], path: &str) -> Vec<u8> {
    extra(0x7075, &[&[1], &crc32(of).to_le_bytes()[..], path.as_bytes()].concat())
}

/// An archive of these entries, otherwise honest.
pub fn zip_of(entries: &[Raw]) -> Vec<u8> {
    Archive { entries: entries.to_vec(), ..Archive::default() }.bytes()
}

impl Archive {
    pub fn bytes(&self) -> Vec<u8> {
        let (mut out, mut directory, mut count) = (Vec::new(), Vec::new(), 0);
        for entry in &self.entries {
            out.extend(&entry.before);
            let offset = u32::try_from(out.len()).unwrap();
            if !entry.listed_only {
                entry.local_header(&mut out);
                out.extend(&entry.data);
                out.extend(&entry.after);
            }
            if !entry.unlisted {
                entry.central_header(entry.offset.unwrap_or(offset), &mut directory);
                count += 1;
            }
        }
        out.extend(&self.before_directory);
        let at = out.len() as u64;
        directory.extend(&self.in_directory);
        out.extend(&directory);
        out.extend(&self.before_end);
        if let Some(end) = &self.zip64 {
            end.write(count, at, directory.len() as u64, &mut out);
        }
        let full = self.zip64.is_some();
        let count = self.count.unwrap_or(if full { u16::MAX } else { u16::try_from(count).unwrap() });
        out.extend(b"PK\x05\x06");
        out.extend([self.disk, 0].iter().flat_map(|disk| disk.to_le_bytes()));
        out.extend([count, count].iter().flat_map(|count| count.to_le_bytes()));
        out.extend(self.directory_bytes.unwrap_or(directory.len() as u32).to_le_bytes());
        out.extend(self.directory.unwrap_or(if full { u32::MAX } else { at as u32 }).to_le_bytes());
        out.extend(self.comment_bytes.unwrap_or(self.comment.len() as u16).to_le_bytes());
        out.extend(&self.comment);
        out.extend(&self.after);
        out
    }
}

impl Raw {
    fn packed(&self) -> u32 {
        self.packed.unwrap_or(self.data.len() as u32)
    }

    fn local_header(&self, out: &mut Vec<u8>) {
        let name = self.local.name.as_ref().unwrap_or(&self.name);
        let extra = self.local.extra.as_ref().unwrap_or(&self.extra);
        out.extend(b"PK\x03\x04");
        let fields = [
            20,
            self.local.flags.unwrap_or(self.flags),
            self.local.method.unwrap_or(self.method),
            0,
            self.local.date.unwrap_or(0x21),
        ];
        out.extend(fields.iter().flat_map(|field: &u16| field.to_le_bytes()));
        out.extend(self.local.crc.unwrap_or(self.crc).to_le_bytes());
        out.extend(self.local.packed.unwrap_or(self.packed()).to_le_bytes());
        out.extend(self.local.size.unwrap_or(self.size).to_le_bytes());
        out.extend((name.len() as u16).to_le_bytes());
        out.extend((extra.len() as u16).to_le_bytes());
        out.extend(name);
        out.extend(extra);
    }

    fn central_header(&self, offset: u32, out: &mut Vec<u8>) {
        out.extend(b"PK\x01\x02");
        let fields = [0x0300 | 20, 20, self.flags, self.method, 0, 0x21];
        out.extend(fields.iter().flat_map(|field: &u16| field.to_le_bytes()));
        out.extend(self.crc.to_le_bytes());
        out.extend(self.packed().to_le_bytes());
        out.extend(self.size.to_le_bytes());
        let lengths = [self.name.len(), self.extra.len(), self.comment.len()];
        out.extend(lengths.iter().flat_map(|length| (*length as u16).to_le_bytes()));
        out.extend(self.disk.to_le_bytes());
        out.extend([0; 2]);
        out.extend(self.attributes.to_le_bytes());
        out.extend(offset.to_le_bytes());
        out.extend(&self.name);
        out.extend(&self.extra);
        out.extend(&self.comment);
    }
}

impl End64 {
    fn write(&self, count: u64, directory: u64, directory_bytes: u64, out: &mut Vec<u8>) {
        let at = out.len() as u64;
        if !self.no_record {
            out.extend(b"PK\x06\x06");
            out.extend(self.record_bytes.unwrap_or(44).to_le_bytes());
            out.extend([45, 0, 45, 0]);
            out.extend([self.disks, 0].iter().flat_map(|disk| disk.to_le_bytes()));
            let count = self.count.unwrap_or(count);
            let fields = [count, count, directory_bytes, self.directory.unwrap_or(directory)];
            out.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
        }
        out.extend(b"PK\x06\x07");
        out.extend(0u32.to_le_bytes());
        out.extend(self.locator.unwrap_or(at).to_le_bytes());
        out.extend(self.locator_disks.unwrap_or(1).to_le_bytes());
    }
}
