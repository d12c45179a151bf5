//! The two REST answers that grow with the catalogue: pairs and assets, made once for each listing.
//!
//! Precisions are those the books are checksummed by. What the gateway does not know (fees,
//! margins) is empty or zero, never invented.

use std::collections::BTreeMap;

use hyper::body::Bytes;
use market::{Decimal, Instrument, Trading};
use serde::Serialize;

use super::rest::{accept, refuse};

#[derive(Debug, Serialize)]
struct AssetPair {
    altname: String,
    wsname: String,
    aclass_base: &'static str,
    base: String,
    aclass_quote: &'static str,
    quote: String,
    lot: &'static str,
    cost_decimals: u8,
    pair_decimals: u8,
    lot_decimals: u8,
    lot_multiplier: u8,
    leverage_buy: [u8; 0],
    leverage_sell: [u8; 0],
    fees: [[u8; 2]; 0],
    fees_maker: [[u8; 2]; 0],
    fee_volume_currency: String,
    margin_call: u8,
    margin_stop: u8,
    ordermin: String,
    costmin: &'static str,
    tick_size: String,
    status: &'static str,
}

#[derive(Debug, Serialize)]
struct Asset {
    aclass: &'static str,
    altname: String,
    decimals: u8,
    display_decimals: u8,
    status: &'static str,
}

/// Everything about one listing.
#[derive(Debug)]
pub(super) struct Tables {
    pairs: BTreeMap<String, AssetPair>,
    /// From the name used on the WebSocket to the key in `pairs`.
    by_wsname: BTreeMap<String, String>,
    assets: BTreeMap<String, Asset>,
    all_pairs: Bytes,
    all_assets: Bytes,
}

impl Default for Tables {
    fn default() -> Self {
        Self::of(&[])
    }
}

impl Tables {
    /// The tables of these instruments; delisted ones are left out.
    pub(super) fn of(instruments: &[Instrument]) -> Self {
        let mut pairs = BTreeMap::new();
        let mut by_wsname = BTreeMap::new();
        let mut assets = BTreeMap::new();
        let listed = instruments.iter().filter(|i| i.trading != Trading::Delisted);
        // A symbol without a slash has no other name, so it chooses first.
        let (slashed, plain): (Vec<_>, Vec<_>) = listed.partition(|i| i.symbol.contains('/'));
        for instrument in plain.into_iter().chain(slashed) {
            let pair = AssetPair::of(instrument);
            widen(&mut assets, &pair.base, pair.lot_decimals);
            widen(&mut assets, &pair.quote, pair.pair_decimals);
            // Two symbols that differ by the slash alone: one keeps it.
            let taken = pairs.contains_key(&pair.altname);
            let key = if taken { pair.wsname.clone() } else { pair.altname.clone() };
            by_wsname.insert(pair.wsname.clone(), key.clone());
            pairs.insert(key, pair);
        }
        let (all_pairs, all_assets) = (accept(&pairs), accept(&assets));
        Self { pairs, by_wsname, assets, all_pairs, all_assets }
    }

    /// All pairs, or those named in a list with commas. A pair is found by either of its names and
    /// answered under the name it was asked by: dashboards look it up so.
    pub(super) fn asset_pairs(&self, asked: Option<&str>) -> Bytes {
        let Some(asked) = asked else { return self.all_pairs.clone() };
        let found = asked.split(',').map(|name| {
            let key = self.by_wsname.get(name).map_or(name, String::as_str);
            Some((name, self.pairs.get(key)?))
        });
        match found.collect::<Option<BTreeMap<_, _>>>() {
            Some(pairs) => accept(&pairs),
            None => refuse("EQuery:Unknown asset pair"),
        }
    }

    /// All assets, or those named in a list with commas.
    pub(super) fn assets(&self, asked: Option<&str>) -> Bytes {
        let Some(asked) = asked else { return self.all_assets.clone() };
        let found = asked.split(',').map(|name| Some((name, self.assets.get(name)?)));
        match found.collect::<Option<BTreeMap<_, _>>>() {
            Some(assets) => accept(&assets),
            None => refuse("EQuery:Unknown asset"),
        }
    }
}

impl AssetPair {
    fn of(instrument: &Instrument) -> Self {
        let (base, quote) = assets_of(instrument);
        Self {
            altname: instrument.symbol.replace('/', ""),
            wsname: instrument.symbol.to_string(),
            aclass_base: "currency",
            base: base.to_owned(),
            aclass_quote: "currency",
            quote: quote.to_owned(),
            lot: "unit",
            cost_decimals: instrument.price_precision,
            pair_decimals: instrument.price_precision,
            lot_decimals: instrument.size_precision,
            lot_multiplier: 1,
            leverage_buy: [],
            leverage_sell: [],
            fees: [],
            fees_maker: [],
            fee_volume_currency: quote.to_owned(),
            margin_call: 0,
            margin_stop: 0,
            ordermin: text(instrument.size_min.0, instrument.size_precision),
            costmin: "0",
            tick_size: text(instrument.price_increment.0, instrument.price_precision),
            status: instrument.trading.as_str(),
        }
    }
}

/// Dashboards put the symbol together again from base and quote, and subscribe to what they get; so
/// a symbol with a slash is taken at its word, and only others ask the instrument.
fn assets_of(instrument: &Instrument) -> (&str, &str) {
    instrument.symbol.split_once('/').unwrap_or((&*instrument.base, &*instrument.quote))
}

/// An asset is as fine as the finest pair it is in: dashboards coarsen a pair to its base asset.
fn widen(assets: &mut BTreeMap<String, Asset>, name: &str, decimals: u8) {
    let asset = assets.entry(name.to_owned()).or_insert_with(|| Asset {
        aclass: "currency",
        altname: name.to_owned(),
        decimals,
        display_decimals: decimals,
        status: "enabled",
    });
    asset.decimals = asset.decimals.max(decimals);
    asset.display_decimals = asset.decimals;
}

fn text(mantissa: i64, precision: u8) -> String {
    Decimal::new(mantissa, precision).expect("an instrument's precision is bounded").to_string()
}

#[cfg(test)]
mod tests {
    use market::{Price, Size};
    use serde_json::{Value, json};

    use super::*;

    fn instrument(symbol: &str, price_precision: u8, size_precision: u8) -> Instrument {
        Instrument {
            symbol: symbol.into(),
            venue: "venue".into(),
            venue_symbol: symbol.into(),
            base: "BASE".into(),
            quote: "QUOTE".into(),
            price_precision,
            size_precision,
            price_increment: Price(5),
            size_increment: Size(1),
            size_min: Size(200),
            book_levels_max: 1000,
            trading: Trading::Online,
        }
    }

    fn tables() -> Tables {
        let mut gone = instrument("OLD/USD", 1, 1);
        gone.trading = Trading::Delisted;
        Tables::of(&[
            instrument("BTC/USD", 1, 8),
            instrument("ETH/BTC", 5, 3),
            instrument("BTCUSD", 2, 2),
            gone,
        ])
    }

    fn parsed(body: &Bytes) -> Value {
        serde_json::from_slice(body).expect("JSON")
    }

    #[test]
    fn pairs_are_keyed_by_altname_and_say_their_precisions() {
        let answer = parsed(&tables().asset_pairs(None));
        assert_eq!(answer["error"], json!([]));
        let result = answer["result"].as_object().expect("pairs");
        assert_eq!(result["BTCUSD"]["wsname"], "BTCUSD");
        let pair = &result["BTC/USD"];
        assert_eq!(pair["wsname"], "BTC/USD");
        assert_eq!((&pair["base"], &pair["quote"]), (&json!("BTC"), &json!("USD")));
        assert_eq!((&pair["pair_decimals"], &pair["lot_decimals"]), (&json!(1), &json!(8)));
        assert_eq!((&pair["tick_size"], &pair["ordermin"]), (&json!("0.5"), &json!("0.00000200")));
        assert_eq!(result.keys().collect::<Vec<_>>(), ["BTC/USD", "BTCUSD", "ETHBTC"]);
    }

    #[test]
    fn a_pair_is_answered_under_the_name_it_was_asked_by() {
        for (asked, keys) in
            [("BTC/USD", vec!["BTC/USD"]), ("ETHBTC,BTC/USD", vec!["BTC/USD", "ETHBTC"])]
        {
            let answer = parsed(&tables().asset_pairs(Some(asked)));
            let result = answer["result"].as_object().expect("pairs");
            assert_eq!(result.keys().collect::<Vec<_>>(), keys, "{asked}");
        }
    }

    #[test]
    fn unknown_names_are_refused_in_the_words_of_the_api() {
        for asked in ["NO/PAIR", "BTC/USD,NO/PAIR", "", "OLD/USD"] {
            let answer = parsed(&tables().asset_pairs(Some(asked)));
            assert_eq!(answer, json!({"error": ["EQuery:Unknown asset pair"]}), "{asked}");
        }
        let answer = parsed(&tables().assets(Some("DOGE")));
        assert_eq!(answer, json!({"error": ["EQuery:Unknown asset"]}));
    }

    #[test]
    fn an_asset_is_as_fine_as_its_finest_pair() {
        let answer = parsed(&tables().assets(None));
        assert_eq!(answer["result"]["BTC"]["decimals"], 8);
        assert_eq!(answer["result"]["USD"]["decimals"], 1);
        assert_eq!(parsed(&tables().assets(Some("BTC")))["result"]["BTC"]["altname"], "BTC");
    }
}
