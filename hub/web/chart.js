// Owns drawing a run of days: the area between low and high, a line along either end. The one place
// that knows how. Where the program was built without the library it draws nothing. What it shows
// stands in a table too, so that nobody depends on the picture.
import uPlot from '/uplot.js';
import { el, replace } from '/shared/dom.js';
import { locale, t } from '/shared/i18n.js';
import { number } from '/shared/words.js';

const HEIGHT = 260;
const NARROW = 500;
const STEPS = [-2, -1, 0, 1, 2, 3, 4, 5, 6].flatMap((power) => [1, 2, 5].map((n) => Number(`${n}e${power}`)));
const WEEKS = [1, 2, 7, 14, 28, 56, 91, 182];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const dayText = (day, options) => new Intl.DateTimeFormat(locale(), { timeZone: 'UTC', ...options }).format(Date.parse(day));

function axes(points, decimals) {
  const look = { stroke: () => colour('--soft'), grid: { stroke: () => colour('--edge'), width: 1 }, ticks: { show: false }, font: '14px system-ui, sans-serif' };
  const dayOf = (i) => (points[i] ? dayText(points[i].day, { day: 'numeric', month: 'short' }) : '');
  return [{ ...look, grid: { show: false }, incrs: WEEKS, space: 70, values: (u, at) => at.map(dayOf) },
    { ...look, size: 48, incrs: STEPS.filter((step) => decimals || step >= 1), values: (u, at) => at.map((value) => number(String(value))) }];
}

// Days without a figure break the lines: a gap is no zero. A day alone between gaps is a point.
function series(points) {
  const line = { spanGaps: false, width: 2, stroke: () => colour('--brand') };
  return [{}, { ...line, points: { show: points.length < 100, size: 6, fill: () => colour('--brand') } }, { ...line, width: 1, dash: [5, 4], points: { show: false } }];
}

function range(u, low, high) {
  const top = Math.max(1, high ?? 1);
  const step = 10 ** Math.floor(Math.log10(top));
  return [Math.min(0, low ?? 0), Math.ceil((top * 1.05) / step * 2) / 2 * step];
}

const dataOf = (points) => [points.map((p, i) => i), points.map((p) => p.low), points.map((p) => p.high)];

function draw(box, { points, decimals }, at) {
  const width = box.clientWidth;
  return new uPlot({
    width, height: width < NARROW ? HEIGHT * 0.8 : HEIGHT, legend: { show: false }, select: { show: false },
    cursor: { y: false, drag: { setScale: false }, points: { show: false } },
    scales: { x: { time: false, range: [-0.5, Math.max(1, points.length) - 0.5] }, y: { range } },
    axes: axes(points, decimals), series: series(points),
    bands: [{ series: [2, 1], fill: () => `${colour('--brand')}33` }],
    hooks: { setCursor: [(u) => at(u.cursor.idx)] },
  }, dataOf(points), box);
}

// "zo 22 nov 2026"
export const dayWords = (day) => dayText(day, { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' });

// What the picture says to whoever cannot see it: its ends, and where to read on.
function inWords(points, label) {
  const known = points.filter((p) => p.low !== null);
  if (!known.length) return t('trend.pictureEmpty', { what: label });
  const least = known.reduce((a, b) => (b.low < a.low ? b : a));
  const most = known.reduce((a, b) => (b.low > a.low ? b : a));
  const said = (p) => ({ figure: p.text, day: dayText(p.day, { dateStyle: 'long' }) });
  return [t('trend.picture', { what: label, count: known.length, days: points.length }), t('trend.least', said(least)), t('trend.most', said(most)), t('trend.last', said(known.at(-1)))].join(' ');
}

// { node, show(points, label, decimals) }. points: [{ day: '2026-11-20', low, high, text, coverage }] by
// day, numbers or null; text is the figure in words. decimals: whether there are parts of one. Follows the window's width and its colours.
export function trendChart(signal) {
  const box = el('div', { class: 'chart', role: 'img' });
  const under = el('p', { class: 'help under', 'aria-hidden': 'true' });
  const node = el('figure', { class: 'panel', hidden: true }, box, under);
  let drawn = null;
  let last = null;
  const at = (i) => {
    const p = last.points[i];
    replace(under, p ? `${dayText(p.day, { weekday: 'short', day: 'numeric', month: 'long' })}: ${[p.text, p.coverage].filter(Boolean).join(', ')}` : t('trend.point'));
  };
  const again = () => {
    drawn?.destroy();
    drawn = null;
    if (!last || !uPlot || !box.clientWidth) return;
    drawn = draw(box, last, at);
    at(null);
  };
  const watch = new ResizeObserver(() => { if (drawn?.width !== box.clientWidth) again(); });
  watch.observe(box);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', again, { signal });
  signal.addEventListener('abort', () => {
    watch.disconnect();
    drawn?.destroy();
  });
  return {
    node,
    show(points, label, decimals) {
      const before = last;
      last = { points, decimals };
      node.hidden = !uPlot;
      box.setAttribute('aria-label', inWords(points, label));
      const days = (of) => of && [of.decimals, of.points.length, of.points[0].day].join();
      if (drawn && days(before) === days(last)) drawn.setData(dataOf(points));
      else again();
    },
  };
}

export const hasCharts = uPlot !== null;
