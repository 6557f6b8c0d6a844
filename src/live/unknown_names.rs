//! What the hot path tells besides its counters: names that clients ask for and nobody serves.

use std::net::IpAddr;

use tokio::sync::mpsc;

use crate::name::HostName;

/// A name that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    /// In normal form.
    pub name: HostName,
    /// Who asked.
    pub client: IpAddr,
}

/// Where workers tell them. Whoever tells never waits.
#[derive(Clone, Debug)]
pub struct UnknownNames(mpsc::Sender<UnknownName>);

/// The two ends.
#[must_use]
pub fn unknown_names() -> (UnknownNames, mpsc::Receiver<UnknownName>) {
    let (told, heard) = mpsc::channel(MOST);
    (UnknownNames(told), heard)
}

impl UnknownNames {
    /// Tells of a name as a client sent it. While as many wait as nobody has heard yet, it is told of no more: who means it will ask
    /// again.
    pub fn tell(&self, name: &str, client: IpAddr) {
        if let Ok(room) = self.0.try_reserve()
            && let Ok(name) = HostName::parse(name)
        {
            room.send(UnknownName { name, client });
        }
    }
}

/// Names that wait to be heard.
const MOST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_tells_never_waits_and_what_is_no_name_is_not_told() {
        let (told, mut heard) = unknown_names();
        let client = IpAddr::from([192, 0, 2, 1]);
        told.tell("not a name", client);
        for number in 0..2 * MOST {
            told.tell(&format!("N{number}.example"), client);
        }
        let names: Vec<String> = std::iter::from_fn(|| heard.try_recv().ok()).map(|it| it.name.to_string()).collect();
        assert_eq!((names.len(), names[0].as_str()), (MOST, "n0.example"));
        told.tell("again.example", client);
        assert!(heard.try_recv().is_ok_and(|it| it.name.as_str() == "again.example" && it.client == client));
    }
}
