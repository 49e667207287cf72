//! The title of a video in its callback.
//!
//! The API that this one is compatible with derives it from the name of Pika's file: the prompt with underscores, a seed after it and a
//! folder before it. Here the prompt itself is known, and the same rule applies to it.

use percent_encoding::percent_decode_str;

/// The title if there is no prompt.
const UNTITLED: &str = "Generated Video";

/// The title from a prompt, or from the path of a file named after one.
pub(crate) fn title(text: Option<&str>) -> String {
    let text = text.unwrap_or_default();
    let file = text.strip_suffix(".mp4");
    let text = match file {
        Some(path) => without_seed(path.rsplit('/').next().unwrap_or_default()),
        None => text,
    };
    let decoded = if file.is_some() { percent_decode_str(text).decode_utf8_lossy() } else { text.into() };
    let words = decoded.replace('_', " ");
    let first = words.split(',').next().unwrap_or_default().trim().to_lowercase();
    let mut letters = first.chars();
    match letters.next() {
        Some(letter) => letter.to_uppercase().chain(letters).collect(),
        None => UNTITLED.to_owned(),
    }
}

/// A file name without `_seed123` at its end.
fn without_seed(name: &str) -> &str {
    match name.rsplit_once("_seed") {
        Some((name, seed)) if !seed.is_empty() && seed.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::title;

    #[test]
    fn a_title_is_the_prompts_first_phrase() {
        for (text, expected) in [
            (Some("a Red Boat on the sea, digital art, trending"), "A red boat on the sea"),
            (Some("a_red_boat"), "A red boat"),
            (Some("https://cdn.pika.art/0b9d2c0e-8f0a/A_Red_Boat%2C_digital_art_seed123456.mp4"), "A red boat"),
            (Some("https://cdn.pika.art/0b9d2c0e/a_boat_seedling.mp4"), "A boat seedling"),
            (Some("über den Wolken"), "Über den wolken"),
            (Some(" , nothing before"), "Generated Video"),
            (Some("https://cdn.pika.art/0b9d2c0e/.mp4"), "Generated Video"),
            (Some(""), "Generated Video"),
            (None, "Generated Video"),
        ] {
            assert_eq!(title(text), expected, "{text:?}");
        }
    }
}
