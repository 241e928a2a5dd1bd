//! Where the card keeps its keys.

use std::io;
use std::path::{Path, PathBuf};

use trussed::virt::{StorageConfig, StoreConfig};

/// Size of one flash image; the runtime accepts no other.
const IMAGE_LENGTH: u64 = 64 * 1024;

/// The card's flash: two image files, or nothing that outlives the process.
pub(crate) struct Storage {
    images: Option<[PathBuf; 2]>,
}

impl Storage {
    /// Opens or creates the images in `folder`; without a folder, flash is memory.
    pub(crate) fn open(folder: Option<&Path>) -> io::Result<Self> {
        let Some(folder) = folder else {
            return Ok(Self { images: None });
        };
        std::fs::create_dir_all(folder)?;
        let images = ["internal.img", "external.img"].map(|name| folder.join(name));
        for image in &images {
            match std::fs::metadata(image) {
                Ok(found) if found.len() != IMAGE_LENGTH => {
                    let text = format!("{} is not a card's flash image", image.display());
                    return Err(io::Error::new(io::ErrorKind::InvalidData, text));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self { images: Some(images) })
    }
}

impl From<Storage> for StoreConfig<'_> {
    fn from(storage: Storage) -> Self {
        match storage.images {
            None => Self::ram(),
            Some([internal, external]) => Self {
                internal: StorageConfig::filesystem(internal),
                external: StorageConfig::filesystem(external),
                volatile: StorageConfig::ram(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_flash_image_is_refused_before_it_is_touched() {
        let folder = std::env::temp_dir().join(format!("virtual-card-storage-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("internal.img"), b"precious").unwrap();
        let refused = Storage::open(Some(&folder)).map(|_| ()).unwrap_err();
        assert!(refused.to_string().contains("internal.img"), "{refused}");
        assert_eq!(std::fs::read(folder.join("internal.img")).unwrap(), b"precious");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
