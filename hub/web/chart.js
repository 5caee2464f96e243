// Owns drawing a run of days: the range between low and high, and a line along the low end. The one
// place that knows how: another way of drawing takes its place behind `trendChart`. What it shows
// stands in a table too, so that nobody depends on the picture.
import { t } from '/shared/i18n.js';

const WIDTH = 800;
const HEIGHT = 240;
const EDGE = { left: 48, right: 12, top: 12, bottom: 28 };

function svg(tag, attributes, ...children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// Days without a figure break the run: a gap is no zero.
function runs(points) {
  const found = [[]];
  points.forEach((p, i) => {
    if (p.low === null) found.push([]);
    else found.at(-1).push({ ...p, i });
  });
  return found.filter((run) => run.length);
}

function scale(points) {
  const top = Math.max(1, ...points.flatMap((p) => [p.low ?? 0, p.high ?? 0]));
  const step = 10 ** Math.floor(Math.log10(top));
  const max = 2 * Math.ceil(top / step / 2) * step;
  const wide = Math.max(1, points.length - 1);
  return {
    max,
    x: (i) => EDGE.left + (i / wide) * (WIDTH - EDGE.left - EDGE.right),
    y: (value) => HEIGHT - EDGE.bottom - (Math.max(0, value) / max) * (HEIGHT - EDGE.top - EDGE.bottom),
  };
}

const at = (s, i, value) => `${s.x(i).toFixed(1)},${s.y(value).toFixed(1)}`;

function drawRun(s, run) {
  const low = run.map((p) => at(s, p.i, p.low));
  const high = run.map((p) => at(s, p.i, p.high ?? p.low)).reverse();
  if (run.length === 1) return [svg('circle', { class: 'dot', cx: s.x(run[0].i), cy: s.y(run[0].low), r: 4 })];
  return [svg('polygon', { class: 'range', points: [...low, ...high].join(' ') }), svg('polyline', { class: 'low', points: low.join(' ') })];
}

// points: [{ day: '2026-11-20', low, high }], numbers or null, by day.
export function trendChart(points, label) {
  const s = scale(points);
  const grid = [0, s.max / 2, s.max].flatMap((value) => [
    svg('line', { class: 'grid', x1: EDGE.left, x2: WIDTH - EDGE.right, y1: s.y(value), y2: s.y(value) }),
    svg('text', { class: 'tick', x: EDGE.left - 6, y: s.y(value) + 4, 'text-anchor': 'end' }, String(value))]);
  const days = points.length < 2 ? [0] : [0, points.length - 1];
  const names = days.map((i) => svg('text', { class: 'tick', x: s.x(i), y: HEIGHT - 8, 'text-anchor': i ? 'end' : 'start' }, points[i]?.day ?? ''));
  return svg('svg', { class: 'chart', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': t('trend.picture', { what: label }) },
    ...grid, ...names, ...runs(points).flatMap((run) => drawRun(s, run)));
}
