//! Trains for a while and writes down everything that another program needs to do the same.
//!
//! ```text
//! cargo run -p segloss-unet --example steps -- CONFIG.toml START.safetensors OUT [STEPS]
//! ```
//!
//! START holds the first weights in PyTorch's names; `-` takes the random ones of the configuration's seed. OUT becomes a
//! folder of
//!
//! | file | what |
//! |---|---|
//! | `start.safetensors`, `end.safetensors` | the weights before the first and after the last step |
//! | `steps.csv` | learning rate and loss of each step |
//! | `batches.safetensors` | `images.I` (N, H, W, C) and `labels.I` (N, H, W) of step I, as the net sees them |
//! | `probe.safetensors` | a validation image, and the logits of the net of either end for it, in evaluation |
//!
//! `fixtures/exchange/check_torch.py` does it all again in PyTorch, and compares.

use std::collections::HashMap;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView};
use segloss_unet::batch::{Batch, Batcher, single};
use segloss_unet::config::Sources;
use segloss_unet::progress::StepReport;
use segloss_unet::view::training_views;
use segloss_unet::{Dataset, Progress, Trainer, UNet, files, torch_weights};

/// Rows and columns of the validation image that are looked at.
const PROBE: usize = 32;

/// Keeps the report of each step.
#[derive(Default)]
struct Steps(Vec<StepReport>);

impl Progress for Steps {
    fn stepped(&mut self, step: &StepReport) {
        self.0.push(step.clone());
    }
}

/// A tensor to be written.
struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Tensor {
    fn floats((n, h, w, c): (usize, usize, usize, usize), values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { dtype: Dtype::F32, shape: vec![n, h, w, c], bytes }
    }
}

fn write(path: &Path, tensors: &HashMap<String, Tensor>) -> Result<(), Box<dyn Error>> {
    let views: Result<Vec<_>, _> = tensors
        .iter()
        .map(|(name, t)| {
            TensorView::new(t.dtype, t.shape.clone(), &t.bytes).map(|view| (name.as_str(), view))
        })
        .collect();
    Ok(files::write_atomic(path, &safetensors::serialize(views?, None)?)?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ([config, start, out] | [config, start, out, _]) = &arguments[..] else {
        return Err("expected CONFIG.toml START.safetensors|- OUT [STEPS]".into());
    };
    let steps: usize = arguments.get(3).map_or(Ok(50), |steps| steps.parse())?;
    let out = Path::new(out);
    files::make_folder(out)?;

    let mut sources = Sources::default();
    sources.file(Path::new(config))?;
    let mut config = sources.finish()?;
    config.train.weights = (start != "-").then(|| PathBuf::from(start));
    let data = Dataset::load(&config.data)?;
    let mut trainer = Trainer::new(&config, &data)?;

    let image = data.val[0].image.crop((0, 0), (PROBE, PROBE));
    let probe: Batch<f32> = single(&image, &data.normalisation, trainer.net.multiple());
    let logits = |net: &UNet<f32>| -> Result<Tensor, Box<dyn Error>> {
        let logits = net.evaluate(net.tensor(probe.images.clone(), probe.shape)?)?;
        let (n, h, w, _) = probe.shape;
        Ok(Tensor::floats((n, h, w, data.classes.count()), dfdx_conv::data(&logits)?))
    };
    let mut probes = HashMap::from([("image".to_owned(), Tensor::floats(probe.shape, &probe.images))]);
    probes.insert("start".to_owned(), logits(&trainer.net)?);
    torch_weights::save(&out.join("start.safetensors"), &trainer.net, 0, "")?;

    let (mut told, mut batches) = (Steps::default(), HashMap::new());
    while told.0.len() < steps {
        let train = &config.train;
        let (samples, augment, counts) = (&data.train, &config.augment, &data.counts);
        let (size, seed) = (train.batch_size, train.seed);
        let views = training_views(samples, &config.data, augment, counts, size, seed, trainer.epoch());
        for views in views {
            let batcher = Batcher {
                samples: &data.train,
                normalisation: &data.normalisation,
                classes: &data.classes,
                multiple: trainer.net.multiple(),
            };
            let batch: Batch<f32> = batcher.build(&views);
            let (step, (n, h, w, _)) = (batches.len() / 2, batch.shape);
            let labels = Tensor { dtype: Dtype::U8, shape: vec![n, h, w], bytes: batch.labels };
            batches.insert(format!("images.{step}"), Tensor::floats(batch.shape, &batch.images));
            batches.insert(format!("labels.{step}"), labels);
        }
        trainer.run_epoch(&mut told)?;
    }
    let mut rows = "step,rate,loss\n".to_owned();
    for (i, step) in told.0.iter().enumerate() {
        writeln!(rows, "{},{:?},{:?}", i + 1, step.rate, step.loss)?;
    }
    probes.insert("end".to_owned(), logits(&trainer.net)?);
    torch_weights::save(&out.join("end.safetensors"), &trainer.net, trainer.optimizer.steps, "")?;
    fs::write(out.join("steps.csv"), rows)?;
    write(&out.join("batches.safetensors"), &batches)?;
    write(&out.join("probe.safetensors"), &probes)?;
    Ok(())
}
