//! A batch normalisation that sees one value.

use crate::config::{Config, Norm};
use crate::error::{ConfigProblem, Result};
use crate::sample::Sample;

/// Refuses a run in which a training batch would leave one value per channel at the bottom of the net: a
/// batch normalisation makes (v − v) / √(0 + ε) = 0 of it, whatever the image is.
///
/// The bottom of the net has n · ⌈H/2^depth⌉ · ⌈W/2^depth⌉ values per channel, for n images whose largest is
/// H × W. That is 1 where a batch of one image (each, or the one that is left over) has no side above 2^depth.
///
/// # Errors
/// [`ConfigProblem::Contradiction`] with the numbers and the ways out.
pub fn check(config: &Config, train: &[Sample]) -> Result<()> {
    let (batch_size, images) = (config.train.batch_size, train.len());
    // What a batch normalisation sees at once.
    let at_once = if config.train.micro_batch == 0 { batch_size } else { config.train.micro_batch };
    let leaves_one = |at_once: usize| {
        let steps = [batch_size.min(images), images % batch_size];
        steps.iter().any(|&images| images > 0 && (at_once == 1 || images % at_once == 1))
    };
    if config.model.norm != Norm::Batch || !leaves_one(at_once) {
        return Ok(());
    }
    let side = |side: usize, axis: usize| config.data.crop.get(axis).map_or(side, |&crop| crop.min(side));
    let size = |sample: &Sample| (side(sample.height(), 0), side(sample.width(), 1));
    let largest = |sample: &Sample| size(sample).0.max(size(sample).1);
    // The smallest image, so that the ways out hold for all of them.
    let Some(smallest) = train.iter().min_by_key(|sample| largest(sample)) else { return Ok(()) };
    let (depth, multiple) = (config.model.depth, 1 << config.model.depth);
    if largest(smallest) > multiple {
        return Ok(());
    }
    let why = match (at_once, config.train.micro_batch) {
        (1, 0) => "`train.batch_size` is 1".to_owned(),
        (_, 1..) => format!("batches of {batch_size} in parts of {at_once} (`train.micro_batch`)"),
        _ => format!("{images} training images in batches of {batch_size} leave one over"),
    };
    let mut ways = vec!["`model.norm=none`".to_owned()];
    if let Some(depth) = (1..depth).rev().find(|depth| largest(smallest) > 1 << depth) {
        ways.push(format!("`model.depth={depth}`"));
    }
    match config.train.micro_batch {
        0 => ways.extend(
            (2..=images).find(|size| images % size != 1).map(|size| format!("`train.batch_size={size}`")),
        ),
        _ => ways.extend(
            (2..=batch_size)
                .find(|&size| !leaves_one(size))
                .map(|size| format!("`train.micro_batch={size}`")),
        ),
    }
    let cropped = size(smallest) != (smallest.height(), smallest.width());
    ways.push(format!("{} above {multiple} pixels", if cropped { "a `data.crop`" } else { "images" }));
    let (height, width) = size(smallest);
    let text = format!(
        "batch normalisation (`model.norm`) of a single value is always 0: halved {depth} times (`model.depth`), the \
         {width}x{height} pixels of {} are one, and it is a batch of its own ({why}); use {}",
        smallest.name,
        ways.join(", or ")
    );
    Err(ConfigProblem::Contradiction(text).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::Pixels;

    fn samples(sizes: &[(usize, usize)]) -> Vec<Sample> {
        let sample = |&(height, width): &(usize, usize)| Sample {
            name: format!("{height}x{width}"),
            image: Pixels { height, width, channels: 1, data: vec![0; height * width] }.into(),
            labels: vec![0; height * width],
            weights: None,
            origin: "m".into(),
        };
        sizes.iter().map(sample).collect()
    }

    /// Depth 4 unless changed: 16 pixels are one at the bottom.
    fn problem(sizes: &[(usize, usize)], change: impl FnOnce(&mut Config)) -> Option<String> {
        let mut config = Config::default();
        change(&mut config);
        check(&config, &samples(sizes)).err().map(|error| error.to_string())
    }

    #[test]
    fn one_value_is_refused_with_ways_out_that_work() {
        let nine = [(16, 16); 9];
        let text = problem(&nine, |_| ()).unwrap();
        assert_eq!(
            text,
            "batch normalisation (`model.norm`) of a single value is always 0: halved 4 times (`model.depth`), the \
             16x16 pixels of 16x16 are one, and it is a batch of its own (9 training images in batches of 4 leave \
             one over); use `model.norm=none`, or `model.depth=3`, or `train.batch_size=3`, or images above 16 pixels"
        );
        assert_eq!(problem(&nine, |config| config.model.norm = Norm::None), None);
        assert_eq!(problem(&nine, |config| config.model.depth = 3), None);
        assert_eq!(problem(&nine, |config| config.train.batch_size = 3), None);
        assert_eq!(problem(&[(16, 17); 9], |_| ()), None);
    }

    #[test]
    fn crops_and_batches_of_one_count() {
        let crop = |config: &mut Config| config.data.crop = vec![16, 12];
        let text = problem(&[(99, 99); 5], crop).unwrap();
        assert!(text.contains("12x16 pixels of 99x99") && text.contains("a `data.crop` above 16"), "{text}");
        let text = problem(&[(1, 1), (99, 99)], |config| config.train.batch_size = 1).unwrap();
        assert!(text.contains("`train.batch_size` is 1") && !text.contains("model.depth="), "{text}");
        // One of them is left over, and which one is random.
        assert!(problem(&[(64, 64), (64, 64), (64, 64), (64, 64), (8, 9)], |_| ()).is_some());
        assert_eq!(problem(&[(16, 16); 8], |_| ()), None);
    }

    /// What counts is how many images are in memory at once.
    #[test]
    fn micro_batches_of_one_count() {
        let parts = |batch_size: usize, micro_batch: usize| {
            move |config: &mut Config| {
                (config.train.batch_size, config.train.micro_batch) = (batch_size, micro_batch);
            }
        };
        let eight = [(16, 16); 8];
        let text = problem(&eight, parts(4, 1)).unwrap();
        assert!(text.contains("batches of 4 in parts of 1 (`train.micro_batch`)"), "{text}");
        assert!(text.contains("`train.micro_batch=2`") && !text.contains("`train.batch_size="), "{text}");
        assert_eq!(problem(&eight, parts(4, 2)), None);
        // Four images in parts of three leave one, and so do the last seven of fifteen, of which the parts of six take six.
        assert!(problem(&eight, parts(4, 3)).is_some());
        assert!(problem(&[(16, 16); 15], parts(8, 6)).is_some());
        assert_eq!(problem(&[(16, 16); 15], parts(8, 4)), None);
    }
}
