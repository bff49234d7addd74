//! Fewer points for the same line: what matplotlib's `path.simplify` is for.

/// How far, in points of the picture, a line may come to lie from where it was: a twentieth of a pixel,
/// half of matplotlib's `path.simplify_threshold`.
const TOLERANCE: f64 = 0.025;

type Point = (f64, f64);

/// Points looked at together: the time is at most their number for each point of the line.
const TOGETHER: usize = 4096;

/// The points of `line` without those that a straight line between their neighbours passes within
/// [`TOLERANCE`] (Douglas and Peucker's algorithm). A cubic of a thousand
/// points keeps one or two hundred.
pub(super) fn simplify(line: &[Point]) -> Vec<Point> {
    let last = line.len().saturating_sub(1);
    let mut kept: Vec<_> = line.first().copied().into_iter().collect();
    for start in (0..last).step_by(TOGETHER) {
        // The stretches between kept points that are still to be looked at, the leftmost on top.
        let mut ends = vec![(start + TOGETHER).min(last)];
        let mut from = start;
        while let Some(&to) = ends.last() {
            match farthest(line, from, to) {
                Some(middle) => ends.push(middle),
                None => {
                    kept.push(line[to]);
                    (from, _) = (to, ends.pop());
                }
            }
        }
    }
    kept
}

/// The point between two others that lies farthest from the line between them, if that is too far.
fn farthest(line: &[Point], from: usize, to: usize) -> Option<usize> {
    let away = (from + 1..to).map(|i| (i, squared_distance(line[i], line[from], line[to])));
    let (farthest, away) = away.max_by(|a, b| a.1.total_cmp(&b.1))?;
    (away > TOLERANCE * TOLERANCE).then_some(farthest)
}

/// From `p` to the nearest point of the line from `a` to `b`.
fn squared_distance(p: Point, a: Point, b: Point) -> f64 {
    let (along, off) = ((b.0 - a.0, b.1 - a.1), (p.0 - a.0, p.1 - a.1));
    let length = along.0 * along.0 + along.1 * along.1;
    let t = match length {
        0. => 0.,
        _ => ((off.0 * along.0 + off.1 * along.1) / length).clamp(0., 1.),
    };
    let (x, y) = (off.0 - t * along.0, off.1 - t * along.1);
    x * x + y * y
}

#[cfg(test)]
mod tests {
    use super::{TOLERANCE, simplify, squared_distance};

    #[test]
    fn a_line_stays_where_it_was() {
        let x = (0..1000).map(f64::from);
        let line: Vec<_> = x.map(|x| (x, 200. * (x / 160.).sin())).collect();
        let kept = simplify(&line);
        // A chord of length c leaves an arc of curvature κ by κc²/8: here c is 5.
        assert!((180..250).contains(&kept.len()), "{}", kept.len());
        assert_eq!((kept[0], kept.last()), (line[0], line.last()));
        let away = |p| {
            let pieces = kept.windows(2).map(|w| squared_distance(p, w[0], w[1]));
            pieces.fold(f64::INFINITY, f64::min).sqrt()
        };
        assert!(line.iter().all(|p| away(*p) <= TOLERANCE));
    }

    #[test]
    fn a_long_line_keeps_its_spikes() {
        let n = 3 * super::TOGETHER + 7;
        let spiked = |i: usize| if i % 1000 == 1 { 50. } else { 0. };
        let line: Vec<_> = (0..n).map(|i| (i as f64 / 100., spiked(i))).collect();
        let kept = simplify(&line);
        let spikes = kept.iter().filter(|p| p.1 == 50.).count();
        assert_eq!(spikes, n.div_ceil(1000));
        assert!(kept.len() < 5 * spikes, "{}", kept.len());
        assert!(kept.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn corners_stay_and_points_on_a_straight_line_go() {
        assert_eq!(simplify(&[]), []);
        assert_eq!(simplify(&[(1., 2.)]), [(1., 2.)]);
        let corner = [(0., 0.), (1., 1.), (2., 2.), (2., 0.), (2., 3.)];
        let kept = [(0., 0.), (2., 2.), (2., 0.), (2., 3.)];
        assert_eq!(simplify(&corner), kept);
        let there_and_back = [(0., 0.), (5., 5.), (0., 0.)];
        assert_eq!(simplify(&there_and_back), there_and_back);
    }
}
