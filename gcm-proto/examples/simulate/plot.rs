//! Drawings of campaigns: who was accepted and who was handed back, over time, one chart for each weather.

use gcm_testkit::sim::Counts;
use plotters::prelude::*;
use std::error::Error;

const COLUMNS: usize = 2;
const WIDTH: u32 = 480;
const HEIGHT: u32 = 240;
const ACCEPTED: RGBColor = RGBColor(0x1b, 0x7f, 0x4b);
const HANDED_BACK: RGBColor = RGBColor(0xc0, 0x39, 0x2b);

/// The charts as one SVG.
///
/// # Errors
///
/// What the drawing library has to say, which is nothing for a text in memory.
pub(crate) fn draw(campaigns: &[(&str, Counts)]) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    let rows = campaigns.len().div_ceil(COLUMNS).max(1);
    let columns = campaigns.len().clamp(1, COLUMNS);
    let size = (WIDTH * u32::try_from(columns)?, HEIGHT * u32::try_from(rows)?);
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE)?;
        for (area, (name, counts)) in root.split_evenly((rows, columns)).iter().zip(campaigns) {
            chart(area, name, counts)?;
        }
        root.present()?;
    }
    Ok(svg)
}

fn chart<'a>(
    area: &DrawingArea<SVGBackend<'a>, plotters::coord::Shift>,
    name: &str,
    counts: &Counts,
) -> Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>> {
    // Seconds after the last outcome have nothing to show.
    let mut points = vec![(0.0, 0.0, 0.0)];
    let (mut accepted, mut handed_back) = (0_u64, 0_u64);
    let step = counts.seconds.len().div_ceil(600).max(1);
    let mut end = 0.0_f64;
    for lot in counts.seconds.chunks(step) {
        for second in lot {
            accepted += u64::from(second.accepted);
            handed_back += u64::from(second.handed_back);
            end += 1.0;
        }
        points.push((end, thousands(accepted), thousands(handed_back)));
    }
    let most = thousands(accepted.max(handed_back).max(1));
    let mut chart = ChartBuilder::on(area)
        .caption(name, ("sans-serif", 18))
        .margin(8)
        .x_label_area_size(32)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..end.max(1.0), 0.0..most * 1.05)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .x_desc("seconds")
        .y_desc("thousands")
        .x_labels(6)
        .y_labels(5)
        .draw()?;
    let lines = [("accepted", ACCEPTED), ("handed back", HANDED_BACK)];
    for (n, (label, colour)) in lines.into_iter().enumerate() {
        let line = points
            .iter()
            .map(|(at, accepted, back)| (*at, if n == 0 { *accepted } else { *back }));
        chart
            .draw_series(LineSeries::new(line, colour.stroke_width(2)))?
            .label(label)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::MiddleRight)
        .border_style(BLACK.mix(0.2))
        .draw()
}

#[allow(clippy::cast_precision_loss)] // far below 2^52
fn thousands(count: u64) -> f64 {
    count as f64 / 1000.0
}
