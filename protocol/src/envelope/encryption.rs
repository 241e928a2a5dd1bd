//! Whether there is enough of an encryption to begin with.

use sequoia_openpgp as openpgp;

use openpgp::packet::{Packet, SEIP};
use openpgp::parse::PacketParser;
use openpgp::parse::buffered_reader::BufferedReader as _;

/// A block and its last two bytes once more, and the packet with the digest at the end.
const SHORTEST: usize = 16 + 2 + 22;

/// The library tries a session key on the first bytes and then panics, if no more than a digest follows them. Anyone can cut
/// an encryption short. In memory all there is of it is at hand; of one that comes in parts, the first part, which has
/// 512 bytes at least.
pub(super) fn is_long_enough(parser: &PacketParser<'_>) -> bool {
    !matches!(parser.packet, Packet::SEIP(SEIP::V1(_))) || parser.buffer().len() >= SHORTEST
}
