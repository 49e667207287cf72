//! Files that appear complete or not at all.

use std::fs;

use generation::artifact;

#[test]
fn a_file_replaces_an_older_one_and_its_folder_is_created() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/picture.png");
    artifact::write(&path, b"first").unwrap();
    artifact::write(&path, b"second").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"second");
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing staged is left");
}

#[test]
fn a_failed_write_names_the_file_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    fs::create_dir(&taken).unwrap();
    let error = artifact::write(&taken, b"bytes").unwrap_err();
    assert_eq!(error.path, taken);
    assert!(error.to_string().contains("taken: "), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "only the folder that was there");
}

#[cfg(unix)]
#[test]
fn a_written_file_has_the_usual_permissions() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (path, plain) = (folder.path().join("picture.png"), folder.path().join("plain"));
    artifact::write(&path, b"bytes").unwrap();
    fs::write(&plain, b"bytes").unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&path), mode(&plain));
}
