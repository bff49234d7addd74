use candle_core::*;
use candle_sine::sine::figure::*;
use candle_sine::sine::*;
use std::ops::ControlFlow;
fn main() -> anyhow::Result<()> {
    let data = Data::new(1000, DType::F32, &Device::Cpu)?;
    let w0 = Weights::new(weights::POST.map(f64::from), DType::F32, &Device::Cpu)?;
    let h = train::train(
        gradient::Method::Manual.over(&data)?.as_mut(),
        w0.clone(),
        &Default::default(),
        &mut |e| {
            if let Some(l) = e.loss {
                println!("epoch : {}, loss : {l}", e.epoch);
            }
            Ok(ControlFlow::Continue(()))
        },
    )?;
    let ls = least_squares::LeastSquares::new(&data)?;
    let best = Weights::new(ls.optimum, DType::F32, &Device::Cpu)?;
    let t = std::time::Instant::now();
    let x: Vec<f64> = data.x.to_dtype(DType::F64)?.to_vec1()?;
    let y: Vec<f64> = data.y.to_dtype(DType::F64)?.to_vec1()?;
    let (p, r, b) = (
        train::curve(&data, &h.y_pred_weights)?,
        train::curve(&data, &w0)?,
        train::curve(&data, &best)?,
    );
    let c = Curves {
        x: &x,
        y: &y,
        y_pred: &p,
        y_rand: &r,
        y_best: &b,
    };
    for f in [Format::Png, Format::Svg] {
        let t = std::time::Instant::now();
        let marks: Vec<(usize, f64)> = (0..10).map(|k| (1 + 100 * k, h.losses[100 * k])).collect();
        std::fs::create_dir_all("out")?;
        for (n, fig) in [
            ("sine", post(&c)),
            ("y_true", single(Curve::True, &c)),
            ("overlay", overlay(&c)),
            ("loss", loss(1, &h.losses, Some(("the post", &marks)))),
        ] {
            std::fs::write(format!("out/{n}.{}", f.extension()), fig.render(f)?)?;
            println!("{n} {:?}", t.elapsed());
        }
    }
    println!(
        "{:?} {:?}",
        ls.epochs_to(weights::POST.map(f64::from), 6e-6, 0.04),
        t.elapsed()
    );
    Ok(())
}
