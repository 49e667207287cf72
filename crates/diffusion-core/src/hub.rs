//! Fetching a model folder from a hub.
