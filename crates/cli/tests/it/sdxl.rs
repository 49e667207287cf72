//! `framewright image` with the flags of Stable Diffusion XL.

use crate::program::framewright;

#[test]
fn fields_of_stable_diffusion_xl_are_refused_by_their_flags() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |more: &[&str]| {
        let output = framewright(folder.path(), &[&["image", "a boat", "--steps", "1", "--seed", "1", "--out", "a.png"], more].concat());
        assert_eq!(output.code, 2, "{output:?}");
        output.stderr
    };
    for flag in ["--prompt-2", "--negative-2"] {
        let message = refused(&[flag, "snow"]);
        assert!(
            message.ends_with(&format!("error: {flag}: is only for Stable Diffusion XL models, which this one is not; leave it out\n")),
            "{message}"
        );
    }
    for flag in ["--crops-coords-top-left", "--negative-crops-coords-top-left"] {
        let message = refused(&[flag, "8,16"]);
        assert!(message.contains(&format!("error: {flag}: is only for Stable Diffusion XL models")), "{message}");
    }
    let message = refused(&["--original-size", "1024"]);
    assert_eq!(message, "error: --original-size 1024: expected WIDTHxHEIGHT, such as \"1024x768\", with numbers of 1 to 8192\n");
    assert_eq!(refused(&["--aesthetic-score", "11"]), "error: --aesthetic-score 11: Input should be less than or equal to 10\n");
}
