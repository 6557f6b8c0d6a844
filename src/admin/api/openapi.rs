//! The interface's description for programs (OpenAPI 3.1), put together from what each resource says of itself.

use std::sync::LazyLock;

use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::realm::Realm;
use super::route::{Operation, Takes};
use super::{Call, RESOURCES, Resource};
use crate::admin::problem::{Answer, Kind, Problem, document};

/// `openapi.json`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[Operation::get("openapi.json", |call| Box::pin(answer(call))).about(Realm::Open)],
    description: include_str!("openapi.json"),
};

async fn answer(_: Call) -> Result<Answer, Problem> {
    DOCUMENT.clone().map(document)
}

static DOCUMENT: LazyLock<Result<String, Problem>> = LazyLock::new(|| {
    assemble(RESOURCES).map(|document| format!("{document:#}\n")).map_err(|error| {
        tracing::error!(error, "the description of the API cannot be put together");
        Problem::new(Kind::Internal, "the description could not be put together; see the log")
    })
});

/// What a resource says of itself.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    paths: Map<String, Value>,
    schemas: Map<String, Value>,
}

fn assemble(resources: &[&Resource]) -> Result<Value, String> {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    for resource in resources {
        let mut own: Description = serde_json::from_str(resource.description).map_err(|error| error.to_string())?;
        for operation in resource.operations {
            let (path, method) = (format!("/{}", operation.path), operation.method.as_str().to_ascii_lowercase());
            let described = own.paths.get_mut(&path).and_then(|path| path.get_mut(&method));
            let described =
                described.and_then(Value::as_object_mut).ok_or(format!("{method} {path} is not described"))?;
            complete(operation, described);
        }
        for (path, described) in own.paths {
            // Two resources may share a path, with a method each.
            let there = paths.entry(path).or_insert_with(|| json!({}));
            if let (Some(there), Value::Object(described)) = (there.as_object_mut(), described) {
                there.extend(described);
            }
        }
        schemas.extend(own.schemas);
    }
    if let Some(codes) = schemas.get_mut("Problem").and_then(|problem| problem.pointer_mut("/properties/code")) {
        codes["enum"] = json!(Kind::ALL.map(Kind::code));
    }
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Vitrine",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The operator's interface of an HTTPS edge. Through admin.sock in the state folder no token is needed. Every \
                answer to a GET has a strong ETag: If-None-Match asks for it only when it is another, If-Match orders something \
                only while it is the same.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/api/v1" }],
        "security": [{ "token": [] }, { "session": [], "csrf": [] }, { "session_over_tls": [], "csrf": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": common(),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "As `vitrine token new` makes it" },
                "session": { "type": "apiKey", "in": "cookie", "name": "vitrine", "description": "As POST /session sets it" },
                "session_over_tls": {
                    "type": "apiKey", "in": "cookie", "name": "__Host-vitrine",
                    "description": "The same, where the listener speaks TLS",
                },
                "csrf": {
                    "type": "apiKey", "in": "header", "name": "X-CSRF-Token",
                    "description": "As GET /session shows it; for whatever is no question",
                },
            },
        },
    }))
}

/// Adds what the router knows: a name, who may, and what every operation of its kind can answer.
fn complete(operation: &Operation, described: &mut Map<String, Value>) {
    let name = operation.path.replace(['/', '-', '.'], "_").replace(['{', '}'], "");
    described.insert("operationId".into(), json!(format!("{}_{name}", operation.method.as_str().to_ascii_lowercase())));
    described.insert("x-vitrine-right".into(), json!(operation.right.word()));
    described.insert("x-vitrine-realm".into(), json!(operation.realm.map_or("edge", Realm::word)));
    let terms = operation.right.terms();
    described.entry("description").or_insert_with(|| json!(terms));
    let replaces = matches!(operation.method, Method::PUT | Method::PATCH);
    let Some(responses) = described.entry("responses").or_insert_with(|| json!({})).as_object_mut() else { return };
    if let Some(answer) = responses.get_mut("200").filter(|_| operation.method == Method::GET) {
        answer["headers"] =
            json!({ "ETag": { "schema": { "type": "string" }, "description": "For If-None-Match and If-Match" } });
    }
    for (status, name, _) in COMMON {
        let can_be = match status {
            // Any query can have one parameter too many.
            400 | 401 | 403 | 429 | 500 => true,
            304 => operation.method == Method::GET,
            412 => operation.method != Method::GET,
            428 => replaces,
            404 => operation.path.contains('{'),
            413 | 415 => operation.takes != Takes::Nothing,
            _ => false,
        };
        if can_be {
            let reference = json!({ "$ref": format!("#/components/responses/{name}") });
            responses.entry(status.to_string()).or_insert(reference);
        }
    }
}

/// What descriptions refer to by name.
fn common() -> Value {
    let response = |(status, name, text): &(u16, &str, &str)| {
        ((*name).to_owned(), if *status == 304 { json!({ "description": text }) } else { problem(text) })
    };
    Value::Object(COMMON.iter().map(response).collect())
}

fn problem(text: &str) -> Value {
    json!({
        "description": text,
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    })
}

/// Problems that descriptions refer to by name.
const COMMON: [(u16, &str, &str); 14] = [
    (304, "NotModified", "It is what If-None-Match says"),
    (400, "Malformed", "The request cannot be read"),
    (401, "Unauthorized", "No token and no session, or none that holds"),
    (403, "NotAllowed", "Whoever asks may not do this"),
    (404, "NotFound", "There is no such thing"),
    (409, "Conflict", "The way things are does not allow it"),
    (412, "Changed", "It is not as If-Match says"),
    (413, "TooLarge", "What was sent is too long"),
    (415, "MediaType", "What was sent is in no form that is read here"),
    (422, "Rejected", "What was sent can be read, and cannot be served"),
    (428, "Unconditional", "What replaces something needs If-Match"),
    (429, "TooManyFailures", "Too many wrong tokens or passwords; the right token is let in"),
    (500, "Internal", "The edge's fault; its log says more"),
    (502, "Authority", "A certification authority refuses, or does not answer"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn operations() -> impl Iterator<Item = &'static Operation> {
        RESOURCES.iter().flat_map(|resource| resource.operations)
    }

    /// Method and path of everything described.
    fn described(document: &Value) -> BTreeSet<String> {
        let paths = document["paths"].as_object().expect("paths");
        let methods = |(path, methods): (&String, &Value)| {
            let methods = methods.as_object().expect("methods").keys();
            methods.map(|method| format!("{} {path}", method.to_ascii_uppercase())).collect::<Vec<_>>()
        };
        paths.iter().flat_map(methods).collect()
    }

    #[test]
    fn every_operation_is_described_and_nothing_else_is() {
        let document = assemble(RESOURCES).expect("a document");
        let routed = operations().map(|operation| format!("{} /{}", operation.method, operation.path)).collect();
        assert_eq!(described(&document), routed);
    }

    #[test]
    fn parameters_and_bodies_are_described_as_they_are_read() {
        let document = assemble(RESOURCES).expect("a document");
        for operation in operations() {
            let place = format!("/{}", operation.path).replace('~', "~0").replace('/', "~1");
            let place = format!("/paths/{place}/{}", operation.method.as_str().to_ascii_lowercase());
            let described = document.pointer(&place).expect("described");
            let parameters: BTreeSet<_> = described["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|parameter| {
                    (parameter["in"].as_str().expect("a place"), parameter["name"].as_str().expect("a name"))
                })
                .filter(|(place, _)| *place != "header")
                .collect();
            let segments = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
            let read = segments.map(|name| ("path", name)).chain(operation.query.iter().map(|name| ("query", *name)));
            assert_eq!(parameters, read.collect(), "{place}");
            let bodies: Vec<_> = described["requestBody"]["content"].as_object().into_iter().flatten().collect();
            let media: Vec<_> = bodies.iter().map(|(media, _)| media.as_str()).collect();
            let taken = operation.takes.media_type();
            assert_eq!(media, if taken.is_empty() { vec![] } else { vec![taken] }, "{place}");
        }
    }

    #[test]
    fn every_operation_says_what_it_is_about() {
        for operation in operations() {
            assert!(
                operation.realm.is_some(),
                "{} {}: whose is it? say .about(Realm::…)",
                operation.method,
                operation.path
            );
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = assemble(RESOURCES).expect("a document");
        let mut open = vec![&document];
        while let Some(value) = open.pop() {
            if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
                let place = reference.strip_prefix('#').expect("a place in the document");
                assert!(document.pointer(place).is_some(), "{reference}");
            }
            match value {
                Value::Object(members) => open.extend(members.values()),
                Value::Array(items) => open.extend(items),
                _ => {}
            }
        }
    }
}
