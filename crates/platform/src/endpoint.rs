//! What endpoints are like on both systems.

/// How many launches share an agent endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointPer {
    /// One for all agents of a session: it belongs to the session's user.
    Session,
    /// One for each launch.
    Launch,
}
