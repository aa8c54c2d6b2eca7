//! Verifies and unpacks one package the way the agent does, and says what that cost: digest, judgement of the whole,
//! files on the disk. `benches/agent.sh` holds it against `sha256sum` and `unzip`.
//!
//! `cargo run --release --example unpack -- PACKAGE.zip FOLDER`, where the folder does not exist yet.

use noctule::edge::host::archive::{Limits, inspect_file};
use noctule::edge::host::unpack::unpack;
use sha2::{Digest, Sha256};
use std::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(package), Some(into)) = (arguments.next(), arguments.next()) else {
        return Err("give a package and a folder that does not exist yet".into());
    };
    let mut out = std::io::stdout().lock();
    let begun = Instant::now();
    let mut file = File::open(package)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    let digest = hex::encode(hash.finalize());
    writeln!(out, "digest   {:.2} s, {digest}", begun.elapsed().as_secs_f64())?;
    let inspected = inspect_file(&file, Limits { entries: 100_000, bytes: 8 << 30 })?;
    writeln!(out, "judged   {:.2} s, {} entries", begun.elapsed().as_secs_f64(), inspected.entries.len())?;
    unpack(&file, &inspected, Path::new(&into))?;
    writeln!(out, "on disk  {:.2} s, {} bytes", begun.elapsed().as_secs_f64(), inspected.bytes)?;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(peak) = status.lines().find(|line| line.starts_with("VmHWM")) {
        writeln!(out, "{peak}")?;
    }
    Ok(())
}
