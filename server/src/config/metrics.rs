//! `[metrics]`: figures for Prometheus.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Figures for Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Address and port of their own, for whoever watches over the server. None: there are none.
    pub listen: Option<SocketAddr>,
}
