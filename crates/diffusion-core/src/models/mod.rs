//! The models, each driven by its own config.json.
