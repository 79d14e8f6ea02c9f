//! tract finds the class that `segloss predict` finds, in every pixel.

use segloss_onnx_reader::Net;
use segloss_unet::config::{ModelConfig, Norm, Up};
use segloss_unet::dataset::load_split;
use segloss_unet::exchange::export;
use segloss_unet::run::Which;
use segloss_unet::{Checkpoint, Config, Dataset, Predictor, Reading, RunFolder, Source, Split, train};

#[test]
fn every_pixel_has_the_class_that_predict_finds() {
    let root = tempfile::tempdir().unwrap();
    let models = [
        ModelConfig { width: 8, depth: 3, ..ModelConfig::default() },
        ModelConfig { width: 4, depth: 2, up: Up::Nearest, bias: false, ..ModelConfig::default() },
        ModelConfig { width: 4, depth: 1, norm: Norm::None, ..ModelConfig::default() },
    ];
    for (i, model) in models.into_iter().enumerate() {
        let mut config = Config { model, ..Config::default() };
        config.train.epochs = 3;
        let data = Dataset::load(&config.data).unwrap();
        let folder = RunFolder::at(&root.path().join(i.to_string()));
        train(&config, &data, &folder, &mut ()).unwrap();
        let checkpoint = Checkpoint::load(&folder.checkpoint_path(Which::Last)).unwrap();
        let path = root.path().join("model.onnx");
        export(&checkpoint, &path).unwrap();

        let net = Net::open(&path).unwrap();
        assert_eq!(net.classes, ["background", "nucleus", "boundary"]);
        let predictor = Predictor::new(checkpoint);
        let reading = Reading::with_classes(&Source::embedded(), &data.classes).unwrap();
        let mut found = [0; 3];
        for sample in load_split(&reading, Split::Test, &data.normalisation, false).unwrap() {
            // Whole tiles, and some of a size that is no multiple of anything.
            for (corner, (height, width)) in [((0, 0), (128, 128)), ((3, 5), (61, 93))] {
                let image = sample.image.crop(corner, (height, width));
                let values: Vec<f32> = (0..image.values.len()).map(|at| image.values.get(at) as f32).collect();
                let labels = net.predict(&values, (image.height, image.width)).unwrap();
                let expected = predictor.predict(&image).unwrap();
                assert_eq!(labels.len(), expected.len());
                let differing = labels.iter().zip(&expected).filter(|(a, b)| a != b).count();
                assert_eq!(differing, 0, "{:?}, {height}x{width}", config.model);
                labels.iter().for_each(|&label| found[usize::from(label)] += 1);
            }
        }
        assert!(found.iter().filter(|&&pixels| pixels > 0).count() > 1, "a net that finds one class tells nothing");
    }
}
