//! Weights that come from PyTorch and go there: it computes the same, and what does not fit is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use segloss_unet::batch::{Batch, single};
use segloss_unet::config::{ModelConfig, Norm, Sources, Up};
use segloss_unet::exchange::export;
use segloss_unet::npy::{Array, NpyFile};
use segloss_unet::{Config, Dataset, Error, Trainer, UNet, torch_weights};

use crate::common::{Losses, small, trained};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/exchange").join(name)
}

fn config(rule: &str) -> Config {
    let mut sources = Sources::default();
    sources.file(&fixture(&format!("{rule}/config.toml"))).unwrap();
    let mut config = sources.finish().unwrap();
    config.train.weights = Some(fixture("start.safetensors"));
    config
}

/// Logits of a net in evaluation for the corner of the first validation image.
fn logits(net: &UNet<f32>, data: &Dataset) -> Vec<f32> {
    let image = data.val[0].image.crop((0, 0), (32, 32));
    let Batch { shape, images, .. } = single(&image, &data.normalisation, net.multiple());
    let logits = net.evaluate(net.tensor(images, shape).unwrap()).unwrap();
    dfdx_conv::data(&logits).unwrap().to_vec()
}

fn floats(path: &Path) -> Vec<f32> {
    match NpyFile::open(path).unwrap().array {
        Array::F32(array) => array.into_iter().collect(),
        other => panic!("{other:?}"),
    }
}

/// The largest difference, relative to the largest number.
fn apart(found: &[f32], right: &[f32]) -> f32 {
    assert_eq!(found.len(), right.len());
    let largest = right.iter().fold(0.0, |largest: f32, value| largest.max(value.abs()));
    found
        .iter()
        .zip(right)
        .map(|(a, b)| (a - b).abs() / largest)
        .fold(0.0, |worst, x| if x <= worst { worst } else { x })
}

fn net(model: &ModelConfig, seed: u64) -> UNet<f32> {
    UNet::new(model, 1, 3, seed).unwrap()
}

#[test]
fn pytorch_s_weights_give_pytorch_s_logits() {
    let config = config("sgd");
    let data = Dataset::load(&config.data).unwrap();
    for rule in ["sgd", "adamw"] {
        for (weights, right) in [
            (fixture("start.safetensors"), fixture(&format!("{rule}/logits_start.npy"))),
            (fixture(&format!("{rule}/end.safetensors")), fixture(&format!("{rule}/logits_end.npy"))),
        ] {
            let mut net = net(&config.model, 1);
            assert_eq!(torch_weights::load(&weights, &mut net, false).unwrap(), Vec::<String>::new());
            let apart = apart(&logits(&net, &data), &floats(&right));
            assert!(apart <= 1e-5, "{}: {apart}", weights.display());
        }
    }
}

/// From the same weights, over the same batches. What rounding does grows from step to step: PyTorch in float32 and in
/// float64 are 6e-7 apart after fifty.
#[test]
fn fifty_steps_have_pytorch_s_losses() {
    for rule in ["sgd", "adamw"] {
        let config = config(rule);
        let data = Dataset::load(&config.data).unwrap();
        let mut trainer = Trainer::new(&config, &data).unwrap();
        let mut found = Losses::default();
        while found.0.len() < 50 {
            trainer.run_epoch(&mut found).unwrap();
        }
        let text = fs::read_to_string(fixture(&format!("{rule}/losses.csv"))).unwrap();
        let rows: Vec<Vec<f64>> =
            text.lines().skip(1).map(|row| row.split(',').map(|x| x.parse().unwrap()).collect()).collect();
        assert_eq!(rows.len(), 50);
        for (row, loss) in rows.iter().zip(&found.0) {
            for (right, bound) in [(row[1], 1e-3), (row[2], 1e-4)] {
                let apart = (loss - right).abs() / right;
                assert!(apart <= bound, "{rule}, step {}: {loss}, not {right}", row[0]);
            }
        }
        // Trained weights and running statistics are those of PyTorch, too.
        let apart = apart(&logits(&trainer.net, &data), &floats(&fixture(&format!("{rule}/logits_end.npy"))));
        assert!(apart <= 1e-3, "{rule}: {apart}");
    }
}

fn models() -> Vec<ModelConfig> {
    let mut models = Vec::new();
    for norm in [Norm::Batch, Norm::None] {
        for up in [Up::Transposed, Up::Nearest] {
            for (bias, depth) in [(true, 1), (false, 3)] {
                models.push(ModelConfig { width: 3, depth, norm, up, bias, deep_supervision: false });
            }
        }
    }
    models
}

/// A net whose statistics are no round numbers.
fn used(model: &ModelConfig) -> UNet<f32> {
    let mut net = net(model, 5);
    for (i, statistics) in net.statistics.iter_mut().enumerate() {
        for (c, (mean, variance)) in
            statistics.running.mean.iter_mut().zip(&mut statistics.running.variance).enumerate()
        {
            (*mean, *variance) = ((i * 7 + c) as f32 / 9.0 - 1.0, (i * 5 + c) as f32 / 3.0 + 0.1);
        }
    }
    net
}

fn bits(net: &UNet<f32>) -> Vec<u32> {
    let parameters = net.parameters.iter().flat_map(|p| p.values().unwrap());
    let statistics = net.statistics.iter().flat_map(|s| s.running.mean.iter().chain(&s.running.variance));
    parameters.chain(statistics).map(|x| x.to_bits()).collect()
}

#[test]
fn what_is_saved_is_loaded_bit_for_bit() {
    let root = tempfile::tempdir().unwrap();
    let (path, again) = (root.path().join("a.safetensors"), root.path().join("b.safetensors"));
    for model in models() {
        let (net, mut other) = (used(&model), net(&model, 6));
        torch_weights::save(&path, &net, 9, "{}").unwrap();
        assert_ne!(bits(&net), bits(&other));
        assert_eq!(torch_weights::load(&path, &mut other, false).unwrap(), Vec::<String>::new());
        assert_eq!(bits(&net), bits(&other), "{model:?}");
        torch_weights::save(&again, &other, 9, "{}").unwrap();
        assert!(fs::read(&path).unwrap() == fs::read(&again).unwrap());
        // Every bias that the PyTorch net has is there.
        let bytes = fs::read(&path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        assert!(file.tensor("outc.conv.bias").is_ok() && file.tensor("inc.double_conv.3.weight").is_ok());
        assert_eq!(file.tensor("inc.double_conv.1.num_batches_tracked").is_ok(), model.norm == Norm::Batch);
    }
}

/// A file of tensors that can be changed: name → type, shape, bytes.
type File = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn file(path: &Path) -> File {
    let bytes = fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    tensors
        .iter()
        .map(|(name, t)| (name.to_owned(), (t.dtype(), t.shape().to_vec(), t.data().to_vec())))
        .collect()
}

fn write(path: &Path, file: &File) {
    let views = file
        .iter()
        .map(|(name, (dtype, shape, bytes))| (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

fn to_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn values(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// What is wrong with the starting weights after a change, for a net of `model`.
#[track_caller]
fn problem(model: &ModelConfig, fresh_head: bool, change: impl FnOnce(&mut File)) -> String {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("w.safetensors");
    let mut changed = file(&fixture("start.safetensors"));
    change(&mut changed);
    write(&path, &changed);
    let error = torch_weights::load(&path, &mut net(model, 0), fresh_head).unwrap_err();
    assert!(matches!(error, Error::Weights { .. }), "{error:?}");
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    text.strip_prefix(&format!("{}: ", path.display())).unwrap().to_owned()
}

fn model() -> ModelConfig {
    config("sgd").model
}

#[test]
fn another_net_s_weights_are_refused_with_what_would_fit() {
    let other = |width, depth, norm, up| {
        problem(&ModelConfig { width, depth, norm, up, bias: true, deep_supervision: false }, false, |_| ())
    };
    let wide = other(8, 2, Norm::Batch, Up::Transposed);
    assert_eq!(
        wide,
        "tensor `inc.double_conv.0.weight` is [4, 1, 3, 3], expected [8, 1, 3, 3]; the file's net has width 4 (here 8): \
         use --set model.width=4"
    );
    let deep = other(16, 3, Norm::Batch, Up::Transposed);
    assert!(deep.starts_with("lacks `down3.maxpool_conv.1.double_conv.0.weight`, "), "{deep}");
    assert!(
        deep.contains("width 4 (here 16), depth 2 (here 3): use --set model.width=4 --set model.depth=2"),
        "{deep}"
    );
    let plain = other(4, 2, Norm::None, Up::Transposed);
    assert!(plain.contains("norm batch (here none): use --set model.norm=batch"), "{plain}");
    let nearest = other(4, 2, Norm::Batch, Up::Nearest);
    assert!(
        nearest.contains("for which this net has no place; the file's net has up transposed (here nearest)")
    );
    let bilinear = problem(&model(), false, |file| file.retain(|name, _| !name.contains(".up.")));
    assert!(bilinear.contains("bilinear up-sampling is not among what this program builds"), "{bilinear}");

    let rgb = problem(&model(), false, |file| {
        file.insert("inc.double_conv.0.weight".into(), (Dtype::F32, vec![4, 3, 3, 3], to_bytes(&[0.0; 108])));
    });
    assert!(rgb.ends_with("input channels 3 (here 1): use --set data.channels=rgb"), "{rgb}");
    let classes = |file: &mut File| {
        file.insert("outc.conv.weight".into(), (Dtype::F32, vec![2, 4, 1, 1], to_bytes(&[0.0; 8])));
    };
    let head = problem(&model(), false, classes);
    assert_eq!(
        head,
        "tensor `outc.conv.weight` is [2, 4, 1, 1], expected [3, 4, 1, 1]; the file's net has classes 2 (here 3): use \
         --set train.fresh_head=true"
    );
}

#[test]
fn broken_weights_are_refused() {
    let gone = problem(&model(), false, |file| drop(file.remove("up1.up.bias")));
    assert_eq!(gone, "lacks `up1.up.bias`");
    let more = problem(&model(), false, |file| {
        let tensor = file["up1.up.bias"].clone();
        for name in ["a", "b", "c", "d", "e"] {
            file.insert(name.into(), tensor.clone());
        }
    });
    assert_eq!(more, "holds `a`, `b`, `c` and 2 more, for which this net has no place");
    let set = |name: &'static str, at: usize, value: f32| {
        move |file: &mut File| {
            let tensor = &mut file.get_mut(name).unwrap().2;
            tensor[4 * at..4 * at + 4].copy_from_slice(&value.to_le_bytes());
        }
    };
    let nan = problem(&model(), false, set("outc.conv.bias", 1, f32::NAN));
    assert_eq!(nan, "tensor `outc.conv.bias` holds NaN at position 1, in float32");
    let variance = problem(&model(), false, set("inc.double_conv.1.running_var", 2, -1.0));
    assert!(
        variance.contains("`inc.double_conv.1.running_var` holds -1 at position 2; a variance is"),
        "{variance}"
    );
    let whole = problem(&model(), false, |file| {
        file.insert("outc.conv.bias".into(), (Dtype::I32, vec![3], vec![0; 12]));
    });
    assert_eq!(whole, "tensor `outc.conv.bias` is of type I32; expected F32, F16, BF16 or F64");
    let huge = problem(&model(), false, |file| {
        let bytes = [1e300_f64, 0.0, 0.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        file.insert("outc.conv.bias".into(), (Dtype::F64, vec![3], bytes));
    });
    assert!(huge.contains("holds inf at position 0, in float32"), "{huge}");
    let flat = problem(&model(), false, |file| {
        let weights = file.get_mut("outc.conv.weight").unwrap();
        weights.1 = vec![12];
    });
    assert!(flat.starts_with("tensor `outc.conv.weight` is [12], expected [3, 4, 1, 1]"), "{flat}");
    let unbiased = ModelConfig { bias: false, ..model() };
    let bias = problem(&unbiased, false, |_| ());
    assert!(bias.contains("and this net has no such bias; use --set model.bias=true"), "{bias}");

    let root = tempfile::tempdir().unwrap();
    let bad = root.path().join("bad");
    let whole = fs::read(fixture("start.safetensors")).unwrap();
    for bytes in [&whole[..whole.len() - 1], &whole[..100], &[], b"PK\x03\x04 a .pth file", &[0xff; 16]] {
        fs::write(&bad, bytes).unwrap();
        let text = torch_weights::load(&bad, &mut net(&model(), 0), false).unwrap_err().to_string();
        assert!(text.contains("not a whole safetensors file") && text.contains("save_file"), "{text}");
    }
    fs::remove_file(&bad).unwrap();
    let text = torch_weights::load(&bad, &mut net(&model(), 0), false).unwrap_err().to_string();
    assert!(text.starts_with("cannot read "), "{text}");
}

#[test]
fn the_last_layer_may_stay_fresh() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("w.safetensors");
    let mut two = file(&fixture("start.safetensors"));
    two.insert("outc.conv.weight".into(), (Dtype::F32, vec![2, 4, 1, 1], to_bytes(&[9.0; 8])));
    let (fresh, mut with, mut right) = (net(&model(), 3), net(&model(), 3), net(&model(), 4));
    torch_weights::load(&fixture("start.safetensors"), &mut right, false).unwrap();
    // Whatever the file holds of it, or nothing.
    let without = two.clone().into_iter().filter(|(name, _)| !name.starts_with("outc")).collect();
    for file in [two, without] {
        write(&path, &file);
        torch_weights::load(&path, &mut with, true).unwrap();
        for ((a, fresh), right) in with.parameters.iter().zip(&fresh.parameters).zip(&right.parameters) {
            let expected = if a.name.starts_with("head") { fresh } else { right };
            assert_eq!(a.values().unwrap(), expected.values().unwrap(), "{}", a.name);
        }
    }
    let other = problem(&ModelConfig { width: 8, ..model() }, true, |_| ());
    assert!(other.ends_with("width 4 (here 8): use --set model.width=4"), "{other}");
    let mut config = small(None);
    config.train.fresh_head = true;
    let text = config.validate().unwrap_err().to_string();
    assert!(text.starts_with("`train.fresh_head` is true, but without `train.weights`"), "{text}");
}

#[test]
fn other_precisions_are_converted_and_rounding_is_said() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("w.safetensors");
    let start = file(&fixture("start.safetensors"));
    let name = "down1.maxpool_conv.1.double_conv.3.weight";
    let original = values(&start[name].2);
    type Convert = fn(f32) -> (Vec<u8>, f32);
    let cases: [(Dtype, Convert, &[&str]); 3] = [
        (Dtype::F16, |x| (f16::from_f32(x).to_le_bytes().to_vec(), f16::from_f32(x).to_f32()), &[]),
        (Dtype::BF16, |x| (bf16::from_f32(x).to_le_bytes().to_vec(), bf16::from_f32(x).to_f32()), &[]),
        // A third of the way to the next f32: rounded back.
        (
            Dtype::F64,
            |x| ((f64::from(x) * (1.0 + 2e-8)).to_le_bytes().to_vec(), x),
            &["1 tensors of float64 were rounded to float32"],
        ),
    ];
    for (dtype, convert, notes) in cases {
        let mut converted = start.clone();
        let bytes = original.iter().flat_map(|&x| convert(x).0).collect();
        converted.insert(name.into(), (dtype, start[name].1.clone(), bytes));
        write(&path, &converted);
        let mut net = net(&model(), 0);
        assert_eq!(torch_weights::load(&path, &mut net, false).unwrap(), notes);
        // Back out again, so that the order of the axes is PyTorch's.
        let out = root.path().join("out.safetensors");
        torch_weights::save(&out, &net, 0, "").unwrap();
        let expected: Vec<f32> = original.iter().map(|&x| convert(x).1).collect();
        assert_eq!(values(&file(&out)[name].2), expected, "{dtype:?}");
    }
}

/// Early revisions of the PyTorch net have biases before their normalisations.
#[test]
fn biases_before_a_normalisation_go_into_its_mean() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("w.safetensors");
    let mut biased = file(&fixture("start.safetensors"));
    let right = config("sgd");
    let data = Dataset::load(&right.data).unwrap();
    let layers: Vec<String> =
        biased.keys().filter_map(|name| name.strip_suffix("running_mean").map(str::to_owned)).collect();
    assert_eq!(layers.len(), 10);
    for norm in layers {
        // N(Wx + b) with the mean μ + b is N(Wx) with μ.
        let mean = format!("{norm}running_mean");
        let means = values(&biased[&mean].2);
        let bias: Vec<f32> = (0..means.len()).map(|c| c as f32 / 4.0 - 1.0).collect();
        let shifted: Vec<f32> = means.iter().zip(&bias).map(|(mean, bias)| mean + bias).collect();
        biased.get_mut(&mean).unwrap().2 = to_bytes(&shifted);
        let (block, position) = norm.strip_suffix('.').unwrap().rsplit_once('.').unwrap();
        let convolution = position.parse::<usize>().unwrap() - 1;
        biased
            .insert(format!("{block}.{convolution}.bias"), (Dtype::F32, vec![means.len()], to_bytes(&bias)));
    }
    write(&path, &biased);
    let mut net = net(&model(), 0);
    let notes = torch_weights::load(&path, &mut net, false).unwrap();
    assert!(
        notes.len() == 1 && notes[0].starts_with("10 biases stand before batch normalisations"),
        "{notes:?}"
    );
    let apart = apart(&logits(&net, &data), &floats(&fixture("sgd/logits_start.npy")));
    assert!(apart <= 1e-5, "{apart}");
    let short = problem(&model(), false, |file| {
        file.insert("inc.double_conv.0.bias".into(), (Dtype::F32, vec![3], to_bytes(&[0.0; 3])));
    });
    assert!(short.contains("is [3], expected [4]"), "{short}");
}

#[test]
fn a_run_remembers_what_it_began_with() {
    let root = tempfile::tempdir().unwrap();
    let mut config = config("sgd");
    config.train.epochs = 1;
    let copy = root.path().join("copy.safetensors");
    fs::copy(fixture("start.safetensors"), &copy).unwrap();
    config.train.weights = Some(copy.clone());
    let checkpoint = trained(root.path(), &config);
    assert_eq!(checkpoint.meta.config.train.weights, Some(copy.clone()));
    let data = Dataset::load(&config.data).unwrap();
    // To go on, the file is not needed any more; another one cannot act.
    fs::remove_file(&copy).unwrap();
    let meta = checkpoint.meta.config.clone();
    assert_eq!(Trainer::resume(checkpoint.clone(), &meta, &data).unwrap().epoch(), 1);
    config.train.weights = None;
    let text = Trainer::resume(checkpoint, &config, &data).unwrap_err().to_string();
    assert!(text.starts_with("`train.weights` is absent, was "), "{text}");
}

#[test]
fn a_checkpoint_is_neither_read_as_weights_nor_overwritten() {
    let root = tempfile::tempdir().unwrap();
    let mut config = small(None);
    config.train.epochs = 1;
    let checkpoint = trained(root.path(), &config);
    let last = root.path().join("run/last.safetensors");
    let text = torch_weights::load(&last, &mut net(&config.model, 0), false).unwrap_err().to_string();
    assert!(text.ends_with("`segloss export --run RUN --out FILE.safetensors` writes its weights"), "{text}");
    let before = fs::read(&last).unwrap();
    let text = export(&checkpoint, &last).unwrap_err().to_string();
    assert!(
        text.contains(": is a file of the run in ") && text.ends_with("would be lost; choose another name"),
        "{text}"
    );
    assert!(before == fs::read(&last).unwrap());
    let copy = root.path().join("copy.safetensors");
    fs::copy(&last, &copy).unwrap();
    let text = export(&checkpoint, &copy).unwrap_err().to_string();
    assert!(text.ends_with("is a checkpoint of a run, which would be lost; choose another name"), "{text}");
    for name in ["model.pt", "model", ".onnx"] {
        let text = export(&checkpoint, &root.path().join(name)).unwrap_err().to_string();
        assert!(text.contains("must end in .onnx (to run the net) or .safetensors"), "{text}");
    }
}

/// The heads of deep supervision stay here: the file is that of the net without them.
#[test]
fn a_net_with_deep_supervision_is_written_without_its_lower_heads() {
    let root = tempfile::tempdir().unwrap();
    let plain = ModelConfig { width: 3, depth: 3, ..ModelConfig::default() };
    let deep = ModelConfig { deep_supervision: true, ..plain.clone() };
    let files = [&plain, &deep].map(|model| {
        let path = root.path().join("w.safetensors");
        torch_weights::save(&path, &net(model, 5), 7, "x").unwrap();
        fs::read(path).unwrap()
    });
    // Lower heads are drawn last: what the two nets share has the same first weights.
    assert!(files[0] == files[1]);
    let path = root.path().join("plain.safetensors");
    torch_weights::save(&path, &used(&plain), 7, "x").unwrap();
    let mut taken = net(&deep, 6);
    assert_eq!(torch_weights::load(&path, &mut taken, false).unwrap(), Vec::<String>::new());
    let shared = bits(&used(&plain));
    let weights: usize = used(&plain).parameter_count();
    assert_eq!(bits(&taken)[..weights], shared[..weights]);
}
