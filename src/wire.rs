//! Pure codecs, used by the client and by the embedded server: bytes in, values out, and back.
