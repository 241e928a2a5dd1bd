use std::io::{Seek as _, SeekFrom, Write as _};
use std::num::NonZeroUsize;
use std::os::fd::AsFd as _;

use countersign_protocol::ipc::{read_frame, write_frame};
use nix::sys::mman::{MapFlags, ProtFlags, mmap};

use super::*;
use crate::body::tests::received;

/// The memory, and what its borrower gets of it.
fn borrowed(length: usize) -> (Lent, File) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let lent = Lent::to(&ours, length).unwrap();
    let (frame, file) = received(&theirs);
    assert_eq!(frame, [&[1, 3, 0, 0, 0, 8], announced(length).as_slice()].concat());
    (lent, file)
}

fn answer(kind: FrameKind, body: &[u8]) -> Frame {
    let mut bytes = Vec::new();
    write_frame(&mut bytes, kind, body).unwrap();
    read_frame(&mut bytes.as_slice()).unwrap()
}

fn filled(length: usize) -> Frame {
    answer(FrameKind::Body, &announced(length))
}

#[test]
fn what_its_borrower_writes_into_it_is_read() {
    for length in [0, 1, limits::IPC_BODY] {
        let (lent, mut file) = borrowed(length);
        file.write_all(&vec![b'x'; length]).unwrap();
        assert!(lent.take_back(&filled(length)).unwrap() == vec![b'x'; length]);
    }
}

#[test]
fn its_size_is_never_another() {
    let (lent, mut file) = borrowed(4);
    assert!(file.set_len(3).is_err() && file.set_len(1 << 40).is_err());
    file.seek(SeekFrom::End(0)).unwrap();
    assert!(file.write_all(b"more").is_err());
    assert_eq!(lent.take_back(&filled(4)).unwrap(), [0; 4]);
}

#[test]
fn nothing_is_written_into_it_once_it_is_taken_back() {
    let (lent, mut file) = borrowed(4);
    file.write_all(b"json").unwrap();
    assert_eq!(lent.take_back(&filled(4)).unwrap(), b"json");
    file.rewind().unwrap();
    assert!(file.write_all(b"evil").is_err());
}

#[test]
#[expect(unsafe_code, reason = "mmap(2), as a borrower may")]
fn a_borrower_who_could_go_on_writing_unseen_is_refused() {
    let (lent, file) = borrowed(4);
    let length = NonZeroUsize::new(4).unwrap();
    // SAFETY: a new mapping at a place of the kernel's choice, which nothing refers to.
    let mapped = unsafe {
        mmap(
            None,
            length,
            ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
            MapFlags::MAP_SHARED,
            file.as_fd(),
            0,
        )
    };
    mapped.unwrap();
    let refused = lent.take_back(&filled(4)).unwrap_err().to_string();
    assert!(refused.contains("mapped to be written to"), "{refused}");
}

#[test]
fn an_answer_that_is_not_about_this_body_is_refused() {
    for wrong in [filled(3), filled(usize::MAX), answer(FrameKind::Secret, &announced(4)), {
        answer(FrameKind::Json, br#"{"answer":"cancel"}"#)
    }] {
        let (lent, _file) = borrowed(4);
        assert!(matches!(lent.take_back(&wrong), Err(FrameError::Malformed(_))));
    }
}

#[test]
fn more_than_the_limit_is_not_lent() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let refused = Lent::to(&ours, limits::IPC_BODY + 1);
    assert!(matches!(refused, Err(FrameError::Oversize(length)) if length == limits::IPC_BODY + 1));
}
