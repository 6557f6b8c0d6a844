//! Whatever comes, and however it is cut up.

use http::HeaderMap;
use http::StatusCode;
use proptest::prelude::*;

use super::super::frame::*;
use super::*;

/// Frames that a client may send, in any order.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let block = prop_oneof![
        Just(GET.to_vec()),
        Just(POST.to_vec()),
        Just([POST, &[0x0f, 13, 1, b'5']].concat()),
        Just(Vec::new()),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    let content = proptest::collection::vec(any::<u8>(), 0..40);
    let stream = prop_oneof![4 => (0_u32..6).prop_map(|stream| stream * 2 + 1), 1 => any::<u32>()];
    prop_oneof![
        4 => (block, any::<u8>(), stream.clone()).prop_map(|(block, flags, stream)| frame(HEADERS, flags & LAST, stream, &block)),
        4 => (content.clone(), any::<u8>(), stream.clone()).prop_map(|(content, flags, stream)| frame(DATA, flags & 9, stream, &content)),
        1 => (any::<u32>(), stream.clone()).prop_map(|(reason, stream)| frame(RST_STREAM, 0, stream, &reason.to_be_bytes())),
        1 => (0_u32..9, stream.clone()).prop_map(|(more, stream)| frame(WINDOW_UPDATE, 0, stream, &more.to_be_bytes())),
        1 => (0_u32..99).prop_map(|window| frame(SETTINGS, 0, 0, &[&[0, 4][..], &window.to_be_bytes()].concat())),
        1 => (0_u8..12, any::<u8>(), stream, content).prop_map(|(kind, flags, stream, content)| frame(kind, flags, stream, &content)),
    ]
}

proptest! {
    /// However octets are cut up, what comes of them is the same; and whatever they are, streams and windows are kept in order.
    #[test]
    fn how_octets_are_cut_up_makes_no_difference(
        frames in proptest::collection::vec(any_frame(), 0..30),
        cuts in proptest::collection::vec(1_usize..50, 1..10),
    ) {
        let octets = frames.concat();
        let results = [vec![octets.len().max(1)], cuts].map(|cuts| {
            let session = open();
            let (mut rest, mut cuts) = (&octets[..], cuts.into_iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(cuts.next().expect("endless").min(rest.len()));
                session.receive(piece);
                rest = after;
            }
            let mut requests = Vec::new();
            while let Some((request, to_client)) = session.accept() {
                let (head, upload) = request.into_parts();
                let mut body = Vec::new();
                let end = loop {
                    match upload.poll_data(&context()) {
                        Poll::Ready(Ok(Some(data))) => body.extend_from_slice(&data),
                        other => break other,
                    }
                };
                requests.push((head.method, head.uri, body, end));
                to_client.send_head(StatusCode::OK, &HeaderMap::new(), true);
            }
            (requests, written(&session, 100), session.is_over())
        });
        prop_assert_eq!(&results[0], &results[1]);
    }
}
