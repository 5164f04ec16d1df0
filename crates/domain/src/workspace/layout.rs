//! Where insights stand on a dashboard: a grid of twelve columns that grows downwards.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::InsightId;

/// How many columns the grid has.
pub const COLUMNS: u8 = 12;
/// The most insights on one dashboard.
pub const MAX_TILES: usize = 50;
const MAX_ROWS: u16 = 1_000;

/// A rectangle of the grid, in cells from the left and from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Its first column, from 0.
    pub x: u8,
    /// Its first row, from 0.
    pub y: u16,
    /// How many columns it takes.
    pub width: u8,
    /// How many rows it takes.
    pub height: u8,
}

/// An insight in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// The insight.
    pub insight: InsightId,
    /// Where it stands.
    pub place: Place,
}

/// Why a layout was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutFault {
    /// More insights than a dashboard shows.
    #[error("must hold at most {MAX_TILES} insights")]
    TooMany,
    /// A rectangle without cells, or one that leaves the grid.
    #[error("must keep {0} within {COLUMNS} columns and {MAX_ROWS} rows, and at least a cell large")]
    OffTheGrid(InsightId),
    /// An insight has two places.
    #[error("must hold {0} once")]
    Twice(InsightId),
}

impl Place {
    /// Half the width, below everything that is there.
    #[must_use]
    pub fn below(tiles: &[Tile]) -> Self {
        let y = tiles.iter().map(|tile| tile.place.y + u16::from(tile.place.height)).max().unwrap_or(0);
        Self { x: 0, y, width: COLUMNS / 2, height: 4 }
    }

    /// Whether it has cells, all of them on the grid.
    #[must_use]
    pub fn is_on_the_grid(self) -> bool {
        let right = u16::from(self.x) + u16::from(self.width);
        let bottom = self.y.saturating_add(self.height.into());
        self.width > 0 && self.height > 0 && right <= COLUMNS.into() && bottom <= MAX_ROWS
    }
}

/// Checks a whole layout. Rectangles may overlap: whoever draws them moves them apart.
///
/// # Errors
/// Says which law it breaks, and where.
pub fn check(tiles: &[Tile]) -> Result<(), LayoutFault> {
    if tiles.len() > MAX_TILES {
        return Err(LayoutFault::TooMany);
    }
    let mut seen = BTreeSet::new();
    for tile in tiles {
        if !tile.place.is_on_the_grid() {
            return Err(LayoutFault::OffTheGrid(tile.insight));
        }
        if !seen.insert(tile.insight) {
            return Err(LayoutFault::Twice(tile.insight));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(x: u8, y: u16, width: u8, height: u8) -> Tile {
        Tile { insight: InsightId::new(), place: Place { x, y, width, height } }
    }

    #[test]
    fn what_comes_new_stands_below() {
        let mut tiles = Vec::new();
        for _ in 0..MAX_TILES {
            tiles.push(Tile { insight: InsightId::new(), place: Place::below(&tiles) });
        }
        assert_eq!(tiles[1].place, Place { x: 0, y: 4, width: 6, height: 4 });
        assert_eq!(check(&tiles), Ok(()));
        tiles.push(tile(0, 0, 1, 1));
        assert_eq!(check(&tiles), Err(LayoutFault::TooMany));
    }

    #[test]
    fn nothing_leaves_the_grid_or_stands_twice() {
        for bad in [tile(0, 0, 0, 1), tile(0, 0, 1, 0), tile(11, 0, 2, 1), tile(255, u16::MAX, 255, 255)] {
            assert_eq!(check(&[bad]), Err(LayoutFault::OffTheGrid(bad.insight)));
        }
        let one = tile(11, 999, 1, 1);
        assert_eq!(check(&[one]), Ok(()));
        assert_eq!(check(&[one, one]), Err(LayoutFault::Twice(one.insight)));
    }
}
