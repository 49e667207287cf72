//! Classifier-free guidance.
