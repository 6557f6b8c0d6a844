//! What the two shops sell.

use http::Request;
use http::header::HOST;

use crate::name::NameBuffer;

/// One shop's front.
pub(super) struct Front {
    /// The host name it answers for.
    pub(super) host: &'static str,
    /// The class that gives it its colours.
    pub(super) theme: &'static str,
    pub(super) name: &'static str,
    pub(super) motto: &'static str,
    pub(super) products: [Product; 3],
}

/// Something for sale.
pub(super) struct Product {
    pub(super) name: &'static str,
    pub(super) note: &'static str,
    pub(super) price: &'static str,
    /// Inside of an SVG of 48 by 48, drawn in lines.
    pub(super) drawing: &'static str,
}

impl Front {
    /// The front that a request is for, by its `Host`.
    pub(super) fn of<B>(request: &Request<B>) -> Option<&'static Self> {
        let authority = request.headers().get(HOST)?.to_str().ok()?;
        let host = authority.split_once(':').map_or(authority, |(host, _)| host);
        let mut buffer = NameBuffer::new();
        let host = buffer.normalise(host)?;
        FRONTS.iter().find(|front| front.host == host)
    }

    /// The shop next door.
    pub(super) fn neighbour(&self) -> &'static Self {
        if self.host == FRONTS[0].host { &FRONTS[1] } else { &FRONTS[0] }
    }
}

/// The host names the sample shop answers for.
pub(in crate::cli::demo) const HOSTS: [&str; 2] = [FRONTS[0].host, FRONTS[1].host];

const FRONTS: [Front; 2] = [
    Front {
        host: "shop.localhost",
        theme: "shop",
        name: "Glass & Lamp",
        motto: "Things that are good to light",
        products: [
            Product {
                name: "Storm lantern",
                note: "Brass and hand-blown glass",
                price: "84.00",
                drawing: "<path d='M18 10h12M16 16h16l2 22H14zM14 38h20v4H14zM20 10a4 4 0 0 1 8 0M24 32c-4-3-3-6 0-10 3 4 4 7 0 10z'/>",
            },
            Product {
                name: "Reading lamp",
                note: "Bends wherever the book is",
                price: "129.00",
                drawing: "<path d='M12 42h18M21 42V26l12-8M33 18l-9-8c5-4 12-3 15 2zM36 20l4 5'/>",
            },
            Product {
                name: "Display case",
                note: "Oak, three shelves, no dust",
                price: "310.00",
                drawing: "<path d='M10 8h28v32H10zM10 18h28M10 29h28M14 40v3M34 40v3M15 14h4M28 25a3 3 0 0 0 0-4 3 3 0 0 0 0 4zM16 36l4-4 4 4z'/>",
            },
        ],
    },
    Front {
        host: "cafe.localhost",
        theme: "cafe",
        name: "Café Vis-à-vis",
        motto: "Across the street, open early",
        products: [
            Product {
                name: "Filter coffee",
                note: "Ethiopia, washed, light roast",
                price: "3.20",
                drawing: "<path d='M12 18h20v12a8 8 0 0 1-8 8h-4a8 8 0 0 1-8-8zM32 20h3a4 4 0 0 1 0 8h-3M10 42h24M18 13c-2-2 2-3 0-6M25 13c-2-2 2-3 0-6'/>",
            },
            Product {
                name: "Plum cake",
                note: "From the tray, with crumbs",
                price: "4.50",
                drawing: "<path d='M8 26l30-10v6L8 30zM8 30v8h30V22M8 34h30M16 25a2 2 0 0 0 4-1M26 22a2 2 0 0 0 4-1'/>",
            },
            Product {
                name: "A seat at the window",
                note: "As long as you like",
                price: "0.00",
                drawing: "<path d='M10 8h28v26H10zM24 8v26M10 20h28M7 34h34M14 42v-8M34 42v-8'/>",
            },
        ],
    },
];
