//! Requests to addresses that strangers name, kept away from everything private.
