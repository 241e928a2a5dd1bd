use std::io::{IoSlice, Write as _};
use std::os::fd::AsRawFd as _;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

use super::*;

fn memory(content: &[u8], seals: SealFlag) -> File {
    let mut file = File::from(memfd_create(c"body", MFdFlags::MFD_ALLOW_SEALING).unwrap());
    file.write_all(content).unwrap();
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals)).unwrap();
    file
}

fn sealed(content: &[u8]) -> File {
    memory(content, SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW)
}

fn frame(kind: u8, announced: u64) -> Vec<u8> {
    let mut frame = vec![1, kind, 0, 0, 0, 8];
    frame.extend_from_slice(&announced.to_be_bytes());
    frame
}

fn received(frame: &[u8], files: &[&File]) -> Result<Vec<u8>, BodyError> {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let numbers: Vec<i32> = files.iter().map(|file| file.as_raw_fd()).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let control: &[_] = if files.is_empty() { &[] } else { &rights };
    sendmsg::<()>(theirs.as_raw_fd(), &[IoSlice::new(frame)], control, MsgFlags::empty(), None).unwrap();
    drop(theirs);
    try_receive(&ours).map(|body| body.to_vec())
}

#[test]
fn a_sealed_body_of_the_announced_size_arrives() {
    assert_eq!(received(&frame(3, 4), &[&sealed(b"json")]).unwrap(), b"json");
}

#[test]
fn memory_that_could_still_change_is_refused() {
    let open = memory(b"json", SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW);
    assert!(matches!(received(&frame(3, 4), &[&open]), Err(BodyError::Unsealed)));
}

#[test]
fn a_body_of_another_size_than_announced_is_refused() {
    assert!(matches!(
        received(&frame(3, 5), &[&sealed(b"json")]),
        Err(BodyError::Size { announced: 5, got: 4 })
    ));
}

#[test]
fn an_oversize_body_is_refused_before_it_is_read() {
    let length = limits::IPC_BODY + 1;
    let big = sealed(&vec![0; length]);
    assert!(matches!(received(&frame(3, length as u64), &[&big]), Err(BodyError::Size { .. })));
}

#[test]
fn no_file_two_files_and_another_frame_are_refused() {
    let body = sealed(b"json");
    assert!(matches!(received(&frame(3, 4), &[]), Err(BodyError::Files(0))));
    assert!(matches!(received(&frame(3, 4), &[&body, &body]), Err(BodyError::Files(2))));
    assert!(matches!(received(&frame(1, 4), &[&body]), Err(BodyError::NotABody)));
}

#[test]
fn a_frame_cut_short_is_refused() {
    let cut = frame(3, 4);
    assert!(matches!(received(&cut[..9], &[&sealed(b"json")]), Err(BodyError::Frame(FrameError::Truncated))));
}
