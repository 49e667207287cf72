//! Pictures: between tensors and `RgbImage`, and how a given picture is resized and normalised for a model.
