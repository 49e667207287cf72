//! An image's edges against OpenCV's (tests/golden/canny, scripts/golden/canny.py): the same bytes.

use diffusion_core::imaging::canny;

use crate::{golden, pipelines::image_of};

#[test]
fn edges_are_those_of_opencv() {
    let tensors = golden("canny", "edges");
    let mut found = 0;
    for name in ["shapes", "noise", "smooth"] {
        let image = image_of(&tensors[name]);
        for (low, high) in [("100", "200"), ("40", "90"), ("250.5", "120"), ("0", "0")] {
            let edges = canny(&image, low.parse().unwrap(), high.parse().unwrap());
            let expected = tensors[&format!("{name}.{low}.{high}")].flatten_all().unwrap().to_vec1::<u8>().unwrap();
            let bytes: Vec<u8> = edges.pixels().map(|pixel| pixel.0[0]).collect();
            assert!(bytes == expected, "{name} {low} {high}");
            assert!(edges.pixels().all(|pixel| pixel.0[1..] == [pixel.0[0]; 2]));
            found += expected.iter().filter(|byte| **byte == 255).count();
        }
    }
    assert!(found > 5000, "{found}");
}
