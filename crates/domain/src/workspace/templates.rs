//! Dashboards to begin with.

use serde::Deserialize;
use serde_json::Value;

use super::layout::Place;

/// A dashboard to begin with, and what stands on it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// What programs call it.
    pub name: String,
    /// What people call it; a dashboard made from it is called so unless they say otherwise.
    pub title: String,
    /// What it shows, and which events it counts on.
    pub description: String,
    /// What stands on it.
    pub insights: Vec<TemplateInsight>,
}

/// An insight of a template.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateInsight {
    /// What it is called.
    pub title: String,
    /// What it says, in Markdown.
    #[serde(default)]
    pub body: String,
    /// What it asks; `None` for a note.
    #[serde(default)]
    pub query: Option<Value>,
    /// Where it stands.
    pub place: Place,
}

/// All of them, in the order in which they are offered.
///
/// # Errors
/// Never: the tests read them.
pub fn all() -> Result<Vec<Template>, serde_json::Error> {
    serde_json::from_str(include_str!("templates.json"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ids::InsightId;
    use crate::text::Title;
    use crate::workspace::layout::{self, Tile};
    use crate::workspace::question::KeptQuestion;
    use crate::workspace::text::Markdown;

    #[test]
    fn every_template_can_be_kept_drawn_and_asked() {
        let templates = all().unwrap();
        let names: BTreeSet<&str> = templates.iter().map(|template| template.name.as_str()).collect();
        assert_eq!(names, ["product", "shop", "web"].into());
        for Template { name, title, description, insights } in &templates {
            assert!(Title::parse(title).is_ok() && !description.is_empty(), "{name}");
            let tiles: Vec<Tile> = insights
                .iter()
                .map(|insight| Tile { insight: InsightId::new(), place: insight.place })
                .collect();
            assert_eq!(layout::check(&tiles), Ok(()), "{name}");
            let cells = |place: Place| {
                let rows = place.y..place.y + u16::from(place.height);
                rows.flat_map(move |y| (place.x..place.x + place.width).map(move |x| (x, y)))
            };
            let covered: Vec<(u8, u16)> = tiles.iter().flat_map(|tile| cells(tile.place)).collect();
            assert_eq!(covered.iter().collect::<BTreeSet<_>>().len(), covered.len(), "{name}: two overlap");
            for insight in insights {
                assert!(
                    Title::parse(&insight.title).is_ok() && Markdown::parse(insight.body.clone()).is_ok()
                );
                if let Some(query) = &insight.query {
                    KeptQuestion::parse(query)
                        .unwrap_or_else(|fault| panic!("{name}, {}: {fault}", insight.title));
                }
            }
        }
    }
}
