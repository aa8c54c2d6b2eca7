//! Several entries at once: each thread reads the package at places of its own.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Most threads: the server has other work.
const THREADS_MAX: usize = 8;
/// Items that a thread takes at a time.
const BATCH: usize = 8;

/// Reads a file at a place of its own, whoever else reads it.
pub(super) struct At<'a> {
    file: &'a File,
    at: u64,
}

impl At<'_> {
    pub fn start(file: &File) -> At<'_> {
        At { file, at: 0 }
    }
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(unix)]
        let count = std::os::unix::fs::FileExt::read_at(self.file, buffer, self.at)?;
        #[cfg(windows)]
        let count = std::os::windows::fs::FileExt::seek_read(self.file, buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for At<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let outside = || io::Error::from(io::ErrorKind::InvalidInput);
        let (from, by) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::End(by) => (self.file.metadata()?.len(), by),
            SeekFrom::Current(by) => (self.at, by),
        };
        self.at = from.checked_add_signed(by).ok_or_else(outside)?;
        Ok(self.at)
    }
}

/// Does `work` on every item, on as many threads as the machine has; the rest is left where one fails.
///
/// # Errors
/// One of the failures.
pub fn each<T: Send, E: Send>(items: &mut [T], work: impl Fn(&mut T) -> Result<(), E> + Sync) -> Result<(), E> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    if threads == 1 || items.len() <= BATCH {
        return items.iter_mut().try_for_each(work);
    }
    let batches = Mutex::new(items.chunks_mut(BATCH));
    let next = || batches.lock().unwrap_or_else(PoisonError::into_inner).next();
    let take = || {
        while let Some(batch) = next() {
            if let Err(error) = batch.iter_mut().try_for_each(&work) {
                // Nobody begins anything more.
                while next().is_some() {}
                return Err(error);
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(take)).collect();
        let mut done = Ok(());
        for worker in workers {
            match worker.join() {
                Ok(result) => done = done.and(result),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn every_item_is_done_once_and_a_failure_ends_it() {
        for count in [0, 1, BATCH, BATCH + 1, 1000] {
            let mut items = vec![0; count];
            let done: Result<(), ()> = each(&mut items, |item| {
                *item += 1;
                Ok(())
            });
            assert!(done.is_ok() && items.iter().all(|item| *item == 1), "{count}");
        }
        let begun = AtomicUsize::new(0);
        let mut items: Vec<usize> = (0..100_000).collect();
        let failed = each(&mut items, |item| {
            begun.fetch_add(1, Ordering::SeqCst);
            if *item == 20 { Err(*item) } else { Ok(()) }
        });
        assert_eq!(failed, Err(20));
        assert!(begun.load(Ordering::SeqCst) < 100_000);
    }
}
