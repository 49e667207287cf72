//! Still images of a video: the poster, and the contact sheet of a real run.

use std::fs;

use video_encode::{ContactSheet, Error, poster};

use crate::{names, noise, painted, place, psnr};

#[test]
fn a_poster_takes_its_format_from_the_extension() {
    for (name, magic, decibels) in [
        ("a.png", &b"\x89PNG"[..], f64::INFINITY),
        ("a.JPG", b"\xff\xd8\xff", 32.0),
        ("a.jpeg", b"\xff\xd8\xff", 32.0),
        ("a.webp", b"RIFF", f64::INFINITY),
    ] {
        let (folder, path) = place(name);
        let bytes = poster(&painted(90, 61, 3), &path).unwrap();
        let file = fs::read(&path).unwrap();
        assert!(file.starts_with(magic) && file.len() as u64 == bytes, "{name}");
        let found = psnr(&image::load_from_memory(&file).unwrap().to_rgb8(), &painted(90, 61, 3));
        assert!(found >= decibels, "{name}: {found} dB");
        assert_eq!(names(folder.path()), [name]);
    }
}

#[test]
fn a_poster_that_cannot_be_written_leaves_nothing() {
    let (folder, path) = place("a.bmp");
    assert!(matches!(poster(&noise(8, 8, 0), &path), Err(Error::Image { .. })));
    assert!(matches!(poster(&image::RgbImage::new(0, 0), &path.with_extension("png")), Err(Error::Size { .. })));
    assert!(names(folder.path()).is_empty());
    fs::write(folder.path().join("file"), b"").unwrap();
    assert!(matches!(poster(&noise(8, 8, 0), &folder.path().join("file/a.png")), Err(Error::File { .. })));
}

#[test]
fn a_contact_sheet_shows_the_frames_themselves() {
    let mut sheet = ContactSheet::new(24, 6, 3, 64);
    for frame in 0..24 {
        sheet.push(&painted(64, 40, frame));
    }
    let sheet = sheet.finish().unwrap();
    assert_eq!(sheet.dimensions(), (3 * 68 + 4, 2 * 44 + 4));
    for (place, frame) in [0, 5, 9, 14, 18, 23].into_iter().enumerate() {
        let (column, row) = (place as u32 % 3, place as u32 / 3);
        let found = image::imageops::crop_imm(&sheet, column * 68 + 4, row * 44 + 4, 64, 40).to_image();
        assert_eq!(found, painted(64, 40, frame), "picture {place}");
    }
}
