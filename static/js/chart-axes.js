// The axes of the chart: days below, registered users on the left, active ones on the right.

export function xAxis(data, colours) {
  return {
    type: "category",
    data: data.labels,
    name: data.names.grain,
    nameLocation: "middle",
    nameTextStyle: { color: colours.text },
    axisLine: { lineStyle: { color: colours.grid } },
    axisTick: { show: false },
    axisLabel: { color: colours.text, hideOverlap: true },
  };
}

function yAxis(data, colours, { name, side, scale }) {
  const format = new Intl.NumberFormat(data.locale);
  return {
    type: "value",
    name,
    position: side,
    // Above its figures, and grown towards the middle, so that it is not cut off.
    nameTextStyle: { color: colours.text, align: side },
    nameGap: 22,
    // Bars are compared by their length, lines by their course: only bars must begin at zero.
    scale,
    minInterval: 1,
    alignTicks: side === "right",
    splitLine: { show: side === "left", lineStyle: { color: colours.grid } },
    axisLabel: {
      color: colours.text,
      // People are whole. Ticks aligned with the other axis may fall between: they stay blank.
      formatter: (value) => (Number.isInteger(value) ? format.format(value) : ""),
    },
  };
}

// Only then is there a course to look at from near; nearer, the axis would end below zero.
function isFarFromZero(values) {
  const least = Math.min(...values);
  const most = Math.max(...values);
  return least > most / 2 && least < most;
}

export function yAxes(data, colours) {
  const { names } = data;
  const active = [...data.cumulative, ...data.endOfDay].filter((value) => value !== null);
  return [
    yAxis(data, colours, { name: names.registeredAxis, side: "left", scale: false }),
    yAxis(data, colours, { name: names.activeAxis, side: "right", scale: isFarFromZero(active) }),
  ];
}
