//! Every method name of the wire, in one place.

/// First request of every connection, client to service: [`Initialize`](crate::agent::Initialize).
pub const INITIALIZE: &str = "initialize";
/// Notification, both ways: [`Cancel`](crate::rpc::Cancel) one's own request.
pub const CANCEL_REQUEST: &str = "$/cancelRequest";

/// Notification, agent to service: the agent does its work now. No parameters.
pub const AGENT_READY: &str = "agent/ready";
/// Notification, agent to service: [`Status`](crate::agent::Status).
pub const AGENT_STATUS: &str = "agent/status";
/// Notification, agent to service: the agent is alive. No parameters.
pub const AGENT_HEARTBEAT: &str = "agent/heartbeat";
/// Notification or request, agent to service: [`Goodbye`](crate::agent::Goodbye). As a request it is answered with null
/// once the service has taken note, so that an agent that exits right after it knows that it was heard.
pub const AGENT_GOODBYE: &str = "agent/goodbye";
/// Notification, agent to service: [`Log`](crate::agent::Log).
pub const LOG_WRITE: &str = "log/write";

/// Request, service to agent: [`Stop`](crate::agent::Stop), answered with null at once; the exit completes it.
pub const AGENT_STOP: &str = "agent/stop";
/// Notification, service to agent: [`SessionChanged`](crate::agent::SessionChanged).
pub const SESSION_CHANGED: &str = "session/changed";
/// Notification, service to agent: [`PowerChanged`](crate::agent::PowerChanged).
pub const POWER_CHANGED: &str = "power/changed";
/// Request, service to agent: [`ShowMessage`](crate::agent::ShowMessage), answered with null once it is on the screen.
/// An agent that shows no messages answers "method not found", and the service tries another way.
pub const MESSAGE_SHOW: &str = "message/show";

/// Request on the control endpoint: what there is, as [`StatusReport`](crate::control::StatusReport). No parameters.
pub const SERVICE_STATUS: &str = "service/status";
/// Request on the control endpoint: read the configuration again; [`Reloaded`](crate::control::Reloaded). No parameters.
pub const SERVICE_RELOAD: &str = "service/reload";
/// Request on the control endpoint: stop the service; null, and then it stops. No parameters.
pub const SERVICE_STOP: &str = "service/stop";
/// Request on the control endpoint: start the agents that a [`Selector`](crate::control::Selector) matches.
pub const AGENTS_START: &str = "agents/start";
/// Request on the control endpoint: stop and hold them.
pub const AGENTS_STOP: &str = "agents/stop";
/// Request on the control endpoint: stop and start them again.
pub const AGENTS_RESTART: &str = "agents/restart";
/// Request on the control endpoint: [`Call`](crate::control::Call) a method of one agent.
pub const AGENTS_CALL: &str = "agents/call";
/// Request on the control endpoint: [`Send`](crate::control::Send) a message to people.
pub const MESSAGE_SEND: &str = "message/send";

/// Whether a method name belongs to Bilayer or to JSON-RPC itself. A product's own methods use other names, such as
/// `acme/refresh`.
pub fn is_reserved(method: &str) -> bool {
    const PREFIXES: [&str; 10] =
        ["agent/", "agents/", "channel/", "log/", "message/", "power/", "service/", "session/", "$/", "rpc."];
    method == INITIALIZE || PREFIXES.iter().any(|prefix| method.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_methods_of_a_product_are_not_reserved() {
        assert!(
            is_reserved(AGENT_STOP)
                && is_reserved(CANCEL_REQUEST)
                && is_reserved(INITIALIZE)
                && is_reserved("rpc.discover")
        );
        assert!(!is_reserved("example/echo") && !is_reserved("initialized") && !is_reserved("agentx/go"));
    }
}
