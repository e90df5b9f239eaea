//! `bilayer reload`

use std::path::Path;

use bilayer_ipc::control::Reloaded;
use bilayer_ipc::method;

use crate::args::Format;
use crate::client::Client;
use crate::failure::Failure;
use crate::screen;
use crate::words::count;

pub(super) async fn run(config: Option<&Path>, format: Format) -> Result<(), Failure> {
    let client = Client::connect(config).await?;
    let reloaded: Reloaded = client.call(method::SERVICE_RELOAD, &()).await?;
    if format.json {
        return screen::print_json(&reloaded);
    }
    screen::print(&summary(&reloaded))
}

fn summary(reloaded: &Reloaded) -> String {
    let mut parts = Vec::new();
    for (verb, names) in
        [("changed", &reloaded.changed), ("added", &reloaded.added), ("removed", &reloaded.removed)]
    {
        if !names.is_empty() {
            parts.push(format!("{verb} {}", names.join(", ")));
        }
    }
    if parts.is_empty() {
        parts.push("nothing changed".to_owned());
    }
    format!("reloaded: {}; {} as before\n", parts.join("; "), count(reloaded.unchanged as usize, "agent"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_in_one_line() {
        let reloaded = Reloaded {
            changed: vec!["desk".to_owned(), "sync".to_owned()],
            removed: vec!["old".to_owned()],
            unchanged: 1,
            ..Reloaded::default()
        };
        assert_eq!(summary(&reloaded), "reloaded: changed desk, sync; removed old; 1 agent as before\n");
        assert_eq!(summary(&Reloaded::default()), "reloaded: nothing changed; 0 agents as before\n");
    }
}
