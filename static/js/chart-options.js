// What the chart of registered and active users looks like, as ECharts wants to be told.
//
// The data are {labels, registered, cumulative, endOfDay, running, names, locale}: lists of one
// length, a bar each; null where the day is still to come; running is the index of the bar that is
// not over, or null. Labels and names are written by the server, in the reader's language.

import { xAxis, yAxes } from "./chart-axes.js";
import { figuresOf } from "./chart-words.js";
import { tooltip } from "./chart-tooltip.js";

export { figuresOf };

// The last bar that is not still to come.
export function lastOf(data) {
  let last = data.labels.length - 1;
  while (last > 0 && data.registered[last] === null) last -= 1;
  return last;
}

// Towards the middle at both ends, so that it is not cut off.
function labelAlign(index, count) {
  if (index < count / 4) return "left";
  return index > (count * 3) / 4 ? "right" : "center";
}

function bars(data, colours) {
  // The bar that still grows is hatched and says so.
  const unfinished = (value) => ({
    value,
    itemStyle: {
      color: colours.ground,
      borderColor: colours.text,
      borderType: "dashed",
      decal: { color: colours.bar, dashArrayX: [1, 0], dashArrayY: [3, 3], rotation: -0.8 },
    },
    label: {
      show: true,
      position: "top",
      align: labelAlign(data.running, data.labels.length),
      color: colours.text,
      backgroundColor: colours.ground,
      formatter: data.names.running,
    },
  });
  return {
    type: "bar",
    name: data.names.registered,
    data: data.registered.map((value, i) => (i === data.running ? unfinished(value) : value)),
    barMaxWidth: 40,
    itemStyle: { color: colours.bar, borderRadius: [2, 2, 0, 0] },
  };
}

function line(name, values, lineStyle) {
  return {
    type: "line",
    name,
    yAxisIndex: 1,
    data: values,
    // A line of one point would not be seen.
    showSymbol: values.filter((value) => value !== null).length < 2,
    symbol: "circle",
    itemStyle: { color: lineStyle.color },
    lineStyle,
    emphasis: { disabled: true },
  };
}

export function optionsOf(data, colours, description) {
  const { names } = data;
  return {
    animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    animationDuration: 200,
    aria: { enabled: true, label: { description } },
    textStyle: { fontFamily: colours.font },
    grid: { left: 12, right: 12, top: 42, bottom: 12 },
    tooltip: tooltip(colours, (index) => figuresOf(data, index)),
    xAxis: xAxis(data, colours),
    yAxis: yAxes(data, colours),
    series: [
      bars(data, colours),
      line(names.endOfDay, data.endOfDay, { color: colours.thin, width: 1.5, type: "dashed" }),
      line(names.cumulative, data.cumulative, { color: colours.line, width: 2.5 }),
    ],
  };
}
