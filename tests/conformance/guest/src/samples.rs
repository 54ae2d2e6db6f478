//! A picture and a sound, as small as they can be, in base64.

/// One red pixel.
pub(crate) const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC";
/// Its media type.
pub(crate) const PNG_TYPE: &str = "image/png";
/// One sample of silence: PCM, mono, 8 bits, 8000 of them a second.
pub(crate) const WAV: &str = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQEAAACAAA==";
/// Its media type.
pub(crate) const WAV_TYPE: &str = "audio/wav";
