//! Messages to people: through an agent that shows them, else through the session's own desktop.

use std::time::Duration;

use bilayer_ipc::agent::{MessageLevel, ShowMessage};
use bilayer_ipc::control::{self, DeliveredBy, Delivery, Send};
use bilayer_ipc::method;
use bilayer_ipc::peer::Peer as WirePeer;
use bilayer_ipc::rpc::{Params, RpcError, code};
use bilayer_platform::{
    Answer as Answered, Buttons, Gravity, MESSAGES_ANSWER, Message, SessionInfo, notify_user,
};
use tokio::task::JoinSet;

use super::control::Answer;
use super::{Driver, translate};

/// How long an agent may take to put a message on the screen before the next way is tried.
const SHOWN_WITHIN: Duration = Duration::from_secs(5);

impl Driver {
    pub(super) fn send_message(&self, params: &Params, answer: Answer) {
        let service = &self.config.service.display_name;
        let parsed =
            params.parse::<Send>().and_then(|send| Ok((self.recipients(&send.to)?, message(send, service)?)));
        let (logons, message) = match parsed {
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
        tokio::spawn(async move {
            let deliveries = tokio::select! {
                deliveries = deliver_all(targets, message) => deliveries,
                // The client does not wait any more. What is on a screen stays there for its time.
                () = answer.abandoned() => return,
            };
            answer.send(Ok(deliveries));
        });
    }
}

/// What is asked for as the platform takes it, or why it cannot be had. A message without a title has the service's name.
fn message(send: Send, service: &str) -> Result<Message, RpcError> {
    let wrong = |text: String| Err(RpcError::new(code::INVALID_PARAMS, text));
    for (what, text, bytes_max) in
        [("title", &send.title, Message::TITLE_BYTES_MAX), ("text", &send.text, Message::TEXT_BYTES_MAX)]
    {
        if text.len() > bytes_max {
            return wrong(format!(
                "the {what} of a message has at most {bytes_max} bytes, and this one {}",
                text.len()
            ));
        }
    }
    let timeout = send.timeout_ms.map(|ms| Duration::from_millis(ms.into()));
    if timeout.is_some_and(|timeout| timeout.is_zero() || timeout > Message::TIMEOUT_MAX) {
        let most = Message::TIMEOUT_MAX.as_secs();
        return wrong(format!("a message stays for more than 0 s and at most {most} s"));
    }
    let message = Message {
        title: if send.title.is_empty() { service.to_owned() } else { send.title },
        text: send.text,
        gravity: gravity(send.level),
        buttons: buttons(send.buttons),
        timeout,
        wait: send.wait,
    };
    if message.is_question() && !MESSAGES_ANSWER {
        return wrong(
            "buttons, a time-out and an answer need message boxes, which Windows has; here a message can only be \
             shown, without them"
                .into(),
        );
    }
    Ok(message)
}

/// Side by side, since a person may think for a while; in the order of the sessions.
async fn deliver_all(targets: Vec<(SessionInfo, Vec<WirePeer>)>, message: Message) -> Vec<Delivery> {
    let mut tasks = JoinSet::new();
    for (place, (info, wires)) in targets.into_iter().enumerate() {
        let message = message.clone();
        tasks.spawn(async move { (place, deliver(&info, &wires, &message).await) });
    }
    let mut deliveries = tasks.join_all().await;
    deliveries.sort_by_key(|(place, _)| *place);
    deliveries.into_iter().map(|(_, delivery)| delivery).collect()
}

async fn deliver(info: &SessionInfo, agents: &[WirePeer], message: &Message) -> Delivery {
    let done = |delivered, answer, error| Delivery {
        session: info.id.clone(),
        user: translate::wire_user(info),
        delivered,
        answer,
        error,
    };
    // An agent shows what it is given; a question is the desktop's.
    let agents = if message.is_question() { &[] } else { agents };
    if shown_by_one_of(agents, message).await {
        return done(Some(DeliveredBy::Agent), None, None);
    }
    match notify_user(&info.station, message).await {
        Ok(answer) => done(Some(DeliveredBy::Desktop), answer.map(answered), None),
        Err(error) if message.is_question() => done(None, None, Some(crate::chain(&error))),
        Err(error) => {
            let error = format!("no agent in this session shows messages, and {}", crate::chain(&error));
            done(None, None, Some(error))
        }
    }
}

async fn shown_by_one_of(agents: &[WirePeer], message: &Message) -> bool {
    let (title, text) = (message.title.clone(), message.text.clone());
    let message = ShowMessage { id: None, title, text, level: level(message.gravity) };
    for wire in agents {
        let shown = tokio::time::timeout(SHOWN_WITHIN, wire.request(method::MESSAGE_SHOW, &message)).await;
        if matches!(shown, Ok(Ok(_))) {
            return true;
        }
    }
    false
}

fn gravity(level: MessageLevel) -> Gravity {
    match level {
        MessageLevel::Info => Gravity::Info,
        MessageLevel::Warning => Gravity::Warning,
        MessageLevel::Error => Gravity::Error,
    }
}

fn level(gravity: Gravity) -> MessageLevel {
    match gravity {
        Gravity::Info => MessageLevel::Info,
        Gravity::Warning => MessageLevel::Warning,
        Gravity::Error => MessageLevel::Error,
    }
}

fn buttons(buttons: control::Buttons) -> Buttons {
    match buttons {
        control::Buttons::Ok => Buttons::Ok,
        control::Buttons::OkCancel => Buttons::OkCancel,
        control::Buttons::YesNo => Buttons::YesNo,
        control::Buttons::YesNoCancel => Buttons::YesNoCancel,
        control::Buttons::RetryCancel => Buttons::RetryCancel,
        control::Buttons::AbortRetryIgnore => Buttons::AbortRetryIgnore,
    }
}

fn answered(answer: Answered) -> control::Answer {
    match answer {
        Answered::Ok => control::Answer::Ok,
        Answered::Cancel => control::Answer::Cancel,
        Answered::Yes => control::Answer::Yes,
        Answered::No => control::Answer::No,
        Answered::Retry => control::Answer::Retry,
        Answered::Abort => control::Answer::Abort,
        Answered::Ignore => control::Answer::Ignore,
        Answered::TimedOut => control::Answer::TimedOut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(change: impl FnOnce(&mut Send)) -> Result<Message, RpcError> {
        let mut send: Send = serde_json::from_str(r#"{"to":{"all":true},"title":"a","text":"b"}"#).unwrap();
        change(&mut send);
        message(send, "Acme Desk")
    }

    #[test]
    fn a_plain_message_is_no_question_and_says_whose_it_is() {
        assert!(!sent(|_| ()).unwrap().is_question());
        assert_eq!(sent(|_| ()).unwrap().title, "a");
        assert_eq!(sent(|send| send.title.clear()).unwrap().title, "Acme Desk");
    }

    #[test]
    fn a_question_is_asked_where_the_desktop_can_and_refused_elsewhere() {
        let changes: [fn(&mut Send); 3] = [
            |send| send.buttons = control::Buttons::YesNo,
            |send| send.wait = true,
            |send| send.timeout_ms = Some(1),
        ];
        for change in changes {
            match sent(change) {
                Ok(message) => assert!(MESSAGES_ANSWER && message.is_question()),
                Err(error) => assert!(!MESSAGES_ANSWER && error.code == code::INVALID_PARAMS),
            }
        }
    }

    #[test]
    fn what_would_fill_a_screen_or_stay_for_ever_is_refused() {
        let refused = |change: fn(&mut Send)| sent(change).unwrap_err().message;
        assert!(refused(|send| send.text = "x".repeat(8193)).contains("at most 8192 bytes"));
        assert!(refused(|send| send.title = "x".repeat(257)).contains("at most 256 bytes"));
        assert!(refused(|send| send.timeout_ms = Some(0)).contains("more than 0 s"));
        assert!(refused(|send| send.timeout_ms = Some(3_600_001)).contains("at most 3600 s"));
    }
}
