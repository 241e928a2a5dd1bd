//! BER-TLV, as far as OpenPGP cards speak it: tags of one or two bytes, definite lengths.

/// The value of the first `tag` in `data`, looked for in constructed objects too.
pub(super) fn find(data: &[u8], tag: u16) -> Option<&[u8]> {
    objects(data).find_map(|object| {
        if object.tag == tag {
            Some(object.value)
        } else if object.constructed {
            find(object.value, tag)
        } else {
            None
        }
    })
}

/// Writes an object. None if no length that cards speak says how long it is.
pub(super) fn write(tag: u16, value: &[u8]) -> Option<Vec<u8>> {
    let [high, low] = tag.to_be_bytes();
    let length = u16::try_from(value.len()).ok()?.to_be_bytes();
    let length = match length {
        [0, short @ 0..=0x7F] => vec![short],
        [0, short] => vec![0x81, short],
        [long, short] => vec![0x82, long, short],
    };
    let tag = if high == 0 { vec![low] } else { vec![high, low] };
    Some([&tag, &length, value].concat())
}

struct Object<'a> {
    tag: u16,
    constructed: bool,
    value: &'a [u8],
}

/// The objects in a row. It ends where they do, or where the bytes stop making sense.
fn objects(mut rest: &[u8]) -> impl Iterator<Item = Object<'_>> {
    std::iter::from_fn(move || {
        let (object, after) = object(rest)?;
        rest = after;
        Some(object)
    })
}

fn object(data: &[u8]) -> Option<(Object<'_>, &[u8])> {
    let (first, rest) = data.split_first()?;
    let constructed = first & 0x20 != 0;
    let (tag, rest) = if first & 0x1F == 0x1F {
        let (second, rest) = rest.split_first()?;
        (u16::from_be_bytes([*first, *second]), rest)
    } else {
        (u16::from(*first), rest)
    };
    let (length, rest) = length(rest)?;
    let (value, rest) = rest.split_at_checked(length)?;
    Some((Object { tag, constructed, value }, rest))
}

fn length(data: &[u8]) -> Option<(usize, &[u8])> {
    match data {
        [length @ 0..=0x7F, rest @ ..] => Some((usize::from(*length), rest)),
        [0x81, length, rest @ ..] => Some((usize::from(*length), rest)),
        [0x82, high, low, rest @ ..] => Some((usize::from(u16::from_be_bytes([*high, *low])), rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_objects_and_long_lengths_are_found() {
        let mut data = vec![0x6E, 0x82, 0x00, 0x8A, 0x4F, 0x02, 1, 2, 0x73, 0x81, 0x83, 0xC4, 0x81, 0x80];
        data.extend([7; 128]);
        assert_eq!(find(&data, 0x4F), Some([1, 2].as_slice()));
        assert_eq!(find(&data, 0xC4), Some([7; 128].as_slice()));
        assert_eq!(find(&data, 0xC5), None);
        assert_eq!(find(&[0x7F, 0x49, 0x03, 0x86, 0x01, 9], 0x86), Some([9].as_slice()));
    }

    #[test]
    fn a_length_that_lies_ends_the_reading() {
        for data in [&[0x6E][..], &[0x6E, 5, 1], &[0x6E, 0x82, 1], &[0x6E, 0x84, 0, 0, 0, 0], &[0x5F]] {
            assert_eq!(find(data, 0x6E), None, "{data:02X?}");
        }
    }

    #[test]
    fn what_is_written_is_found_again() {
        for length in [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF] {
            let value = vec![7; length];
            let inside = write(0x86, &value).unwrap();
            assert_eq!(find(&inside, 0x86), Some(value.as_slice()));
            if let Some(outside) = write(0x7F49, &inside) {
                assert_eq!(find(&outside, 0x86), Some(value.as_slice()));
            }
        }
        assert_eq!(write(0x86, &[0; 0x1_0000]), None);
    }
}
