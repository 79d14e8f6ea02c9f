//! The one walk over the pixels: every block is read once, and each term of a loss takes its turn with it.
//!
//! Terms that take the same logits share their softmax. Sums are taken tile by tile in order, so that a result has the
//! same bits for any number of threads.

use crate::element::Element;
use crate::error::{Error, Problem};
use crate::families::{Family, Needs, Scope, TilePass};
use crate::geometry::Geometry;
use crate::input::Input;
use crate::kernels::block::{Block, no_class};
use crate::kernels::plane::{PIXELS, Plane};
use crate::kernels::pointwise::Wanted;
use crate::kernels::prefetch::Prefetch;
use crate::kernels::staging::Place;
use crate::plan::Plan;
use crate::regions::{Partial, Resolved};
use crate::simd::Available;
use crate::sums::NonFinite;
use crate::target::Values;
use crate::tiles::{self, Tile, TileMut};
use std::collections::BTreeMap;

/// A loss that is no sum of losses, at its place in one that is.
pub(crate) struct Leaf<'a, T> {
    /// For messages.
    pub operation: &'static str,
    pub family: Box<dyn Family<T>>,
    pub plan: &'a Plan,
    /// What its gradient is multiplied with: its factor over its denominator.
    pub scale: f64,
    /// What its regions have come to, on the way back.
    pub resolved: Option<&'a BTreeMap<usize, Resolved>>,
    /// Numbers of its own for every logit.
    pub array: Array<'a, T>,
}

/// An array of the logits' shape and layout that a term reads.
pub(crate) enum Array<'a, T> {
    None,
    Given(&'a [T]),
    Made(Vec<T>),
    /// It stands in the gradient's buffer, where each block is read before it is overwritten.
    InGradient,
}

/// What a leaf has come to.
pub(crate) struct LeafSums {
    /// By class; of a kind that is no sum over pixels nothing yet.
    pub losses: Vec<f64>,
    pub non_finite: Option<NonFinite>,
    pub regions: BTreeMap<usize, Partial>,
}

/// What is computed, and of what.
pub(crate) struct Pass<'a, T> {
    pub input: &'a Input<'a, T>,
    pub geometry: &'a Geometry,
    pub ignore_index: Option<i64>,
    pub set: Available,
    pub leaves: &'a [Leaf<'a, T>],
    /// Whether losses and sums are asked for.
    pub losses: bool,
}

/// Leaves that take the same logits.
struct Group {
    leaves: Vec<usize>,
    needs: Needs,
}

/// What a tile's terms have come to.
type TileSums = Vec<(Vec<f64>, Option<NonFinite>, Partial)>;

impl<T: Element> Pass<'_, T> {
    /// Walks over all pixels, writing the gradient and the map of losses where they are asked for. `channels`: how many
    /// losses the map has for a pixel.
    pub fn run(
        &self,
        gradient: Option<&mut [T]>,
        map: Option<(&mut [T], usize)>,
    ) -> Result<Vec<LeafSums>, Error> {
        let geometry = self.geometry;
        let wanted = Wanted { losses: self.losses, gradient: gradient.is_some() };
        let map = match map {
            Some((map, channels)) => {
                tiles::split(Some(map), &Geometry { classes: channels, ..geometry.clone() })
            }
            None => tiles::split(None, geometry),
        };
        let outputs = tiles::split(gradient, geometry).into_iter().zip(map).collect();
        let groups = self.groups();
        let tiles = tiles::each(geometry, outputs, |(number, (mut gradient, mut map))| {
            self.tile(&Tile::new(geometry, number), &groups, wanted, &mut gradient, &mut map)
        });
        let nothing =
            || LeafSums { losses: vec![0.0; geometry.classes], non_finite: None, regions: BTreeMap::new() };
        let mut all: Vec<LeafSums> = self.leaves.iter().map(|_| nothing()).collect();
        for (number, tile) in tiles.into_iter().enumerate() {
            let image = Tile::new(geometry, number).image;
            // The first error in the order of the pixels, whichever thread met it first.
            for ((sums, leaf), (losses, non_finite, partial)) in all.iter_mut().zip(self.leaves).zip(tile?) {
                sums.losses.iter_mut().zip(losses).for_each(|(sum, loss)| *sum += loss);
                sums.non_finite = NonFinite::join(sums.non_finite.take(), non_finite);
                if partial == Partial::Nothing {
                    continue;
                }
                let region = leaf.plan.region(image);
                let Some(sum) = sums.regions.get_mut(&region) else {
                    sums.regions.insert(region, partial);
                    continue;
                };
                let problem = Problem::OtherLoss { operand: "a tile" };
                sum.merge(partial).map_err(|_| Error { operation: leaf.operation, problem })?;
            }
        }
        Ok(all)
    }

    /// Writes ∂L by the errors of a sorted leaf, number `i`, which takes errors first: class by class, as the steps of one
    /// class fit a cache that those of all do not.
    pub fn lovasz_slopes(&self, i: usize, out: &mut [T]) -> Result<(), Error> {
        let leaf = &self.leaves[i];
        let geometry = self.geometry;
        let alone = Pass { leaves: std::slice::from_ref(leaf), losses: false, ..*self };
        let groups = alone.groups();
        let write = |(number, mut out): (usize, TileMut<'_, T>)| {
            let tile = Tile::new(geometry, number);
            let mut errors = vec![Plane::of(T::zero()); geometry.classes];
            let shift = alone.shift(&groups[0], tile.image);
            alone.blocks(&tile, |block, place, start| {
                let prefetch = place.prefetch(self.input.logits, &TileMut::Nothing, start);
                alone.load(&groups[0], &shift, block, place, prefetch)?;
                leaf.family.errors(block, &mut errors);
                for (class, errors) in errors.iter().enumerate() {
                    out.put_class(class, start, &errors[..block.pixels]);
                }
                Ok(())
            })
        };
        let written = tiles::each(geometry, tiles::split(Some(&mut *out), geometry), write);
        written.into_iter().collect::<Result<(), Error>>()?;
        for class in 0..geometry.classes {
            tiles::each(geometry, tiles::split(Some(&mut *out), geometry), |(number, mut out)| {
                let tile = Tile::new(geometry, number);
                let region = leaf.plan.region(tile.image);
                let scale = leaf.plan.counted()[[region, class]] * leaf.scale;
                let errors = out.class(class);
                let slopes = match leaf.resolved.and_then(|regions| regions.get(&region)) {
                    Some(Resolved::Lovasz(extensions)) => extensions[class].slopes(&errors),
                    _ => vec![0.0; errors.len()],
                };
                let first = tile.image * geometry.pixels + tile.pixels.start;
                let mass = |at: usize| self.input.weight(first + at).unwrap_or(T::one());
                let by_error = |(at, slope): (usize, f64)| match slope {
                    // Also of a pixel that does not count, whose mass may be anything.
                    0.0 => T::zero(),
                    slope => mass(at) * T::of(slope * scale),
                };
                let by_error: Vec<T> = slopes.into_iter().enumerate().map(by_error).collect();
                out.put_class(class, 0, &by_error);
            });
        }
        Ok(())
    }

    fn groups(&self) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for (i, leaf) in self.leaves.iter().enumerate() {
            let needs = leaf.family.needs();
            let is_softmax = |needs| matches!(needs, Needs::Softmax | Needs::Probabilities);
            let same = |group: &&mut Group| {
                let first = &self.leaves[group.leaves[0]];
                let alike = group.needs == needs || is_softmax(group.needs) && is_softmax(needs);
                // What adjusts logits has them for itself.
                alike && needs != Needs::Logits && first.plan.has_shift_of(leaf.plan)
            };
            match groups.iter_mut().find(same) {
                Some(group) => {
                    group.leaves.push(i);
                    if needs == Needs::Probabilities {
                        group.needs = needs;
                    }
                }
                None => groups.push(Group { leaves: vec![i], needs }),
            }
        }
        groups
    }

    fn tile(
        &self,
        tile: &Tile,
        groups: &[Group],
        wanted: Wanted,
        gradient: &mut TileMut<'_, T>,
        map: &mut TileMut<'_, T>,
    ) -> Result<TileSums, Error> {
        let geometry = self.geometry;
        let mut passes: Vec<Box<dyn TilePass<T> + '_>> =
            self.leaves.iter().map(|leaf| leaf.family.tile(leaf.scope(tile, geometry))).collect();
        let mut non_finite: Vec<Option<NonFinite>> = vec![None; self.leaves.len()];
        let mut extra: Vec<Plane<T>> = Vec::new();
        // A term alone that shifts nothing may be computed at once, where no map of losses is asked for.
        let is_single = matches!(self.leaves, [leaf] if leaf.plan.shift(tile.image).is_none())
            && wanted == Wanted { losses: true, gradient: true }
            && matches!(map, TileMut::Nothing);
        let shifts: Vec<Vec<T>> = groups.iter().map(|group| self.shift(group, tile.image)).collect();
        self.blocks(tile, |block, place, start| {
            if is_single && passes[0].at_once(block, self.input.logits, place, gradient, start) {
                return Ok(());
            }
            for (number, (group, shift)) in groups.iter().zip(&shifts).enumerate() {
                self.load(group, shift, block, place, place.prefetch(self.input.logits, gradient, start))?;
                for &i in &group.leaves {
                    let leaf = &self.leaves[i];
                    leaf.load(block, place, gradient, start, &mut extra);
                    if passes[i].block(block, &extra, wanted) {
                        continue;
                    }
                    let Some((pixel, count)) = block.not_finite() else { continue };
                    let index = geometry.locate(tile.image, tile.pixels.start + start + pixel);
                    if !leaf.family.may_break() {
                        let problem = Problem::Overflow { element: T::NAME, index };
                        return Err(Error { operation: leaf.operation, problem });
                    }
                    if wanted.losses {
                        let here = Some(NonFinite { count, first: index });
                        non_finite[i] = NonFinite::join(non_finite[i].take(), here);
                    }
                }
                if wanted.gradient {
                    if groups.len() > 1 || block.gradient.is_mixed() {
                        block.back_to_logits(group.needs == Needs::Sigmoids);
                    }
                    if number + 1 == groups.len() {
                        block.store(gradient, start);
                    }
                }
                for (channel, losses) in block.loss.iter().enumerate() {
                    map.put_class(channel, start, &losses[..block.pixels]);
                }
            }
            Ok(())
        })?;
        let sums = passes.into_iter().zip(non_finite).map(|(pass, non_finite)| {
            let (losses, partial) = pass.finish();
            (losses, non_finite, partial)
        });
        Ok(sums.collect())
    }

    /// Visits the blocks of a tile, whose targets have been read: with where they lie, and their first pixel in the tile.
    fn blocks(
        &self,
        tile: &Tile,
        mut visit: impl FnMut(&mut Block<T>, Place<'_>, usize) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let geometry = self.geometry;
        let mut block = Block::new(self.set, geometry.classes);
        for start in (0..tile.pixels.len()).step_by(PIXELS) {
            let pixels = PIXELS.min(tile.pixels.len() - start);
            let first = tile.pixels.start + start;
            let offset = geometry.offset(tile.image, first);
            let place = Place { geometry, image: tile.image, first, offset, pixels };
            self.read_target(place, &mut block);
            visit(&mut block, place, start)?;
        }
        Ok(())
    }

    /// Reads the logits of a block for a group of leaves, and makes of them what these need.
    fn load(
        &self,
        group: &Group,
        shift: &[T],
        block: &mut Block<T>,
        place: Place<'_>,
        prefetch: Prefetch<'_, T>,
    ) -> Result<(), Error> {
        block.load(self.input.logits, place, shift);
        let is_finite = match group.needs {
            Needs::Softmax | Needs::Probabilities => block.softmax(prefetch),
            Needs::Sigmoids | Needs::Logits => {
                block.prefetch(prefetch);
                block.has_finite_logits()
            }
        };
        if !is_finite {
            return Err(self.not_finite(place, group, block));
        }
        match group.needs {
            Needs::Probabilities => block.probabilities(),
            Needs::Sigmoids => block.sigmoids(),
            Needs::Softmax | Needs::Logits => {}
        }
        Ok(())
    }

    /// What a group's leaves take from the logits of each class of an image.
    fn shift(&self, group: &Group, image: usize) -> Vec<T> {
        let shift = self.leaves[group.leaves[0]].plan.shift(image);
        shift.into_iter().flatten().map(|&s| T::of(s)).collect()
    }

    /// Reads what the target says of a block's pixels, and their weights in the map.
    fn read_target(&self, place: Place<'_>, block: &mut Block<T>) {
        let Place { geometry, image, first, pixels, .. } = place;
        let flat = image * geometry.pixels + first;
        block.gradient.clear();
        block.is_soft = false;
        block.label[pixels..].fill(T::of_class(no_class(geometry.classes)));
        let labels = &mut block.label[..pixels];
        self.input.read_labels(self.set, flat, self.ignore_index, geometry.classes, labels);
        if let Values::Distribution(rows) = self.input.target.values {
            block.load_shares(rows, place);
            block.label_whole_shares();
            block.prefetch(place.prefetch(rows, &TileMut::Nothing, 0));
        }
        let map = self.input.weight_map.as_ref().map(|(_, map)| &map[flat..][..pixels]);
        block.weigh(map);
    }

    /// The first logit of the block that is NaN or infinite, in the order of the pixels.
    fn not_finite(&self, place: Place<'_>, group: &Group, block: &Block<T>) -> Error {
        let places = (0..block.pixels).flat_map(|at| (0..block.classes()).map(move |class| (at, class)));
        let found = places.into_iter().find(|&(at, class)| !block.z[class][at].is_finite());
        let (at, class) = found.unwrap_or_default();
        let problem = Problem::Logit {
            value: block.z[class][at].wide(),
            class,
            index: self.geometry.locate(place.image, place.first + at),
        };
        Error { operation: self.leaves[group.leaves[0]].operation, problem }
    }
}

impl<'a, T: Element> Leaf<'a, T> {
    /// Takes in what its regions have come to, for the way back.
    pub fn resolve(&mut self, factor: f64, denominator: f64, regions: &'a BTreeMap<usize, Resolved>) {
        self.scale = if denominator > 0.0 { factor / denominator } else { 0.0 };
        self.resolved = Some(regions);
    }

    /// Whether the slopes of an overlap stay in range for what they are multiplied with. They are held back where 1/D is
    /// beyond all numbers, and would be in silence where only a factor is.
    pub fn check_scale(&self) -> Result<(), Error> {
        let Some(largest) = self.family.largest_scale() else { return Ok(()) };
        let counted = self.plan.counted().iter();
        // The weights of a pooled ratio cancel.
        let weight = if self.plan.of().is_pooled() { 1.0 } else { counted.copied().fold(0.0, f64::max) };
        let found = weight * self.scale;
        if found <= largest {
            return Ok(());
        }
        let problem = Problem::TooLarge { what: "the gradient's scale", found, element: T::NAME };
        Err(Error { operation: self.operation, problem })
    }

    /// Whether its slopes are looked up class by class.
    pub fn is_lovasz(&self) -> bool {
        let is_sorted = |resolved: &Resolved| matches!(resolved, Resolved::Lovasz(_));
        self.resolved.is_some_and(|regions| regions.values().any(is_sorted))
    }

    fn scope(&self, tile: &Tile, geometry: &Geometry) -> Scope<'_> {
        let image = tile.image;
        Scope {
            weights: self.plan.row(image),
            parameters: self.plan.parameters(image),
            scale: self.scale,
            resolved: self.resolved.and_then(|regions| regions.get(&self.plan.region(image))),
            classes: geometry.classes,
            pixels: tile.pixels.len(),
        }
    }

    /// Reads a block of the leaf's own array.
    fn load(
        &self,
        block: &Block<T>,
        place: Place<'_>,
        gradient: &TileMut<'_, T>,
        start: usize,
        planes: &mut Vec<Plane<T>>,
    ) {
        let array = match &self.array {
            Array::None => return planes.clear(),
            Array::Given(array) => array,
            Array::Made(array) => array.as_slice(),
            Array::InGradient => {
                planes.resize(block.classes(), Plane::of(T::zero()));
                for (c, plane) in planes.iter_mut().enumerate() {
                    gradient.read_class(c, start, &mut plane[..block.pixels]);
                }
                return;
            }
        };
        planes.resize(block.classes(), Plane::of(T::zero()));
        block.load_planes(array, place, planes);
    }
}
