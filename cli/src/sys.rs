//! The one system interface that hands out raw descriptors: a body as a sealed memfd beside its frame.
#![expect(
    unsafe_code,
    reason = "SCM_RIGHTS yields descriptor numbers; owning one is a claim the compiler cannot check"
)]

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

/// Reads bytes of the stream into `buffer` together with the descriptors that came beside them, which are
/// closed on exec. 0 bytes: the other side closed.
pub(crate) fn receive_with_files(stream: &UnixStream, buffer: &mut [u8]) -> io::Result<(usize, Vec<File>)> {
    // Room for two, so that a second one is seen and refused rather than silently dropped.
    let mut space = cmsg_space!([i32; 2]);
    let mut parts = [IoSliceMut::new(buffer)];
    loop {
        let message =
            match recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)
            {
                Err(Errno::EINTR) => continue,
                other => other?,
            };
        let mut files = Vec::new();
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(numbers) = control {
                for number in numbers {
                    // SAFETY: `recvmsg(2)` just installed this descriptor for us; nobody else knows its number.
                    let owned = unsafe { OwnedFd::from_raw_fd(number) };
                    files.push(File::from(owned));
                }
            }
        }
        return Ok((message.bytes, files));
    }
}
