//! Lists of who may come, which peers read in order, as a site reads them: the narrowest decides.

use std::net::IpAddr;

use ipnet::IpNet;

use super::keys::Keys;

/// What peers say of networks, in their order; the first that holds decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdicts(Vec<(bool, IpNet)>);

impl Verdicts {
    /// One more; `all` is everybody. Gives whether it is a network.
    pub(super) fn add(&mut self, lets_in: bool, text: &str) -> bool {
        let networks = match text {
            "all" => EVERYBODY.map(str::to_owned).to_vec(),
            _ => vec![text.to_owned()],
        };
        let read: Option<Vec<IpNet>> = networks.iter().map(|text| network(text)).collect();
        let Some(read) = read else { return false };
        for network in read {
            // What lies in an earlier one has no say.
            if !self.0.iter().any(|(_, earlier)| earlier.contains(&network)) {
                self.0.push((lets_in, network));
            }
        }
        true
    }

    /// Writes `allow` and `deny`, if anybody is named.
    pub(super) fn write(&self, keys: &mut Keys) {
        let of = |wanted| self.0.iter().filter(move |(lets_in, _)| *lets_in == wanted).map(|(_, network)| network);
        let everybody: Vec<IpNet> = EVERYBODY.iter().filter_map(|text| text.parse().ok()).collect();
        for network in of(true) {
            keys.push("", "allow", network.to_string());
        }
        // Who is in no list is let in by peers. Here that is so only where nobody is let in by name; and what is said of ::/0 is said of
        // IPv4 too, unless that has a word of its own.
        let unnamed: Vec<&IpNet> =
            everybody.iter().filter(|all| !self.0.iter().any(|(_, network)| network == *all)).collect();
        if of(true).next().is_some() || unnamed.len() == 1 {
            unnamed.iter().for_each(|all| keys.push("", "allow", all.to_string()));
        }
        let is_closed =
            of(true).next().is_some() && everybody.iter().all(|all| of(false).any(|network| network == all));
        for network in of(false).filter(|network| !is_closed || !everybody.contains(network)) {
            keys.push("", "deny", network.to_string());
        }
    }

    /// Everybody may come.
    pub(super) fn open() -> Self {
        let mut open = Self::default();
        open.add(true, "all");
        open
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// An address, or a network, as the configuration has it.
pub(super) fn network(text: &str) -> Option<IpNet> {
    let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    Some(network.trunc())
}

const EVERYBODY: [&str; 2] = ["0.0.0.0/0", "::/0"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::Access;

    /// What the list says of an address, read in order.
    fn in_order(list: &[(bool, &str)], address: &str) -> bool {
        let address: IpAddr = address.parse().expect("an address");
        let holds = |text: &str| text == "all" || network(text).expect("a network").contains(&address);
        list.iter().find(|(_, text)| holds(text)).is_none_or(|(lets_in, _)| *lets_in)
    }

    #[test]
    fn whoever_came_before_comes_now_and_nobody_else() {
        let lists: [&[(bool, &str)]; 11] = [
            &[(true, "10.0.0.0/8"), (false, "all")],
            &[(false, "10.0.0.1"), (true, "10.0.0.0/8"), (false, "all")],
            &[(true, "10.0.0.0/8"), (false, "10.0.0.1"), (false, "all")],
            &[(false, "10.0.0.0/8")],
            &[(true, "10.0.0.1"), (false, "10.0.0.0/8")],
            &[(false, "all"), (true, "10.0.0.1")],
            &[(true, "all"), (false, "10.0.0.1")],
            &[(true, "2001:db8::/32"), (false, "::/0")],
            &[(false, "::/0")],
            &[(true, "::/0"), (false, "0.0.0.0/0")],
            &[(false, "0.0.0.0/0")],
        ];
        for list in lists {
            let (mut verdicts, mut keys) = (Verdicts::default(), Keys::default());
            assert!(list.iter().all(|(lets_in, text)| verdicts.add(*lets_in, text)));
            verdicts.write(&mut keys);
            let named = |wanted| verdicts_of(&keys, wanted);
            let access = Access::new(&named("allow"), &named("deny"));
            for address in ["10.0.0.1", "10.0.0.2", "192.0.2.1", "2001:db8::1", "::1"] {
                let lets_in = access.lets_in(address.parse().expect("an address"));
                assert_eq!(lets_in, in_order(list, address), "{list:?} {address} {keys:?}");
            }
        }
        assert!(!Verdicts::default().add(true, "unix:") && !Verdicts::default().add(false, "$geo"));
    }

    /// The networks of a key, out of its line.
    fn verdicts_of(keys: &Keys, wanted: &str) -> Vec<IpNet> {
        let lines = keys.tables().into_iter().flat_map(|(_, lines)| lines);
        let line = lines.into_iter().find_map(|line| line.strip_prefix(&format!("{wanted} = ")).map(str::to_owned));
        let list: Vec<String> = line.map(|list| serde_json::from_str(&list).expect("a list")).unwrap_or_default();
        list.iter().map(|text| text.parse().expect("a network")).collect()
    }
}
