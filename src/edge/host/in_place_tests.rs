//! What installers do to a folder, and what is left of it.

use super::*;

struct Ground {
    _dir: tempfile::TempDir,
    product: PathBuf,
    place: InPlace,
}

fn ground() -> Ground {
    let dir = tempfile::tempdir().unwrap();
    let (product, copies) = (dir.path().join("product"), dir.path().join("copies"));
    fs::create_dir_all(product.join("data/empty")).unwrap();
    fs::write(product.join("VERSION"), "1.0\r\n").unwrap();
    fs::write(product.join("data/client.db"), "the client's own").unwrap();
    let place = InPlace::new(&product, &copies, "isacompta");
    Ground { _dir: dir, product, place }
}

fn listed(dir: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut all: Vec<_> =
        walk(dir).unwrap().into_iter().map(|e| (e.relative.clone(), fs::read(dir.join(e.relative)).ok())).collect();
    all.sort();
    all
}

#[test]
fn whatever_an_installer_did_the_folder_is_put_back_byte_for_byte() {
    let Ground { product, place, .. } = &ground();
    let before = listed(product);
    assert_eq!(place.observed("VERSION").unwrap(), Some("1.0".parse().unwrap()));
    assert_eq!(place.bytes().unwrap(), 21);
    place.take_copy().unwrap();
    fs::write(product.join("VERSION"), "2.0\r\n").unwrap();
    fs::write(product.join("new.dll"), "new").unwrap();
    fs::remove_file(product.join("data/client.db")).unwrap();
    fs::create_dir_all(product.join("data/client.db/was/a/file")).unwrap();
    fs::remove_dir(product.join("data/empty")).unwrap();
    fs::write(product.join("data/empty"), "was a folder").unwrap();
    for _ in 0..2 {
        place.put_back().unwrap();
        assert_eq!(listed(product), before);
    }
    place.forget_copy().unwrap();
    assert!(!place.has_copy());
    fs::write(product.join("VERSION"), "3.0\r\n").unwrap();
    place.put_back().unwrap();
    assert_eq!(place.observed("VERSION").unwrap(), Some("3.0".parse().unwrap()), "without a copy nothing is touched");
}

#[test]
fn where_nothing_was_nothing_is_left() {
    let Ground { product, place, .. } = &ground();
    fs::remove_dir_all(product).unwrap();
    place.take_copy().unwrap();
    fs::create_dir_all(product.join("bin")).unwrap();
    fs::write(product.join("bin/app"), "x").unwrap();
    place.put_back().unwrap();
    assert!(!product.exists());
}

#[test]
fn only_the_customers_files_are_kept_of_a_success() {
    let Ground { product, place, .. } = &ground();
    place.take_copy().unwrap();
    fs::write(product.join("VERSION"), "2.0\r\n").unwrap();
    fs::remove_dir_all(product.join("data")).unwrap();
    place.keep(&["data/**".to_owned()]).unwrap();
    assert_eq!(fs::read(product.join("data/client.db")).unwrap(), b"the client's own");
    assert_eq!(place.observed("VERSION").unwrap(), Some("2.0".parse().unwrap()));
}

#[test]
fn a_copy_is_taken_afresh_and_keeps_times() {
    let Ground { product, place, .. } = &ground();
    let file = product.join("VERSION");
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    place.take_copy().unwrap();
    fs::write(&file, "1.1\n").unwrap();
    File::options().write(true).open(&file).unwrap().set_modified(long_ago).unwrap();
    place.take_copy().unwrap();
    fs::write(&file, "2.0\n").unwrap();
    place.put_back().unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"1.1\n");
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), long_ago);
}

#[cfg(unix)]
#[test]
fn links_are_refused_before_and_removed_after() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let Ground { product, place, _dir } = &ground();
    fs::set_permissions(product.join("VERSION"), fs::Permissions::from_mode(0o640)).unwrap();
    place.take_copy().unwrap();
    let outside = _dir.path().join("outside");
    fs::write(&outside, "another's").unwrap();
    fs::remove_file(product.join("VERSION")).unwrap();
    symlink(&outside, product.join("VERSION")).unwrap();
    assert!(matches!(place.bytes(), Err(InPlaceError::NotPlain(_))));
    place.put_back().unwrap();
    assert_eq!(fs::read(&outside).unwrap(), b"another's");
    let restored = fs::symlink_metadata(product.join("VERSION")).unwrap();
    assert!(restored.is_file() && restored.permissions().mode() & 0o777 == 0o640);
}

#[cfg(windows)]
#[test]
fn a_read_only_file_is_put_back() {
    let Ground { product, place, .. } = &ground();
    let file = product.join("VERSION");
    place.take_copy().unwrap();
    fs::write(&file, "2.0\r\n").unwrap();
    let mut permissions = fs::metadata(&file).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&file, permissions).unwrap();
    place.put_back().unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"1.0\r\n");
    assert!(!fs::metadata(&file).unwrap().permissions().readonly());
}
