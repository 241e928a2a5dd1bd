//! The one answer to everything that is not answered.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{CorrelationId, Digest};

/// "No", and nothing more (W20): the reason is in the server's ledger under the correlation id.
///
/// Signed by the server and not encrypted, because the server may not know whom it answers. It carries the
/// server's time (W14), so that an honest client with a wrong clock finds its offset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// To be quoted to an administrator.
    pub correlation: CorrelationId,
    /// The server's time.
    pub server_time: Timestamp,
    /// SHA-256 of the bytes that were refused: a refusal of one message is not a refusal of another.
    pub refused: Digest,
}
