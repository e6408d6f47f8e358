//! The answer to a client that asks for a WebSocket (RFC 6455, 4.2).

use hyper::header::{HeaderMap, HeaderValue, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION};
use hyper::{Method, Request, StatusCode};

/// The version of the protocol that is spoken.
pub(super) const VERSION: &str = "13";

/// Whether this is the protocol.
pub(super) fn is(protocol: &HeaderValue) -> bool {
    protocol.as_bytes().eq_ignore_ascii_case(b"websocket")
}

/// The `Sec-WebSocket-Accept` that shows the client that it was understood, or the status if its
/// request is not what the protocol says.
pub(super) fn accept<B>(request: &Request<B>) -> Result<HeaderValue, StatusCode> {
    let headers = request.headers();
    if headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version != VERSION) {
        return Err(StatusCode::UPGRADE_REQUIRED);
    }
    let is_complete =
        request.method() == Method::GET && headers.contains_key(SEC_WEBSOCKET_VERSION);
    match key(headers) {
        Some(key) if is_complete => Ok(answer_to(key)),
        _ => Err(StatusCode::BAD_REQUEST),
    }
}

/// The client's key: 16 bytes in base64, once.
fn key(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    let key = keys.next()?;
    let letters = key.as_bytes().strip_suffix(b"==")?;
    let is_base64 = |letter: &u8| letter.is_ascii_alphanumeric() || b"+/".contains(letter);
    (letters.len() == 22 && letters.iter().all(is_base64) && keys.next().is_none()).then_some(key)
}

fn answer_to(key: &HeaderValue) -> HeaderValue {
    let text = [key.as_bytes(), b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"].concat();
    HeaderValue::try_from(base64(&sha1(&text))).expect("it is made of letters")
}

/// SHA-1 (FIPS 180-4), which is good enough because nothing is secret here.
fn sha1(text: &[u8]) -> [u8; 20] {
    let mut padded = text.to_vec();
    padded.push(0x80);
    padded.resize((padded.len() + 8).next_multiple_of(64) - 8, 0);
    padded.extend_from_slice(&(text.len() as u64 * 8).to_be_bytes());

    let mut state = [0x6745_2301_u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    for block in padded.chunks_exact(64) {
        let mut words = [0; 80];
        for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
            *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        for i in 16..80 {
            words[i] = (words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16]).rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (i, word) in words.into_iter().enumerate() {
            let (mixed, constant) = match i / 20 {
                0 => (b & c | !b & d, 0x5a82_7999),
                1 => (b ^ c ^ d, 0x6ed9_eba1),
                2 => (b & c | b & d | c & d, 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6),
            };
            let next = [a.rotate_left(5), mixed, e, constant, word];
            let next = next.into_iter().fold(0, u32::wrapping_add);
            (a, b, c, d, e) = (next, a, b.rotate_left(30), c, d);
        }
        for (sum, new) in state.iter_mut().zip([a, b, c, d, e]) {
            *sum = sum.wrapping_add(new);
        }
    }
    let mut digest = [0; 20];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let group = three.iter().fold(0, |group, byte| group << 8 | usize::from(*byte));
        let group = group << (8 * (3 - three.len()));
        for i in 0..4 {
            let letter = LETTERS[group >> (18 - 6 * i) & 63];
            text.push(if i <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}
