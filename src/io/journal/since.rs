//! What the journal holds since a time, block by block, for headless commands.

use std::path::Path;

use super::file::{BlockInfo, File, Trouble};
use crate::domain::Time;
use crate::wire::record::Record;

/// Reads a journal from a time on.
pub struct Since {
    file: File,
    blocks: std::vec::IntoIter<BlockInfo>,
    from: Time,
    /// Blocks that could not be read.
    pub n_damaged: u64,
}

/// Opens a journal to read what was received since a time; `None` if there is no journal.
pub fn since(path: &Path, since: Time) -> Result<Option<Since>, Trouble> {
    let Some(file) = File::open_to_read(path)? else {
        return Ok(None);
    };
    let blocks = file.blocks(Some(since))?.into_iter();
    Ok(Some(Since {
        file,
        blocks,
        from: since,
        n_damaged: 0,
    }))
}

impl Since {
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Iterator for Since {
    type Item = Vec<Record>;

    /// The next block's records, with their raw bytes.
    fn next(&mut self) -> Option<Vec<Record>> {
        loop {
            let block = self.blocks.next()?;
            match self.file.read(block.first, true) {
                Ok(mut found) => {
                    found.records.retain(|record| record.received >= self.from);
                    return Some(found.records);
                }
                Err(_) => self.n_damaged += 1,
            }
        }
    }
}
