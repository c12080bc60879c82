//! A frame of our own stream, taken apart so that it can be put together otherwise.

use bytes::Bytes;

/// What padding is made of; sent again and again, so that no line costs memory.
static FILLER: [u8; 64 * 1024] = [b'x'; 64 * 1024];

/// A part of what is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Bytes(Bytes),
    /// So many bytes of padding.
    Padding(usize),
}

impl Part {
    /// The next chunk of it, and what is left after that.
    pub fn split(self) -> (Bytes, Option<Self>) {
        match self {
            Self::Bytes(bytes) => (bytes, None),
            Self::Padding(length) => {
                let chunk = FILLER.get(..length).unwrap_or(&FILLER);
                let left = length - chunk.len();
                let rest = (left > 0).then_some(Self::Padding(left));
                (Bytes::from_static(chunk), rest)
            }
        }
    }
}

/// A frame: an event, or comments and settings that are none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    pub id: Option<String>,
    pub event: Option<String>,
    /// Nothing where the frame is no event.
    pub data: Option<Vec<u8>>,
    /// Comments and other fields, line by line.
    pub others: Vec<String>,
    /// Bytes of padding inside the data, which must be a JSON object then.
    pub padding: usize,
}

impl Frame {
    /// Takes apart what the hub encoded: lines that end in LF.
    pub fn of(bytes: &[u8]) -> Self {
        let mut frame = Self::default();
        for line in bytes.split(|byte| *byte == b'\n') {
            if let Some(data) = line.strip_prefix(b"data: ") {
                let held = frame.data.get_or_insert_default();
                if !held.is_empty() {
                    held.push(b'\n');
                }
                held.extend_from_slice(data);
            } else if let Some(id) = line.strip_prefix(b"id: ") {
                frame.id = Some(String::from_utf8_lossy(id).into_owned());
            } else if let Some(event) = line.strip_prefix(b"event: ") {
                frame.event = Some(String::from_utf8_lossy(event).into_owned());
            } else if !line.is_empty() {
                frame
                    .others
                    .push(String::from_utf8_lossy(line).into_owned());
            }
        }
        frame
    }

    /// The frame as it goes out, with these line ends.
    pub fn parts(&self, end: &str) -> Vec<Part> {
        let mut bytes = Vec::new();
        let mut line = |name: &str, value: &str| {
            for part in [name, value, end] {
                bytes.extend_from_slice(part.as_bytes());
            }
        };
        for other in &self.others {
            line("", other);
        }
        if let Some(id) = &self.id {
            line("id: ", id);
        }
        if let Some(event) = &self.event {
            line("event: ", event);
        }
        let mut parts = Vec::new();
        for (at, data) in self.data_lines().enumerate() {
            bytes.extend_from_slice(b"data: ");
            let brace = data.iter().position(|byte| *byte == b'{');
            match brace {
                Some(brace) if self.padding > 0 && at == 0 => {
                    let (before, after) = data.split_at(brace + 1);
                    bytes.extend_from_slice(before);
                    bytes.extend_from_slice(b"\"padding\":\"");
                    parts.push(Part::Bytes(std::mem::take(&mut bytes).into()));
                    parts.push(Part::Padding(self.padding));
                    bytes.extend_from_slice(if after.starts_with(b"}") {
                        b"\""
                    } else {
                        b"\","
                    });
                    bytes.extend_from_slice(after);
                }
                _ => bytes.extend_from_slice(data),
            }
            bytes.extend_from_slice(end.as_bytes());
        }
        bytes.extend_from_slice(end.as_bytes());
        parts.push(Part::Bytes(bytes.into()));
        parts
    }

    fn data_lines(&self) -> impl Iterator<Item = &[u8]> {
        self.data
            .iter()
            .flat_map(|data| data.split(|byte| *byte == b'\n'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(frame: &Frame, end: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for mut part in frame.parts(end) {
            loop {
                let (chunk, rest) = part.split();
                bytes.extend_from_slice(&chunk);
                match rest {
                    Some(rest) => part = rest,
                    None => break,
                }
            }
        }
        bytes
    }

    #[test]
    fn what_is_taken_apart_goes_together_again() {
        for text in [
            "id: 1\nevent: task.failed\ndata: {\"a\":1}\n\n",
            ": ping\n\n",
            "retry: 3000\n\n",
            "data: a\ndata: b\n\n",
        ] {
            let frame = Frame::of(text.as_bytes());
            assert_eq!(whole(&frame, "\n"), text.as_bytes(), "{text:?}");
            assert_eq!(
                whole(&frame, "\r\n"),
                text.replace('\n', "\r\n").as_bytes(),
                "{text:?}"
            );
        }
    }

    #[test]
    fn padding_is_one_line_of_sound_json() {
        let mut frame = Frame::of(b"id: 1\ndata: {\"a\":1}\n\n");
        frame.padding = 200_000;
        let text = String::from_utf8(whole(&frame, "\n")).unwrap_or_default();
        let data = text
            .lines()
            .nth(1)
            .and_then(|line| line.strip_prefix("data: "));
        let value: Option<serde_json::Value> =
            data.and_then(|data| serde_json::from_str(data).ok());
        assert!(value.is_some_and(|value| {
            value["a"] == 1 && value["padding"].as_str().map(str::len) == Some(200_000)
        }));
    }
}
