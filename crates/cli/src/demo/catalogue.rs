use super::random::Random;

/// Something that the shop sells.
#[derive(Debug, PartialEq)]
pub(super) struct Product {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) category: &'static str,
    /// In hundredths of [`CURRENCY`].
    pub(super) price: u32,
}

/// The shop's one currency, so that amounts can be added up.
pub(super) const CURRENCY: &str = "USD";

/// What people type into the search box; some of it finds nothing.
pub(super) const SEARCHES: [(u32, &str); 12] = [
    (20, "mug"),
    (16, "coffee grinder"),
    (14, "pour over"),
    (12, "gift"),
    (11, "espresso"),
    (9, "tea"),
    (8, "decaf"),
    (7, "filter paper"),
    (6, "kettle"),
    (4, "moka pot"),
    (3, "chocolate"),
    (2, "bean bag chair"),
];

/// A product by popularity, in one category if one is given.
pub(super) fn choose(random: &mut Random, category: Option<&str>) -> &'static Product {
    loop {
        let product = random.weighted(&PRODUCTS);
        if category.is_none_or(|category| product.category == category) {
            return product;
        }
    }
}

/// The pages of the shop that list products.
pub(super) const CATEGORIES: [(u32, &str); 4] = [(40, "coffee"), (26, "brewing"), (20, "cups"), (14, "tea")];

const fn product(id: &'static str, name: &'static str, category: &'static str, price: u32) -> Product {
    Product { id, name, category, price }
}

/// Weights fall off with the rank, as sales do.
#[rustfmt::skip]
const PRODUCTS: [(u32, Product); 20] = [
    (240, product("cof-01", "House Espresso 1 kg", "coffee", 2490)),
    (160, product("cof-02", "Ethiopia Guji 250 g", "coffee", 1350)),
    (120, product("cup-01", "Stoneware Mug", "cups", 1800)),
    (96, product("brw-01", "Pour-over Dripper", "brewing", 2950)),
    (80, product("cof-03", "Decaf Colombia 250 g", "coffee", 1290)),
    (69, product("brw-02", "Paper Filters, 100", "brewing", 690)),
    (60, product("tea-01", "Assam Breakfast 200 g", "tea", 1150)),
    (53, product("cof-04", "Monsooned Malabar 500 g", "coffee", 1890)),
    (48, product("brw-03", "Hand Grinder", "brewing", 8900)),
    (44, product("cup-02", "Espresso Cups, 2", "cups", 2400)),
    (40, product("tea-02", "Sencha 100 g", "tea", 1490)),
    (37, product("brw-04", "Gooseneck Kettle", "brewing", 11900)),
    (34, product("cof-05", "Tasting Box", "coffee", 3900)),
    (32, product("cup-03", "Travel Tumbler", "cups", 3200)),
    (30, product("tea-03", "Darjeeling First Flush 100 g", "tea", 1950)),
    (28, product("brw-05", "Moka Pot", "brewing", 4500)),
    (27, product("cof-06", "Subscription, Month", "coffee", 2900)),
    (25, product("tea-04", "Teapot with Strainer", "tea", 3600)),
    (24, product("brw-06", "Burr Grinder", "brewing", 21900)),
    (23, product("cup-04", "Tasting Glasses, 4", "cups", 2800)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_category_has_something_to_choose() {
        let mut random = Random::new(1);
        for (_, category) in &CATEGORIES {
            assert_eq!(choose(&mut random, Some(category)).category, *category);
        }
    }
}
