//! Messages to people: through an agent that shows them, else through the session's own notifications.

use std::time::Duration;

use bilayer_ipc::agent::ShowMessage;
use bilayer_ipc::control::{DeliveredBy, Delivery, Send};
use bilayer_ipc::method;
use bilayer_ipc::peer::Peer as WirePeer;
use bilayer_ipc::rpc::Params;
use bilayer_platform::{SessionInfo, notify_user};

use super::control::Answer;
use super::{Driver, translate};

/// How long an agent may take to put a message on the screen before the next way is tried.
const SHOWN_WITHIN: Duration = Duration::from_secs(5);

impl Driver {
    pub(super) fn send_message(&self, params: &Params, answer: Answer) {
        let recipients = params.parse::<Send>().and_then(|send| Ok((self.recipients(&send.to)?, send)));
        let (logons, send) = match recipients {
            Ok(found) => found,
            Err(error) => return answer.send(Err::<(), _>(error)),
        };
        let targets: Vec<(SessionInfo, Vec<WirePeer>)> = logons
            .into_iter()
            .filter_map(|logon| {
                let info = self.seats.get(&logon)?.info.clone();
                let agents = self.runs.iter().filter(|(key, _)| key.logon == logon);
                let wires = agents.filter_map(|(_, run)| Some(run.wire.as_ref()?.peer.clone())).collect();
                Some((info, wires))
            })
            .collect();
        let message = ShowMessage { id: None, title: send.title, text: send.text, level: send.level };
        tokio::spawn(async move {
            let mut deliveries = Vec::with_capacity(targets.len());
            for (info, wires) in targets {
                deliveries.push(deliver(&info, &wires, &message).await);
            }
            answer.send(Ok(deliveries));
        });
    }
}

async fn deliver(info: &SessionInfo, agents: &[WirePeer], message: &ShowMessage) -> Delivery {
    let (session, user) = (info.id.clone(), translate::wire_user(info));
    for wire in agents {
        let shown = tokio::time::timeout(SHOWN_WITHIN, wire.request(method::MESSAGE_SHOW, message)).await;
        if matches!(shown, Ok(Ok(_))) {
            return Delivery { session, user, delivered: Some(DeliveredBy::Agent), error: None };
        }
    }
    match notify_user(&info.station, &message.title, &message.text).await {
        Ok(()) => Delivery { session, user, delivered: Some(DeliveredBy::Desktop), error: None },
        Err(error) => {
            let error = format!("no agent in this session shows messages, and {}", crate::chain(&error));
            Delivery { session, user, delivered: None, error: Some(error) }
        }
    }
}
