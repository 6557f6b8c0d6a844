//! Deliveries against servers that take them, refuse them, break off and are away.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::*;
use crate::mail_address::{MailAddress, Mailbox};
use crate::outbound::{MailDoor, MailServer, PostAddress};
use crate::shutdown::lifecycle;
use crate::words::Language;

/// What a mail server has taken, and how it answers.
#[derive(Default)]
struct Post {
    /// Recipient and Message-ID, in order.
    taken: Vec<(String, String)>,
    /// The answer to RCPT for who is not to be taken.
    refused: HashMap<&'static str, &'static str>,
    /// It takes this many mails and breaks off instead of saying so.
    silent: usize,
    /// It refuses every sender.
    refuses_sender: bool,
}

type Shared = Arc<Mutex<Post>>;

async fn serve(listener: TcpListener, post: Shared) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        tokio::spawn(talk(stream, Arc::clone(&post)));
    }
}

/// As little of SMTP as there can be.
async fn talk(stream: TcpStream, post: Shared) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let (mut to, mut line) = (String::new(), String::new());
    stream.write_all(b"220 mail\r\n").await.ok()?;
    loop {
        line.clear();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let answer = match line.split([' ', ':', '\r']).next()? {
            "EHLO" | "RSET" => "250 mail".to_owned(),
            "MAIL" if post.lock().expect("whole").refuses_sender => "553 not you".to_owned(),
            "MAIL" => "250 ok".to_owned(),
            "RCPT" => {
                to = line.split(['<', '>']).nth(1)?.to_owned();
                post.lock().expect("whole").refused.get(to.as_str()).map_or("250 ok", |answer| answer).to_owned()
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.ok()?;
                let mut id = String::new();
                loop {
                    line.clear();
                    stream.read_line(&mut line).await.ok()?;
                    if let Some(found) = line.strip_prefix("Message-ID: ") {
                        id = found.trim().to_owned();
                    }
                    if line == ".\r\n" {
                        break;
                    }
                }
                let mut post = post.lock().expect("whole");
                post.taken.push((to.clone(), id));
                if post.silent > 0 {
                    post.silent -= 1;
                    return None;
                }
                "250 taken".to_owned()
            }
            _ => "221 bye".to_owned(),
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
    }
}

struct House {
    store: Store,
    terms: watch::Sender<Arc<NoticeTerms>>,
    conductor: crate::shutdown::Conductor,
    notices: Notices,
    running: tokio::task::JoinHandle<()>,
}

impl House {
    fn start(store: Store, terms: NoticeTerms) -> Self {
        let (conductor, lifecycle) = lifecycle();
        let terms = watch::Sender::new(Arc::new(terms));
        let notices = Notices::open(&store, terms.subscribe()).expect("open");
        let running = tokio::spawn(notices.clone().run(lifecycle));
        Self { store, terms, conductor, notices, running }
    }

    /// Ends it in good order and starts it anew.
    async fn restart(self) -> Self {
        let terms = NoticeTerms::clone(&self.terms.borrow());
        self.conductor.drain(Duration::from_secs(1));
        self.running.await.expect("an end");
        Self::start(self.store, terms)
    }

    fn send(&self, identity: &str, to: &[&str]) -> usize {
        let to: Vec<_> = to.iter().map(|address| mail(address)).collect();
        self.notices.send(&to, &message(identity)).expect("taken")
    }

    fn outcomes(&self) -> HashMap<(&'static str, &'static str), u64> {
        let counts = self.notices.counts().into_iter().filter(|(_, _, total)| *total > 0);
        counts.map(|(lane, outcome, total)| ((lane.word(), outcome.word()), total)).collect()
    }
}

fn mail(address: &str) -> Recipient {
    Recipient::Mail(MailAddress::parse(address).expect("an address"))
}

fn message(identity: &str) -> Message {
    Message {
        identity: identity.into(),
        subject: format!("about {identity}"),
        text: "a text\n".into(),
        html: "<p>a text</p>\n".into(),
        data: serde_json::json!({ "a": 1 }),
        list: List::Notices,
        due: now(),
        about: Vec::new(),
    }
}

fn terms(port: u16) -> NoticeTerms {
    let server = MailServer::new(("127.0.0.1".into(), port), MailDoor::Plain, []).expect("a client");
    let from = Mailbox::parse("edge@shop.example").expect("a mailbox");
    let mail = Some(MailTerms { server, user: None, from });
    NoticeTerms { mail, webhook_networks: vec!["127.0.0.0/8".parse().expect("a network")], ..NoticeTerms::default() }
}

async fn post_office() -> (Shared, u16) {
    let (listener, post) = (TcpListener::bind("127.0.0.1:0").await.expect("a port"), Shared::default());
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(serve(listener, Arc::clone(&post)));
    (post, port)
}

/// Looks again and again; a test that fails ends with the patience of whoever runs it.
async fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    loop {
        if let Some(found) = look() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn quiet(house: &House) {
    until(|| house.notices.waiting().is_empty().then_some(())).await;
}

#[tokio::test]
async fn one_recipient_who_is_refused_keeps_nothing_from_the_others() {
    let (post, port) = post_office().await;
    post.lock().expect("whole").refused =
        HashMap::from([("gone@shop.example", "550 no such user"), ("busy@shop.example", "450 later")]);
    let house = House::start(Store::in_memory(), terms(port));
    let all = ["gone@shop.example", "busy@shop.example", "a@shop.example", "b@shop.example"];
    assert_eq!(house.send("x", &all), 4);
    let waiting =
        until(|| Some(house.notices.waiting()).filter(|all| all.len() == 2 && all.iter().all(|one| one.attempts == 1)))
            .await;
    let told: Vec<_> = waiting.iter().map(|one| (&*one.to, one.last_error.as_deref().expect("an error"))).collect();
    assert!(told.contains(&("gone@shop.example", "gone@shop.example: 550 no such user")), "{told:?}");
    assert!(told.contains(&("busy@shop.example", "busy@shop.example: 450 later")), "{told:?}");
    let rests: HashMap<_, _> = waiting.iter().map(|one| (&*one.to, one.next - now())).collect();
    assert!(rests["gone@shop.example"] > 600 && (30..=90).contains(&rests["busy@shop.example"]), "{rests:?}");
    assert_eq!(house.notices.stuck(), None);
    post.lock().expect("whole").refused.clear();
    house.notices.hurry();
    quiet(&house).await;
    assert_eq!(house.send("x", &all), 0);
    let mut taken: Vec<_> = post.lock().expect("whole").taken.iter().map(|(to, _)| to.clone()).collect();
    taken.sort_unstable();
    assert_eq!(taken, ["a@shop.example", "b@shop.example", "busy@shop.example", "gone@shop.example"]);
    assert_eq!(house.outcomes(), HashMap::from([(("mail", "told"), 4), (("mail", "refused"), 2)]));
}

#[tokio::test]
async fn a_server_that_is_away_over_starts_gets_every_mail_once() {
    let (post, port) = post_office().await;
    // Nobody listens there: the port was given back.
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address").port();
    let mut house = House::start(Store::in_memory(), terms(closed));
    for round in 0..5 {
        let identities = [format!("{round}/a"), format!("{round}/b")];
        assert_eq!(identities.iter().map(|identity| house.send(identity, &["ops@shop.example"])).sum::<usize>(), 2);
        let stuck = until(|| house.notices.stuck()).await;
        assert!(stuck.text.ends_with(&format!("127.0.0.1:{closed}: nobody listens there")), "{stuck:?}");
        house = house.restart().await;
        // Who asks again after the start gets no second one.
        assert_eq!(house.send(&identities[0], &["ops@shop.example"]), 0);
    }
    assert_eq!(house.notices.lanes()[0].1, 10);
    house.terms.send_replace(Arc::new(terms(port)));
    quiet(&house).await;
    assert_eq!(house.notices.stuck(), None);
    let house = house.restart().await;
    assert_eq!(house.send("0/a", &["ops@shop.example"]), 0);
    let taken = post.lock().expect("whole").taken.clone();
    let ids: HashSet<_> = taken.iter().map(|(_, id)| id).collect();
    assert_eq!((taken.len(), ids.len()), (10, 10));
}

#[tokio::test]
async fn a_mail_that_may_have_been_taken_is_sent_again_under_the_same_name() {
    let (post, port) = post_office().await;
    post.lock().expect("whole").silent = 1;
    let house = House::start(Store::in_memory(), terms(port));
    house.send("x", &["ops@shop.example"]);
    until(|| house.notices.stuck()).await;
    house.notices.hurry();
    quiet(&house).await;
    let taken = post.lock().expect("whole").taken.clone();
    assert_eq!((taken.len(), &taken[0]), (2, &taken[1]));
}

#[tokio::test]
async fn a_sender_who_is_refused_stops_all_mails_and_says_what_to_mend() {
    let (post, port) = post_office().await;
    post.lock().expect("whole").refuses_sender = true;
    let house = House::start(Store::in_memory(), terms(port));
    house.send("x", &["a@shop.example", "b@shop.example"]);
    let stuck = until(|| house.notices.stuck()).await.text;
    let expected =
        format!("the mail server 127.0.0.1:{port} refuses the sender edge@shop.example: 553 not you; see mail.from");
    assert_eq!(stuck, expected);
    assert!(house.notices.waiting().iter().all(|one| one.attempts == 0));
}

#[tokio::test]
async fn without_a_mail_server_mails_wait_for_one() {
    let (post, port) = post_office().await;
    let house = House::start(Store::in_memory(), NoticeTerms::default());
    house.send("x", &["a@shop.example"]);
    assert_eq!(until(|| house.notices.stuck()).await.text, "no mail server is configured; say which in [mail]");
    house.terms.send_replace(Arc::new(terms(port)));
    quiet(&house).await;
    assert_eq!(post.lock().expect("whole").taken.len(), 1);
}

/// A server that reads posts and answers each with the next of these statuses.
async fn chat(statuses: Vec<u16>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let (listener, heard) =
        (TcpListener::bind("127.0.0.1:0").await.expect("a port"), Arc::<Mutex<Vec<String>>>::default());
    let port = listener.local_addr().expect("an address").port();
    let posts = Arc::clone(&heard);
    tokio::spawn(async move {
        for status in statuses {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            let mut octets = Vec::new();
            let whole = |octets: &[u8]| {
                let text = String::from_utf8_lossy(octets).into_owned();
                let (head, body) = text.split_once("\r\n\r\n")?;
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse().ok()?;
                (body.len() >= length).then_some(text.clone())
            };
            let post = loop {
                if let Some(post) = whole(&octets) {
                    break post;
                }
                octets.push(stream.read_u8().await.expect("a post"));
            };
            posts.lock().expect("whole").push(post);
            let answer = format!("HTTP/1.1 {status} Status\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.expect("written");
        }
    });
    (port, heard)
}

fn hook(name: &str, port: u16, format: Format) -> Contact {
    let address = PostAddress::parse(&format!("http://127.0.0.1:{port}/hook/{name}")).expect("an address");
    let secret = (format == Format::Json).then(|| Secret::new("correct horse battery").expect("a secret"));
    let (way, scope) = (Way::Webhook(Webhook { address, format, secret }), Scope::Everything);
    Contact { id: String::new(), name: name.into(), scope, way, language: Language::En, events: None }
}

#[tokio::test]
async fn a_post_is_repeated_under_its_name_until_it_is_taken_and_each_contact_gets_its_own_form() {
    let ((json, posts), (slack, texts)) = (chat(vec![503, 404, 200]).await, chat(vec![200, 200]).await);
    let house = House::start(Store::in_memory(), terms(1));
    let contacts = [hook("json", json, Format::Json), hook("slack", slack, Format::Slack)]
        .map(|contact| house.notices.make_contact(contact).expect("made"));
    let to = contacts.clone().map(|contact| Recipient::Contact(contact.id));
    let message = Message { subject: "<!channel> & co".into(), ..message("x") };
    assert_eq!(house.notices.send(&to, &message).expect("taken"), 2);
    for (attempts, error) in [(1, "503 Service Unavailable"), (2, "404 Not Found")] {
        let one = until(|| {
            let waiting = house.notices.waiting();
            waiting.into_iter().find(|one| one.to == "json" && one.attempts == attempts)
        })
        .await;
        assert_eq!(one.last_error, Some(format!("http://127.0.0.1:{json} answers {error}")));
        house.notices.hurry();
    }
    quiet(&house).await;
    let posts = posts.lock().expect("whole").clone();
    let field = |post: &str, name: &str| {
        let value = post.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned));
        value.expect("a field")
    };
    let names: HashSet<_> = posts.iter().map(|post| field(post, "vitrine-delivery")).collect();
    assert_eq!((posts.len(), names.len()), (3, 1));
    assert!(
        posts[0].starts_with("POST /hook/json HTTP/1.1\r\n") && field(&posts[0], "vitrine-signature").starts_with("t=")
    );
    let body: serde_json::Value =
        serde_json::from_str(posts[0].split("\r\n\r\n").nth(1).expect("a body")).expect("JSON");
    assert_eq!((&body["subject"], &body["data"]["a"]), (&"<!channel> & co".into(), &1.into()));
    let text = texts.lock().expect("whole")[0].clone();
    assert!(text.ends_with(r#"{"text":"*&lt;!channel&gt; &amp; co*\na text\n"}"#), "{text}");
    // Nobody is told who is no contact any more, and a test is told at once.
    house.notices.remove_contact(&contacts[0].id).expect("removed");
    house.notices.send(&to[..1], &self::message("y")).expect("taken");
    quiet(&house).await;
    assert_eq!(house.notices.test(&contacts[1]).await, Ok(()));
    assert_eq!(texts.lock().expect("whole").len(), 2);
}

#[tokio::test]
async fn what_is_refused_for_a_month_is_given_up_unless_it_still_holds() {
    let (port, posts) = chat(vec![404; 10_000]).await;
    let house = House::start(Store::in_memory(), terms(1));
    let contact = house.notices.make_contact(hook("chat", port, Format::Slack)).expect("made");
    house.notices.0.lasting().insert("expired/shop".into());
    let old = |identity: &str, about: &str| Message {
        due: now() - KEPT_FOR - 60,
        about: vec![about.into()],
        ..message(identity)
    };
    let to = [Recipient::Contact(contact.id)];
    house.notices.send(&to, &old("lasting", "expired/shop")).expect("taken");
    until(|| house.notices.waiting().first().is_some_and(|one| one.attempts == 1).then_some(())).await;
    house.notices.send(&to, &old("over", "expired/other")).expect("taken");
    let waiting = until(|| {
        // Whoever is tried first has the contact rest.
        house.notices.hurry();
        // It is counted first, and then it waits no more.
        let given_up = house.outcomes().get(&("webhook", "given_up")).copied();
        let waiting = house.notices.waiting();
        (given_up.is_some() && waiting.len() < 2).then_some(waiting)
    })
    .await;
    assert_eq!(house.outcomes().get(&("webhook", "given_up")), Some(&1));
    assert_eq!(waiting.iter().map(|one| &*one.subject).collect::<Vec<_>>(), ["about lasting"]);
    assert!(posts.lock().expect("whole").len() >= 2);
}
