//! An incremental parser for server-sent events: the WHATWG's `text/event-stream`.
//!
//! It must not know what events mean. The invariant: an event is handed out only when it is complete, so that the client requests one again
//! that a lost connection cut off.

use std::time::Duration;

/// The longest line, in bytes: previews contain whole images.
const MAX_LINE: usize = 16 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    /// Its `id` field; empty if it has none.
    pub(super) id: String,
    /// Its `event` field; empty if it has none.
    pub(super) kind: String,
    /// Its `data` lines, joined by line breaks.
    pub(super) data: String,
}

/// The events of one connection.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// The bytes of an incomplete line.
    rest: Vec<u8>,
    /// The fields of an incomplete event.
    event: Event,
    has_data: bool,
    /// How long the server asks clients to wait before they reconnect.
    pub(super) retry: Option<Duration>,
}

/// The server sent a line that exceeds the limit.
#[derive(Debug, thiserror::Error)]
#[error("the server sends a line of more than {MAX_LINE} bytes")]
pub(super) struct Endless;

impl Events {
    /// Adds bytes, and returns the events that are complete now.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Event>, Endless> {
        self.rest.extend_from_slice(bytes);
        let mut events = Vec::new();
        let mut start = 0;
        while let Some(length) = self.rest.iter().skip(start).position(|byte| matches!(byte, b'\n' | b'\r')) {
            let end = start + length;
            let next = match (self.rest.get(end), self.rest.get(end + 1)) {
                (Some(b'\r'), Some(b'\n')) => end + 2,
                // Only the next byte shows whether a line feed belongs to it.
                (Some(b'\r'), None) => break,
                _ => end + 1,
            };
            let line = String::from_utf8_lossy(self.rest.get(start..end).unwrap_or_default()).into_owned();
            events.extend(self.line(&line));
            start = next;
        }
        self.rest.drain(..start);
        if self.rest.len() > MAX_LINE { Err(Endless) } else { Ok(events) }
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return std::mem::take(&mut self.has_data).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" if !value.contains('\0') => value.clone_into(&mut self.event.id),
            "event" => value.clone_into(&mut self.event.kind),
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
                self.has_data = true;
            }
            "retry" => self.retry = value.parse().ok().map(Duration::from_millis).or(self.retry),
            // A comment, which the server sends as a keep-alive; or an unknown field.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn event(id: &str, kind: &str, data: &str) -> Event {
        Event { id: id.into(), kind: kind.into(), data: data.into() }
    }

    const STREAM: &str = ": hello\r\nretry: 1500\n\nid: 7\nevent: progress\ndata: {\"progress\": 5}\n\n\
                          id:8\rdata: a\rdata:  b\r\revent: nothing\n\ndata\n\ndata: cut off";

    #[test]
    fn events_are_whole_however_the_bytes_come() {
        let expected = [event("7", "progress", "{\"progress\": 5}"), event("8", "", "a\n b"), event("", "", "")];
        for size in [1, 2, 3, 7, 1000] {
            let mut events = Events::default();
            let found: Vec<_> = STREAM.as_bytes().chunks(size).flat_map(|chunk| events.take(chunk).unwrap()).collect();
            assert_eq!(found, expected, "in pieces of {size}");
            assert_eq!(events.retry, Some(Duration::from_millis(1500)));
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut events = Events::default();
        let piece = vec![b'x'; 1 << 20];
        assert!((0..17).any(|_| events.take(&piece).is_err()));
    }
}
