//! `bilayer message`

use std::path::Path;

use bilayer_ipc::control::{Answer, DeliveredBy, Delivery, Recipients, Send};
use bilayer_ipc::method;

use crate::args::Message;
use crate::client::Client;
use crate::failure::Failure;
use crate::screen::{self, Screen, Tone};
use crate::table::{Cell, Table};
use crate::words::count;

pub(super) async fn run(config: Option<&Path>, message: &Message, screen: &Screen) -> Result<(), Failure> {
    let client = Client::connect(config).await?;
    let to =
        Recipients { session: message.of.session.clone(), user: message.of.user.clone(), all: message.all };
    let send = Send {
        to,
        title: message.title.clone(),
        text: message.text.clone(),
        level: message.level.into(),
        buttons: message.buttons.map(Into::into).unwrap_or_default(),
        // Nobody offers a choice without wanting to know it.
        wait: message.wait || message.buttons.is_some(),
        timeout_ms: message.timeout.and_then(|timeout| u32::try_from(timeout.as_millis()).ok()),
    };
    let deliveries: Vec<Delivery> = client.call(method::MESSAGE_SEND, &send).await?;
    if message.format.json {
        screen::print_json(&deliveries)?;
    } else {
        screen::print(&table(&deliveries, screen))?;
    }
    let missed = deliveries.iter().filter(|delivery| delivery.delivered.is_none()).count();
    match missed {
        0 => Ok(()),
        _ => Err(Failure::failed(format!("{} did not get the message", count(missed, "session")))),
    }
}

fn table(deliveries: &[Delivery], screen: &Screen) -> String {
    if deliveries.is_empty() {
        return "Nobody is logged on.\n".to_owned();
    }
    let mut table = Table::new(&["SESSION", "USER", "DELIVERED"]);
    for delivery in deliveries {
        let outcome = match (delivery.delivered, &delivery.error) {
            (Some(DeliveredBy::Agent), _) => Cell::toned("by the agent", Tone::Good),
            (Some(DeliveredBy::Desktop), _) => Cell::toned(by_desktop(delivery.answer), Tone::Good),
            (None, Some(error)) => Cell::toned(format!("no: {error}"), Tone::Bad),
            (None, None) => Cell::toned("no", Tone::Bad),
        };
        table.row(vec![Cell::new(&delivery.session), Cell::new(&delivery.user.name), outcome]);
    }
    table.render(screen)
}

fn by_desktop(answer: Option<Answer>) -> String {
    let answer = match answer {
        None => return "by the desktop".to_owned(),
        Some(Answer::TimedOut) => return "by the desktop; no answer in time".to_owned(),
        Some(Answer::Ok) => "OK",
        Some(Answer::Cancel) => "Cancel",
        Some(Answer::Yes) => "Yes",
        Some(Answer::No) => "No",
        Some(Answer::Retry) => "Retry",
        Some(Answer::Abort) => "Abort",
        Some(Answer::Ignore) => "Ignore",
    };
    format!("by the desktop; the answer is {answer}")
}
