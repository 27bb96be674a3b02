// What the chart of one user's viewing looks like, as ECharts wants to be told: stacked bars.
//
// The data are {kind: "stack", labels, series: [{name, tone, values}], isTime, locale, names}: each
// list of values has a bar for each label. A tone names a colour of the style sheet: "1" to "8",
// "rest". Times are seconds.

import { xAxis } from "./chart-axes.js";
import { tooltip } from "./chart-tooltip.js";

const MINUTE = 60;
const HOUR = 3600;
const MOST_PARTED = 62; // bars
const LONGEST_NAME = 40; // letters of a content's name in the tooltip

const pad = (number) => String(number).padStart(2, "0");
const clock = (seconds) =>
  `${Math.floor(seconds / HOUR)}:${pad(Math.floor(seconds / MINUTE) % MINUTE)}:${pad(seconds % MINUTE)}`;

const textOf = (data, value) =>
  data.isTime ? clock(value) : new Intl.NumberFormat(data.locale).format(value);

const short = (name) => (name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}…` : name);

export const lastOf = (data) => data.labels.length - 1;

// The figures of one bar in words, line by line: for the tooltip, and to be read aloud.
export function figuresOf(data, index) {
  const watched = data.series.filter((one) => one.values[index]);
  const total = watched.reduce((sum, one) => sum + one.values[index], 0);
  const lines = watched.map((one) => `${short(one.name)}: ${textOf(data, one.values[index])}`);
  if (watched.length !== 1) lines.push(`${data.names.total}: ${textOf(data, total)}`);
  return [data.labels[index], ...lines];
}

// Whole steps of a clock, so that an axis does not count in decimals of an hour.
const STEPS = [10, 30, MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR];
const MOST_STEPS = 6;

function scaleOf(data) {
  const whole = new Intl.NumberFormat(data.locale);
  if (!data.isTime) return { minInterval: 1, format: (value) => whole.format(value) };
  const sums = data.labels.map((_, i) => data.series.reduce((sum, one) => sum + one.values[i], 0));
  const most = Math.max(...sums);
  const days = 12 * HOUR * Math.ceil(most / MOST_STEPS / (12 * HOUR));
  const interval = STEPS.find((step) => most / step <= MOST_STEPS) ?? days;
  const max = interval * Math.ceil(most / interval);
  return { interval, max, format: interval < MINUTE ? clock : (value) => clock(value).slice(0, -3) };
}

export function optionsOf(data, colours, description) {
  const { format, ...scale } = scaleOf(data);
  return {
    animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    animationDuration: 200,
    aria: { enabled: true, label: { description } },
    textStyle: { fontFamily: colours.font },
    grid: { left: 12, right: 12, top: 42, bottom: 12 },
    tooltip: tooltip(colours, (index) => figuresOf(data, index)),
    xAxis: xAxis(data, colours),
    yAxis: {
      type: "value",
      name: data.names.axis,
      nameTextStyle: { color: colours.text, align: "left" },
      nameGap: 22,
      ...scale,
      splitLine: { lineStyle: { color: colours.grid } },
      axisLabel: { color: colours.text, formatter: format },
    },
    series: data.series.map((one) => ({
      type: "bar",
      stack: "contents",
      name: one.name,
      data: one.values,
      barMaxWidth: 40,
      // A line of the ground's colour parts neighbours whose colours are near.
      itemStyle: {
        color: colours.contents[one.tone],
        borderColor: colours.ground,
        // Bars so narrow would be border alone.
        borderWidth: data.labels.length > MOST_PARTED ? 0 : 0.5,
      },
    })),
  };
}
