//! Tests that need their own process, and tests of process-wide effects: memory, processor cores.

use std::{env, path::Path, process::Command};

use video_encode::{Container, VideoEncoder};

use crate::{painted, place, settings, write};

/// Marks a child process that a test started for itself.
const CHILD: &str = "VIDEO_ENCODE_TEST_CHILD";

/// Whether this is the process that [`in_own_process`] started.
pub(crate) fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}

/// Runs `body` in a separate process, started through `launcher`, that runs only the calling test.
pub(crate) fn in_own_process(launcher: &[&str], body: impl FnOnce()) {
    if is_child() {
        return body();
    }
    let test = std::thread::current().name().unwrap().to_owned();
    let program = env::current_exe().unwrap();
    let arguments = [program.to_str().unwrap(), "--exact", &test, "--nocapture", "--test-threads=1"];
    let whole: Vec<&str> = launcher.iter().copied().chain(arguments).collect();
    let output = Command::new(whole[0]).args(&whole[1..]).env(CHILD, "1").output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "{:?}: {text}", output.status);
}

/// Resident memory in kB.
fn memory() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

const SIDES: (u32, u32) = (96, 64);

/// Pushes a number of frames; returns the maximum growth of memory in kB after the first tenth of them.
fn growth(container: Container, frames: u32) -> u64 {
    let (_folder, path) = place(&format!("a.{container}"));
    let mut encoder = VideoEncoder::open(&path, &settings(SIDES.0, SIDES.1, "24", container)).unwrap();
    let (mut before, mut most) = (0, 0);
    for frame in 0..frames {
        encoder.push(&painted(SIDES.0, SIDES.1, frame)).unwrap();
        if frame == frames / 10 {
            before = memory();
        }
        if frame % 20 == 0 {
            most = memory().max(most);
        }
    }
    encoder.finish().unwrap();
    memory().max(most).saturating_sub(before)
}

#[test]
fn memory_does_not_grow_with_the_video() {
    in_own_process(&["env"], || {
        for (container, frames) in [(Container::Mp4, 3000), (Container::Gif, 1000), (Container::WebP, 1000), (Container::WebM, 1000)] {
            let kept = u64::from(frames) * u64::from(SIDES.0 * SIDES.1 * 3) / 1000;
            let kilobytes = growth(container, frames);
            // The index grows, and so does the allocator's overhead.
            assert!(kilobytes < 4_000 && kilobytes < kept / 4, "{container}: {kilobytes} kB, where all frames are {kept} kB");
        }
    });
}

fn bytes_of(folder: &Path, container: Container) -> Vec<u8> {
    let path = folder.join(format!("a.{container}"));
    write(&path, &settings(130, 98, "24000/1001", container), 30);
    std::fs::read(path).unwrap()
}

#[test]
fn the_same_frames_give_the_same_bytes() {
    let (folder, _) = place("");
    for container in [Container::Mp4, Container::WebM, Container::Gif, Container::WebP, Container::Apng] {
        assert!(bytes_of(folder.path(), container) == bytes_of(folder.path(), container), "{container}");
    }
}

/// Regression: libx264's AVX-512 code read uninitialized memory at widths like this one.
#[test]
fn stale_heap_contents_do_not_change_the_bytes() {
    let (_folder, path) = place("a.mp4");
    let mut found = Vec::new();
    for _ in 0..6 {
        let dirt: Vec<Vec<u8>> = (0..2000).map(|size| vec![0xa5; 64 * (size % 64 + 1)]).collect();
        drop(std::hint::black_box(dirt));
        write(&path, &settings(160, 120, "25", Container::Mp4), 50);
        found.push(std::fs::read(&path).unwrap());
    }
    assert!(found.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn the_number_of_cores_does_not_change_the_bytes() {
    const FOLDER: &str = "VIDEO_ENCODE_TEST_FOLDER";
    let containers = [Container::Mp4, Container::WebM, Container::Gif];
    if let Some(folder) = env::var_os(FOLDER) {
        for container in containers {
            bytes_of(Path::new(&folder), container);
        }
        return;
    }
    let (folder, _) = place("");
    let with_folder = format!("{FOLDER}={}", folder.path().display());
    in_own_process(&["taskset", "-c", "0", "env", &with_folder], || {});
    for container in containers {
        let on_one_core = std::fs::read(folder.path().join(format!("a.{container}"))).unwrap();
        let (folder, _) = place("");
        assert!(on_one_core == bytes_of(folder.path(), container), "{container}");
    }
}

#[test]
fn encoders_can_move_between_threads() {
    let (_folder, path) = place("a.mp4");
    let mut encoder = VideoEncoder::open(&path, &settings(64, 64, "24", Container::Mp4)).unwrap();
    for frame in 0..4 {
        encoder = std::thread::spawn(move || {
            encoder.push(&painted(64, 64, frame)).unwrap();
            encoder
        })
        .join()
        .unwrap();
    }
    assert_eq!(std::thread::spawn(move || encoder.finish().unwrap()).join().unwrap().frames, 4);
}
