//! certbot's folder: `renewal/*.conf`, `live/<name>/`, `accounts/`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::files::Files;
use super::issuers::LETS_ENCRYPT;
use super::keys::Keys;
use super::plan::{Account, AccountKey, Place, Plan, Provision, Site};
use super::upstream::Upstream;
use crate::live::OrderedKey;

/// Reads certbot's folder. It knows names, certificates and accounts, and not what is behind the names: `upstreams` are for all of
/// them, and without any the sites are left for the operator to finish.
///
/// # Errors
/// When there is nothing of certbot's.
pub fn certbot(root: &Path, upstreams: &[String], files: &Files) -> Result<Plan, String> {
    let mut plan = Plan::default();
    let found = files.list(&root.join("renewal"));
    let lineages: Vec<Lineage> = found.iter().filter_map(|file| Lineage::read(root, file, files)).collect();
    if lineages.is_empty() {
        let folder = root.display();
        return Err(format!(
            "{folder}: no certificate of certbot's; name the folder that holds renewal/*.conf and live/"
        ));
    }
    for lineage in &lineages {
        lineage.add_to(&mut plan, files);
        let place = lineage.place();
        let names = files.names_in(&[lineage.chain.clone(), lineage.key.clone()], None);
        if names.is_empty() {
            let text = format!("{:?} has no certificate that can be read with its key", lineage.name);
            plan.left_out(&place, text, "look at its files in live/ with vitrine inspect, as root");
            continue;
        }
        if upstreams.is_empty() {
            let text = format!("{:?} has no upstream, which certbot knows nothing about", lineage.name);
            plan.left_out(&place, text, "finish its site file, which is all comment until then, or give --upstream");
        }
        let upstreams = upstreams.iter().cloned().map(Upstream::from).collect();
        plan.add_site(Site {
            hosts: names,
            upstreams,
            routes: Vec::new(),
            redirects: Vec::new(),
            keys: Keys::default(),
            provision: Provision::Managed,
            key_type: lineage.key_type(),
            place,
        });
    }
    unused_accounts(root, &mut plan, files);
    Ok(plan)
}

/// A certificate that certbot renews.
pub(super) struct Lineage {
    root: PathBuf,
    file: PathBuf,
    name: String,
    pub(super) chain: PathBuf,
    pub(super) key: PathBuf,
    server: String,
    account: Option<String>,
    /// What is not read above, with its line.
    rest: Vec<(String, String, usize)>,
}

impl Lineage {
    /// The one that a file such as `/etc/letsencrypt/live/shop.example/fullchain.pem` is of.
    pub(super) fn of_file(path: &Path, files: &Files) -> Option<Self> {
        let folder = path.parent()?;
        let live = folder.parent().filter(|live| live.file_name().is_some_and(|name| name == "live"))?;
        let mut name = folder.file_name()?.to_owned();
        name.push(".conf");
        let root = live.parent()?;
        Self::read(root, &root.join("renewal").join(name), files)
    }

    fn read(root: &Path, file: &Path, files: &Files) -> Option<Self> {
        if file.extension().is_none_or(|extension| extension != "conf") {
            return None;
        }
        let (name, text) = (file.file_stem()?.to_str()?.to_owned(), files.text(file).ok()?);
        let live = root.join("live").join(&name);
        let mut lineage = Self {
            root: root.to_owned(),
            file: file.to_owned(),
            chain: live.join("fullchain.pem"),
            key: live.join("privkey.pem"),
            name,
            server: LETS_ENCRYPT.into(),
            account: None,
            rest: Vec::new(),
        };
        for (index, line) in text.lines().enumerate() {
            let Some((key, value)) = line.split_once('=') else { continue };
            let (key, value) = (key.trim(), value.trim());
            match key {
                _ if key.starts_with('#') => {}
                "fullchain" => lineage.chain = value.into(),
                "privkey" => lineage.key = value.into(),
                "server" => lineage.server = value.into(),
                "account" => lineage.account = Some(value.into()),
                _ => lineage.rest.push((key.into(), value.into(), index + 1)),
            }
        }
        Some(lineage)
    }

    /// The type of its key, where that is not what is ordered anyway.
    pub(super) fn key_type(&self) -> Option<OrderedKey> {
        self.is_rsa().then_some(OrderedKey::Rsa)
    }

    fn is_rsa(&self) -> bool {
        self.rest.iter().any(|(key, value, _)| key == "key_type" && value == "rsa")
    }

    fn place(&self) -> Place {
        Place::whole(&self.file)
    }

    /// Adds the certificate, who issued it, and the account there.
    pub(super) fn add_to(&self, plan: &mut Plan, files: &Files) {
        plan.add_certificate(&self.name, vec![self.chain.clone(), self.key.clone()], &self.place());
        plan.add_authority(&self.server, None);
        // Nobody has certbot order who has not agreed.
        plan.terms_agreed = true;
        for (key, value, line) in &self.rest {
            let place = Place { file: self.file.as_path().into(), line: *line };
            self.remark_on(plan, &place, key, value);
        }
        match self.account_folder(files) {
            Ok(folder) => add_account(plan, &self.server, &folder, files),
            Err((text, mend)) => plan.left_out(&self.place(), text, mend),
        }
    }

    fn remark_on(&self, plan: &mut Plan, place: &Place, key: &str, value: &str) {
        match (key, value) {
            (_, "None" | "") => {}
            ("renew_hook" | "deploy_hook", _) => plan.left_out(
                place,
                format!("certbot tells others of a new certificate of {:?} ({key}), and Vitrine will not", self.name),
                "if a mail server or the like uses it too, let certbot go on for that one, or fetch it with certs export",
            ),
            ("pre_hook" | "post_hook", _) => plan.note(
                place,
                format!("{key} is not run: nothing has to be stopped for an order"),
                "see that it did nothing else",
            ),
            ("authenticator", "manual" | "webroot" | "standalone" | "nginx" | "apache" | "haproxy") => {}
            ("authenticator", _) => plan.note(
                place,
                format!("certbot shows its names by {value}, and how is not carried over"),
                "say in [[acme.dns]] how records are written, or let each name lead to this edge",
            ),
            ("rsa_key_size", bits) if self.is_rsa() && bits != "2048" => {
                plan.note_key(place, &format!("RSA of {bits} bits"), OrderedKey::Rsa);
            }
            ("elliptic_curve", curve) if !self.is_rsa() && curve != "secp256r1" => {
                plan.note_key(place, &format!("ECDSA on {curve}"), OrderedKey::Ecdsa);
            }
            ("preferred_profile" | "required_profile", _) => plan.ask_profile(&self.server, value, place),
            ("must_staple", "True") => plan.note(place, "what is ordered next is not asked to be must-staple", ""),
            ("preferred_chain", _) => plan.note(place, "no chain is preferred: the authority's own choice serves", ""),
            _ => {}
        }
    }

    /// `accounts/<server>/<id>`
    fn account_folder(&self, files: &Files) -> Result<PathBuf, (String, &'static str)> {
        let mend = "Vitrine opens a new account with its first order";
        let server = self.server.split_once("://").map_or(&*self.server, |(_, rest)| rest);
        let accounts = self.root.join("accounts").join(server);
        if let Some(account) = &self.account {
            let folder = accounts.join(account);
            return if files.is_file(&folder.join(KEY)) {
                Ok(folder)
            } else {
                Err((format!("the account of {:?} is not in {}", self.name, folder.display()), mend))
            };
        }
        let mut all = files.list(&accounts);
        all.retain(|folder| files.is_file(&folder.join(KEY)));
        match all.pop() {
            Some(only) if all.is_empty() => Ok(only),
            _ => Err((format!("no account, or more than one, is in {} and none is named", accounts.display()), mend)),
        }
    }
}

/// `regr.json`
#[derive(Deserialize)]
struct Registration {
    uri: String,
    #[serde(default)]
    body: Body,
}

#[derive(Default, Deserialize)]
struct Body {
    #[serde(default)]
    contact: Vec<String>,
}

fn add_account(plan: &mut Plan, directory: &str, folder: &Path, files: &Files) {
    let (key, registration) = (folder.join(KEY), folder.join("regr.json"));
    let (place, file) = (Place::whole(&key), Place::whole(&registration));
    if let Some(known) = plan.accounts.iter().find(|known| known.directory == directory) {
        if known.place != place {
            let text = format!("this is a second account at {directory}, and an authority has one here");
            plan.left_out(&place, text, "the first one orders for all sites");
        }
        return;
    }
    let read = files.text(&registration).and_then(|text| {
        serde_json::from_str::<Registration>(&text).map_err(|_| "it is not what certbot writes there".to_owned())
    });
    match read {
        Ok(Registration { uri, body }) => {
            body.contact.iter().for_each(|contact| plan.add_contact(contact));
            let key = AccountKey::Jwk(key);
            plan.accounts.push(Account {
                directory: directory.into(),
                url: Some(uri),
                key,
                contact: body.contact,
                place,
            });
        }
        Err(why) => {
            let text = format!("the account cannot be read: {why}");
            plan.left_out(&file, text, "Vitrine opens a new account with its first order");
        }
    }
}

/// Accounts that no certificate names.
fn unused_accounts(root: &Path, plan: &mut Plan, files: &Files) {
    let mut folders = files.list(&root.join("accounts"));
    for _ in 0..DEEPEST {
        let below = folders.iter().flat_map(|folder| files.list(folder)).collect::<Vec<_>>();
        for key in below.iter().filter(|file| file.file_name().is_some_and(|name| name == KEY)) {
            let place = Place::whole(key);
            let known = plan.accounts.iter().any(|account| account.place == place);
            let remarked = plan.remarks.iter().any(|remark| remark.place.as_ref() == Some(&place));
            if !known && !remarked {
                plan.note(&place, "no certificate is ordered with this account, and it is not carried over", "");
            }
        }
        folders = below.into_iter().filter(|path| files.is_folder(path)).collect();
    }
}

const KEY: &str = "private_key.json";
/// `accounts/<host>/<path>/<path>/<id>/private_key.json`
const DEEPEST: usize = 6;
