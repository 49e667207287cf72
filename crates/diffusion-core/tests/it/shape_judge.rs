//! Judges an image of a shape by simple rules, which scripts/train/README.md describes under "The plain judge": the colours of the figure
//! and of the background, and which of the four shapes matches the figure best. No learned weights.

use std::f64::consts::{FRAC_PI_4, PI};

use image::RgbImage;

/// The colours of the prompt grammar with the centre of each in sRGB.
const PALETTE: [(&str, [f64; 3]); 8] = [
    ("red", [215.0, 35.0, 35.0]),
    ("green", [40.0, 160.0, 60.0]),
    ("blue", [35.0, 75.0, 210.0]),
    ("yellow", [248.0, 218.0, 45.0]),
    ("purple", [135.0, 45.0, 170.0]),
    ("orange", [248.0, 135.0, 25.0]),
    ("white", [244.0, 244.0, 242.0]),
    ("black", [22.0, 22.0, 24.0]),
];

/// Shape, number of corners, their alternating distances, the rotation of the first, and the area of the outline of radius 1.
const SHAPES: [(&str, usize, [f64; 2], f64, f64); 4] = [
    ("circle", 48, [1.0, 1.0], 0.0, 3.13),
    ("square", 4, [1.22, 1.22], FRAC_PI_4, 2.98),
    ("triangle", 3, [1.25, 1.25], 0.0, 2.03),
    ("star", 10, [1.2, 0.52], 0.0, 1.83),
];

/// Half the side of the central square, and the width of the border ring, in pixels of a 128-pixel image.
const CENTRE: u32 = 6;

/// The judgement of an image.
#[derive(Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) figure: &'static str,
    pub(crate) ground: &'static str,
    pub(crate) shape: &'static str,
}

/// Judges an image of 128 x 128 pixels.
pub(crate) fn look(image: &RgbImage) -> Seen {
    let (width, height) = image.dimensions();
    let mean = |belongs: &dyn Fn(u32, u32) -> bool| {
        let (mut sum, mut count) = ([0.0; 3], 0.0);
        for (_, _, pixel) in image.enumerate_pixels().filter(|(x, y, _)| belongs(*x, *y)) {
            sum.iter_mut().zip(pixel.0).for_each(|(sum, value)| *sum += f64::from(value));
            count += 1.0;
        }
        sum.map(|sum| sum / count)
    };
    let near = |at: u32, extent: u32| (extent / 2 - CENTRE..extent / 2 + CENTRE).contains(&at);
    let centre = mean(&|x, y| near(x, width) && near(y, height));
    let inside = |at: u32, extent: u32| (CENTRE..extent - CENTRE).contains(&at);
    let ring = mean(&|x, y| !(inside(x, width) && inside(y, height)));
    let (centre_lab, ring_lab) = (lab(centre), lab(ring));
    let mask = image.pixels().map(|pixel| {
        let pixel = lab(pixel.0.map(f64::from));
        distance(pixel, centre_lab) < distance(pixel, ring_lab)
    });
    Seen { figure: nearest(centre_lab), ground: nearest(ring_lab), shape: shape_of(&mask.collect::<Vec<bool>>(), width) }
}

/// Mean relative luminance of the bytes, 0..255.
pub(crate) fn brightness(image: &RgbImage) -> f64 {
    let sum = image.pixels().map(|pixel| {
        let [r, g, b] = pixel.0.map(f64::from);
        0.2126 * r + 0.7152 * g + 0.0722 * b
    });
    sum.sum::<f64>() / f64::from(image.width() * image.height())
}

fn nearest(lab_colour: [f64; 3]) -> &'static str {
    let by_distance = |rgb: [f64; 3]| distance(lab(rgb), lab_colour);
    PALETTE.iter().min_by(|a, b| by_distance(a.1).total_cmp(&by_distance(b.1))).unwrap().0
}

fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

/// Converts sRGB bytes to CIELAB under D65.
fn lab(rgb: [f64; 3]) -> [f64; 3] {
    let [r, g, b] = rgb.map(|value| value / 255.0).map(|c| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) });
    let x = (0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047;
    let y = 0.2126729 * r + 0.7151522 * g + 0.0721750 * b;
    let z = (0.0193339 * r + 0.1191920 * g + 0.9503041 * b) / 1.08883;
    let delta = 6.0 / 29.0;
    let [x, y, z] = [x, y, z].map(|t: f64| if t > f64::powi(delta, 3) { t.cbrt() } else { t / (3.0 * delta * delta) + 4.0 / 29.0 });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// The shape whose outline, at the mask's centre and area, matches the mask best.
fn shape_of(mask: &[bool], width: u32) -> &'static str {
    let place = |index: usize| ((index as u32 % width) as f64 + 0.5, (index as u32 / width) as f64 + 0.5);
    let set = mask.iter().enumerate().filter(|(_, set)| **set).map(|(index, _)| place(index)).collect::<Vec<(f64, f64)>>();
    let area = set.len() as f64;
    if area < 100.0 {
        return "none";
    }
    let (x, y) = set.iter().fold((0.0, 0.0), |(x, y), at| (x + at.0 / area, y + at.1 / area));
    let mut best = ("none", 0.0);
    for (shape, corners, distances, first_turn, unit_area) in SHAPES {
        let radius = (area / unit_area).sqrt();
        for turn in [-0.16, -0.08, 0.0, 0.08, 0.16] {
            let outline = (0..corners)
                .map(|corner| {
                    let angle = first_turn + turn + 2.0 * PI * corner as f64 / corners as f64;
                    let distance = radius * distances[corner % 2];
                    (x + distance * angle.sin(), y - distance * angle.cos())
                })
                .collect::<Vec<(f64, f64)>>();
            let (mut both, mut either) = (0.0, 0.0);
            for (index, set) in mask.iter().enumerate() {
                let covered = within(&outline, place(index));
                both += f64::from(u8::from(*set && covered));
                either += f64::from(u8::from(*set || covered));
            }
            if both / either > best.1 {
                best = (shape, both / either);
            }
        }
    }
    best.0
}

/// Whether a point lies inside an outline: a ray from it crosses an odd number of edges.
fn within(outline: &[(f64, f64)], (x, y): (f64, f64)) -> bool {
    let edges = outline.iter().zip(outline.iter().cycle().skip(1));
    let crossed = edges.filter(|((x1, y1), (x2, y2))| (*y1 > y) != (*y2 > y) && x < (x2 - x1) * (y - y1) / (y2 - y1) + x1);
    crossed.count() % 2 == 1
}

#[test]
fn the_judge_recognises_drawn_shapes() {
    for (shape, corners, distances, first_turn, _) in SHAPES {
        let outline = (0..corners)
            .map(|corner| {
                let angle = first_turn + 0.1 + 2.0 * PI * corner as f64 / corners as f64;
                (66.0 + 36.0 * distances[corner % 2] * angle.sin(), 61.0 - 36.0 * distances[corner % 2] * angle.cos())
            })
            .collect::<Vec<(f64, f64)>>();
        let image = RgbImage::from_fn(128, 128, |x, y| {
            let inside = within(&outline, (f64::from(x) + 0.5, f64::from(y) + 0.5));
            image::Rgb(if inside { [200, 50, 40] } else { [50, 80, 200] })
        });
        assert_eq!(look(&image), Seen { figure: "red", ground: "blue", shape });
    }
}
