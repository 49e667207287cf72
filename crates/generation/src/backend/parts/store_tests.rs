//! The store of parts: whole or absent, bounded, and forgiving.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use diffusion_core::journal::Run;
use image::{Rgb, RgbImage};

use super::{entry::Label, keys::PartKey, store::PartStore};

fn key(number: u8) -> PartKey {
    PartKey::parse(&format!("{number:02x}").repeat(32)).unwrap()
}

fn image(side: u32, number: u8) -> RgbImage {
    RgbImage::from_fn(side, side, |x, y| Rgb([(x * 7) as u8 ^ number, (y * 11) as u8, (x * y) as u8]))
}

fn label(frame: usize) -> Label {
    Label::of(Run::Scene { scene: 9 }, frame).unwrap()
}

fn open(folder: &Path, limit: u64) -> PartStore {
    PartStore::open(folder.to_owned(), limit, SystemTime::now, || {})
}

/// Keeps a part of two images.
fn keep(store: &PartStore, number: u8, job: &str) {
    let mut recording = store.begin(key(number)).unwrap();
    for frame in 0..2 {
        recording.add(label(frame), &image(64, number + frame as u8)).unwrap();
    }
    store.keep(recording, job).unwrap();
}

/// Whether a part is there, as it was kept.
fn reads(store: &PartStore, number: u8) -> bool {
    let Some((mut entry, _)) = store.load(key(number)) else { return false };
    for frame in 0..2 {
        assert_eq!(entry.image(label(frame)).unwrap(), Some(image(64, number + frame as u8)));
    }
    assert_eq!(entry.image(label(2)).unwrap(), None);
    true
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The bytes of a part on the disk.
fn size() -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), u64::MAX);
    keep(&store, 1, "job");
    store.bytes()
}

#[test]
fn a_part_is_kept_across_a_restart_and_belongs_to_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 1 << 20);
    assert!(!reads(&store, 1) && files(folder.path()).is_empty());
    keep(&store, 1, "job-a");
    assert!(reads(&store, 1) && !reads(&store, 2) && store.has(&key(1)));
    let again = open(folder.path(), 1 << 20);
    assert!(reads(&again, 1));
    assert_eq!(again.load(key(1)).unwrap().1, "job-a");
    assert_eq!((again.count(), again.bytes()), (1, store.bytes()));
    // A file under another part's name.
    let [file] = files(folder.path()).try_into().unwrap();
    let other = folder.path().join(file.file_name().unwrap().to_str().unwrap().replace("01", "02"));
    fs::copy(&file, &other).unwrap();
    let confused = open(folder.path(), 1 << 20);
    assert!(confused.has(&key(2)) && !reads(&confused, 2) && reads(&confused, 1));
    assert_eq!(files(folder.path()), [file], "it is removed");
}

#[test]
fn a_cut_or_damaged_part_counts_as_absent_and_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    keep(&open(folder.path(), 1 << 20), 1, "job");
    let [file] = files(folder.path()).try_into().unwrap();
    let whole = fs::read(&file).unwrap();
    let damaged = |bytes: &[u8], what: &str| {
        fs::write(&file, bytes).unwrap();
        let store = open(folder.path(), 1 << 20);
        assert!(!reads(&store, 1) && !store.has(&key(1)) && store.bytes() == 0, "{what}");
        assert!(files(folder.path()).is_empty(), "{what}");
    };
    for end in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
        damaged(&whole[..end], &format!("cut at {end}"));
    }
    for place in (0..whole.len()).step_by(101) {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        damaged(&bytes, &format!("a bit at {place}"));
        // As a power loss leaves a file whose last blocks were not written.
        let blank: Vec<u8> = whole.iter().enumerate().map(|(index, byte)| if index < place { *byte } else { 0 }).collect();
        damaged(&blank, &format!("blank from {place}"));
    }
    damaged(&[whole.as_slice(), b"more"].concat(), "longer");
    fs::write(&file, &whole).unwrap();
    assert!(reads(&open(folder.path(), 1 << 20), 1));
    // One that vanishes while the program runs.
    let store = open(folder.path(), 1 << 20);
    fs::remove_file(&file).unwrap();
    assert!(!reads(&store, 1) && store.count() == 0);
    keep(&store, 1, "job");
    assert!(reads(&store, 1));
}

#[test]
fn the_least_recently_used_part_goes_first_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let limit = 3 * size();
    let store = open(folder.path(), limit);
    for number in [1, 2, 3] {
        keep(&store, number, "job");
        // Times of files tell apart what is milliseconds apart.
        std::thread::sleep(Duration::from_millis(15));
    }
    assert!(reads(&store, 1));
    std::thread::sleep(Duration::from_millis(15));
    keep(&store, 4, "job");
    assert_eq!([1, 2, 3, 4].map(|number| store.has(&key(number))), [true, false, true, true]);
    assert!(store.bytes() <= limit && files(folder.path()).len() == 3);
    let again = open(folder.path(), limit);
    keep(&again, 5, "job");
    assert_eq!([1, 3, 4, 5].map(|number| again.has(&key(number))), [true, false, true, true]);
    let smaller = open(folder.path(), size());
    assert_eq!((smaller.count(), smaller.has(&key(5)), files(folder.path()).len()), (1, true, 1));
    let none = open(folder.path(), 0);
    assert_eq!((none.count(), files(folder.path()).len()), (0, 0));
    assert!(none.begin(key(1)).is_err() && !none.keeps());
}

#[test]
fn a_part_beyond_the_limit_is_not_kept_and_removes_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), size());
    keep(&store, 1, "job");
    let mut recording = store.begin(key(2)).unwrap();
    for frame in 0..40 {
        recording.add(label(frame), &image(64, frame as u8)).unwrap();
    }
    store.keep(recording, "job").unwrap();
    assert!(reads(&store, 1) && !store.has(&key(2)) && files(folder.path()).len() == 1);
}

#[test]
fn what_a_killed_program_left_is_removed_and_other_files_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 1 << 20);
    keep(&store, 1, "job");
    let mut recording = store.begin(key(2)).unwrap();
    recording.add(label(0), &image(64, 1)).unwrap();
    // As SIGKILL leaves it.
    std::mem::forget(recording);
    fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    fs::create_dir(folder.path().join("lost+found")).unwrap();
    let staged = |file: &PathBuf| file.file_name().unwrap().to_str().unwrap().starts_with(".part-");
    assert_eq!(files(folder.path()).iter().filter(|file| staged(file)).count(), 1);
    let again = open(folder.path(), 1 << 20);
    assert_eq!(files(folder.path()).len(), 3);
    assert!(reads(&again, 1) && !again.has(&key(2)));
    again.clear();
    assert_eq!(files(folder.path()).len(), 2, "notes and lost+found");
    // A recording that is given up leaves nothing.
    drop(again.begin(key(3)).unwrap());
    assert_eq!(files(folder.path()).len(), 2);
}

#[test]
fn two_jobs_at_once_keep_one_file_of_a_part() {
    let folder = tempfile::tempdir().unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let store = PartStore::open(folder.path().to_owned(), 1 << 24, SystemTime::now, move || {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    std::thread::scope(|scope| {
        for job in ["a", "b", "c", "d"] {
            let store = &store;
            scope.spawn(move || {
                for number in 0..20 {
                    keep(store, number, job);
                    assert!(reads(store, number));
                }
            });
        }
    });
    assert_eq!((store.count(), files(folder.path()).len(), calls.load(Ordering::Relaxed)), (20, 20, 80));
    // Two files of one part, as two programs in turn might leave them.
    let [file, ..] = <[PathBuf; 20]>::try_from(files(folder.path())).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap().split_once('.').unwrap().0.to_owned();
    fs::copy(&file, folder.path().join(format!("{name}.another.part"))).unwrap();
    let again = open(folder.path(), 1 << 24);
    assert_eq!((again.count(), files(folder.path()).len()), (20, 20));
    assert!((0..20).all(|number| reads(&again, number)));
}

#[test]
fn parts_are_forgotten_with_their_job_and_with_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 1 << 20);
    keep(&store, 1, "job-a");
    keep(&store, 2, "job-b");
    store.forget("job-a");
    assert!(!store.has(&key(1)) && reads(&store, 2) && files(folder.path()).len() == 1);
    let later = PartStore::open(folder.path().to_owned(), 1 << 20, || SystemTime::now() + Duration::from_secs(100), || {});
    later.expire(Duration::from_secs(200));
    assert!(later.has(&key(2)));
    later.expire(Duration::from_secs(50));
    assert!(!later.has(&key(2)) && files(folder.path()).is_empty());
    assert!(!later.clear());
}

#[test]
fn a_folder_that_cannot_be_used_keeps_nothing_and_fails_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let store = open(&folder.path().join("file/parts"), 1 << 20);
    assert!(store.begin(key(1)).is_err() && !reads(&store, 1));
    store.expire(Duration::ZERO);
    store.forget("job");
    // The folder vanishes, and is made again with the next part.
    let parts = folder.path().join("parts");
    let store = open(&parts, 1 << 20);
    keep(&store, 1, "job");
    fs::remove_dir_all(&parts).unwrap();
    assert!(!reads(&store, 1));
    keep(&store, 2, "job");
    assert!(reads(&store, 2));
}
