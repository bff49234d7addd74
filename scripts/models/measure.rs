//! One model at a time: its values, autograd's gradient, what gradcheck says, and numeric derivatives.
use crate::{Case, audio, diffusion, language, vision};
use candle_core::{DType, Device, Result, Tensor, Var, bail};
use candle_nn::{VarBuilder, VarMap};
use candle_sine::gradcheck::{self, Options};
use std::collections::BTreeMap;
use std::time::Instant;

type Vars = BTreeMap<String, Var>;

/// What the command line asks for.
struct Asked {
    names: Vec<String>,
    truth: bool,
    forward: bool,
    seeds: Vec<u64>,
    list: bool,
}

fn asked(args: impl Iterator<Item = String>) -> Result<Asked> {
    let mut asked = Asked { names: vec![], truth: false, forward: false, seeds: vec![0], list: false };
    for arg in args {
        match arg.as_str() {
            "--truth" => asked.truth = true,
            "--forward" => asked.forward = true,
            "--list" => asked.list = true,
            "--no-check" => asked.seeds.clear(),
            flag if flag.starts_with("--seeds=") => match flag[8..].parse() {
                Ok(n) => asked.seeds = (0..n).collect(),
                Err(_) => bail!("--seeds is a number, not {:?}", &flag[8..]),
            },
            flag if flag.starts_with("--") => {
                bail!("{flag}: only --list, --forward, --truth, --no-check and --seeds=N are allowed")
            }
            name => asked.names.push(name.to_string()),
        }
    }
    Ok(asked)
}

pub fn run(args: impl Iterator<Item = String>) -> Result<()> {
    let asked = asked(args)?;
    let all = || [language::CASES, vision::CASES, audio::CASES, diffusion::CASES].into_iter().flatten();
    if let Some(name) = asked.names.iter().find(|name| all().all(|case| case.name != **name)) {
        bail!("no model {name:?}: --list names them")
    }
    let chosen = all().filter(|case| asked.names.is_empty() || asked.names.iter().any(|n| n == case.name));
    for case in chosen {
        match asked.list {
            true => println!("{}\t{}", case.name, case.file),
            false => {
                let start = Instant::now();
                let outcome = std::panic::catch_unwind(|| measure(case, &asked)).unwrap_or_else(|_| bail!("a panic"));
                let said = match outcome {
                    Ok(()) => String::new(),
                    Err(e) => {
                        let e = e.to_string().lines().next().unwrap_or_default().to_string();
                        println!("error\t{}\t{}\t{e}", case.name, case.file);
                        format!(", failed: {e}")
                    }
                };
                eprintln!("{} {:.1} s{said}", case.name, start.elapsed().as_secs_f64());
            }
        }
    }
    Ok(())
}

fn measure(case: &Case, asked: &Asked) -> Result<()> {
    let varmap = VarMap::new();
    if asked.forward {
        println!("model\t{}\t{}", case.name, case.file);
        return loss(case, VarBuilder::from_varmap(&varmap, DType::F32, &Device::Cpu)).map(|_| ());
    }
    let vars = filled(case, &varmap, DType::F32)?;
    let single = |vb: VarBuilder| loss(case, vb)?.to_dtype(DType::F32);
    let builder = || VarBuilder::from_varmap(&varmap, DType::F32, &Device::Cpu);
    let value = single(builder())?;
    let grads = match value.backward() {
        Ok(grads) => grads,
        Err(e) => bail!("backward: {e}"),
    };
    let grads: BTreeMap<&str, Option<Vec<f64>>> = vars
        .iter()
        .map(|(name, var)| Ok((name.as_str(), grads.get(var).map(numbers).transpose()?)))
        .collect::<Result<_>>()?;
    // Hundreds of thousands of numbers would take gradcheck, and walks tensor by tensor, minutes each.
    let large = vars.values().map(|var| var.elem_count()).sum::<usize>() > 100_000;
    let seeds = if large { &[] } else { asked.seeds.as_slice() };
    let reports = seeds.iter().map(|seed| gradcheck::model(&varmap, single, &Options::default().seed(*seed)));
    let reports = reports.collect::<Result<Vec<_>>>()?;
    let truth = if asked.truth { Some(Truth::of(case, vars.clone(), &varmap)?) } else { None };
    let together = match &truth {
        Some(truth) if large => truth.agrees_with(&grads)?,
        _ => false,
    };
    let passes: Vec<_> = reports.iter().map(|r| format!("{}+{}", r.passes, r.forwards)).collect();
    let dtype = truth.as_ref().map_or("-", |t| t.dtype.as_str());
    println!("model\t{}\t{}\t{:e}\t{dtype}\t{}", case.name, case.file, value.to_scalar::<f32>()?, passes.join(","));
    for (name, grad) in &grads {
        let mut says: Vec<_> = reports.iter().map(|r| r.parameter(name).map_or("-", |p| p.verdict.name())).collect();
        says.extend(large.then_some("-"));
        let norm = grad.as_ref().map(|g| g.iter().map(|g| g * g).sum::<f64>().sqrt());
        let norm = norm.map_or("none".to_string(), |norm| format!("{norm:e}"));
        let mut along = String::new();
        for stream in 1..4 {
            let u = Random::of(name, stream).signs(vars[*name].elem_count());
            let autograd = grad.as_ref().map_or(f64::NAN, |g| g.iter().zip(&u).map(|(g, u)| g * u).sum());
            let [numeric, error] = match &truth {
                None => [f64::NAN; 2],
                // Walks of all tensors together have shown that autograd is right.
                Some(_) if together && autograd.is_finite() => [autograd, 0.],
                Some(truth) => truth.derivative(name, &u)?,
            };
            along += &format!("\t{autograd:e} {numeric:e} {error:.1e}");
        }
        println!("tensor\t{}\t{name}\t{}\t{norm}\t{}{along}", case.name, vars[*name].elem_count(), says.join(","));
    }
    Ok(())
}

/// The mean squared distance of the output from fixed numbers, summed in f64.
fn loss(case: &Case, vb: VarBuilder) -> Result<Tensor> {
    let y = (case.forward)(vb)?.flatten_all()?.to_dtype(DType::F64)?;
    let target: Vec<f64> = (0..y.elem_count()).map(|k| (1.3 * k as f64 + 0.1).cos()).collect();
    (&y - Tensor::from_vec(target, y.dims(), &Device::Cpu)?)?.sqr()?.mean_all()
}

/// The model's variables, made by its own constructor, with values that depend on their names alone.
fn filled(case: &Case, varmap: &VarMap, dtype: DType) -> Result<Vars> {
    loss(case, VarBuilder::from_varmap(varmap, dtype, &Device::Cpu))?;
    let vars: Vars = varmap.data().lock().expect("no thread panicked").clone().into_iter().collect();
    for (name, var) in &vars {
        var.set(&Tensor::from_vec(values(name, var.dims()), var.dims(), &Device::Cpu)?.to_dtype(DType::F32)?.to_dtype(dtype)?)?;
    }
    Ok(vars.into_iter().filter(|(name, _)| !["running_mean", "running_var"].iter().any(|b| name.ends_with(b))).collect())
}

/// Matrices with a deviation of 1 / sqrt(inputs), scales about 1, biases about 0, variances above 0.
fn values(name: &str, dims: &[usize]) -> Vec<f64> {
    let mut random = Random::of(name, 0);
    let n: usize = dims.iter().product();
    let last = name.rsplit('.').next().unwrap_or(name);
    let vector = dims.iter().filter(|d| **d > 1).count() <= 1;
    let scale = ["weight", "gamma", "scale", "lambda", "weight_g", "original0", "alpha", "norm", "running_var", "codebook"];
    let (mean, deviation) = match vector {
        true if scale.iter().any(|s| last.contains(s)) => (1., 0.1),
        true => (0., 0.1),
        false if last == "original0" || last == "weight_g" => (1., 0.1),
        false => (0., 1. / ((n / dims[0].max(1)).max(1) as f64).sqrt()),
    };
    (0..n).map(|_| mean + deviation * random.normal()).collect()
}

/// Numeric derivatives, which know nothing of autograd: in f64 where the model runs in it.
struct Truth<'a> {
    case: &'a Case,
    varmap: VarMap,
    vars: Vars,
    dtype: DType,
    loss: f64,
}

impl<'a> Truth<'a> {
    fn of(case: &'a Case, single: Vars, varmap: &VarMap) -> Result<Self> {
        let double = VarMap::new();
        let (varmap, vars, dtype) = match filled(case, &double, DType::F64) {
            Ok(vars) if vars.values().all(|v| v.dtype() == DType::F64) => (double, vars, DType::F64),
            _ => (varmap.clone(), single, DType::F32),
        };
        let mut truth = Self { case, varmap, vars, dtype, loss: 0. };
        truth.loss = truth.value()?;
        Ok(truth)
    }

    fn value(&self) -> Result<f64> {
        let vb = VarBuilder::from_varmap(&self.varmap, self.dtype, &Device::Cpu);
        loss(self.case, vb)?.to_scalar()
    }

    /// Whether autograd's gradients, of all tensors that have one, are right within 20%: six walks that move all of
    /// them at once, with random signs, each as much as makes its share of the loss about 1.
    fn agrees_with(&self, grads: &BTreeMap<&str, Option<Vec<f64>>>) -> Result<bool> {
        let norm = |g: &[f64]| g.iter().map(|g| g * g).sum::<f64>().sqrt();
        let moved: Vec<(&str, &[f64], f64)> = grads
            .iter()
            .filter_map(|(name, g)| g.as_deref().map(|g| (*name, g, norm(g))))
            .filter(|(_, _, norm)| *norm > 1e-9)
            .collect();
        let start: Vec<Vec<f64>> = moved.iter().map(|(name, ..)| numbers(&self.vars[*name])).collect::<Result<_>>()?;
        let reach = start.iter().zip(&moved).map(|(x, (.., size))| size * norm(x) / (x.len() as f64).sqrt());
        let step = 1e-4 * reach.fold(f64::INFINITY, f64::min);
        let mut agrees = self.dtype == DType::F64;
        for stream in 10..16 {
            let signs: Vec<Vec<f64>> = moved.iter().map(|(name, g, _)| Random::of(name, stream).signs(g.len())).collect();
            let at = |h: f64| -> Result<f64> {
                for (((name, _, size), x), s) in moved.iter().zip(&start).zip(&signs) {
                    let x: Vec<f64> = x.iter().zip(s).map(|(x, s)| x + h * s / size).collect();
                    let var = &self.vars[*name];
                    var.set(&Tensor::from_vec(x, var.dims(), &Device::Cpu)?.to_dtype(self.dtype)?)?;
                }
                self.value()
            };
            let shares = moved.iter().zip(&signs).map(|((_, g, size), s)| g.iter().zip(s).map(|(g, s)| g * s).sum::<f64>() / size);
            let [long, short] = [(at(step)? - at(-step)?) / (2. * step), (at(step / 2.)? - at(-step / 2.)?) / step];
            let autograd: f64 = shares.sum();
            agrees &= (short - autograd).abs() < 0.1 && (long - short).abs() < 0.1;
        }
        for ((name, ..), x) in moved.iter().zip(start) {
            let var = &self.vars[*name];
            var.set(&Tensor::from_vec(x, var.dims(), &Device::Cpu)?.to_dtype(self.dtype)?)?;
        }
        eprintln!("{}: all tensors together, autograd {}", self.case.name, if agrees { "agrees" } else { "does not agree" });
        Ok(agrees)
    }

    /// Central differences over a ladder of halved steps, each two extrapolated; the one that agrees best with those
    /// beside it. Steps that are short for f64 first, unless something inside the model is in f32 all the same.
    fn derivative(&self, name: &str, u: &[f64]) -> Result<[f64; 2]> {
        let [d, error] = match self.dtype {
            DType::F64 => self.ladder(name, u, 1e-4, 2, 1e-15)?,
            _ => [f64::NAN, f64::INFINITY],
        };
        match error < 1e-4 * d.abs() + 1e-9 * self.loss.abs() {
            true => Ok([d, error]),
            false => {
                let longer = self.ladder(name, u, 0.1, 7, 3e-8)?;
                Ok(if longer[1] < error { longer } else { [d, error] })
            }
        }
    }

    fn ladder(&self, name: &str, u: &[f64], first: f64, steps: u32, rounding: f64) -> Result<[f64; 2]> {
        let var = &self.vars[name];
        let start = numbers(var)?;
        let rms = (start.iter().map(|x| x * x).sum::<f64>() / start.len() as f64).sqrt().max(1e-3);
        let at = |h: f64| -> Result<f64> {
            let x: Vec<f64> = start.iter().zip(u).map(|(x, u)| x + h * u).collect();
            var.set(&Tensor::from_vec(x, var.dims(), &Device::Cpu)?.to_dtype(self.dtype)?)?;
            self.value()
        };
        let mut before: Vec<f64> = vec![];
        let mut best = [f64::NAN, f64::INFINITY];
        let mut extrapolated: Vec<f64> = vec![];
        for k in 0..steps {
            let h = first * rms / f64::from(1 << k);
            let central = (at(h)? - at(-h)?) / (2. * h);
            if let Some(longer) = before.last() {
                let d = (4. * central - longer) / 3.;
                let beside = extrapolated.iter().rev().take(2).map(|x| (x - d).abs()).fold((d - central).abs(), f64::max);
                let error = beside + rounding * self.loss.abs() / h;
                if error < best[1] {
                    best = [d, error];
                }
                extrapolated.push(d);
            }
            before.push(central);
        }
        at(0.)?;
        Ok(best)
    }
}

fn numbers(x: &Tensor) -> Result<Vec<f64>> {
    x.flatten_all()?.to_dtype(DType::F64)?.to_vec1()
}

/// splitmix64, seeded by a name.
struct Random(u64);

impl Random {
    fn of(name: &str, stream: u64) -> Self {
        let hash = name.bytes().fold(0xcbf29ce484222325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100000001b3));
        Self(hash ^ stream.wrapping_mul(0xD1B54A32D192ED03))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E3779B97F4A7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58476D1CE4E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D049BB133111EB);
        z ^ (z >> 31)
    }

    fn normal(&mut self) -> f64 {
        let mut uniform = || (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        let (u, v) = (uniform().max(1e-300), uniform());
        (-2. * u.ln()).sqrt() * (2. * std::f64::consts::PI * v).cos()
    }

    fn signs(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| if self.next() >> 63 == 0 { 1. } else { -1. }).collect()
    }
}
