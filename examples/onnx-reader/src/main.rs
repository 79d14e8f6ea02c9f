//! `cargo run -- model.onnx image.png classes.png`: the class of every pixel, as a grey picture of class indices.

use std::error::Error;
use std::path::Path;

use segloss_onnx_reader::Net;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, image, out] = &arguments[..] else {
        return Err("expected MODEL.onnx IMAGE OUT.png".into());
    };
    let net = Net::open(Path::new(model))?;
    // 8-bit images; one of 16 bits would be read with `to_luma16`, and keep its values.
    let image = image::open(image)?;
    let (width, height) = (image.width(), image.height());
    let values = if net.channels == 1 { image.to_luma8().into_raw() } else { image.to_rgb8().into_raw() };
    let values: Vec<f32> = values.into_iter().map(f32::from).collect();
    let labels = net.predict(&values, (height as usize, width as usize))?;
    for (class, name) in net.classes.iter().enumerate() {
        let pixels = labels.iter().filter(|&&label| usize::from(label) == class).count();
        println!("{class} {name}: {pixels} pixels");
    }
    image::GrayImage::from_raw(width, height, labels).ok_or("too few labels")?.save(out)?;
    Ok(())
}
