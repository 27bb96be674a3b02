// What a chart says of the bar that is pointed at, line by line.
export function tooltip(colours, linesOf) {
  return {
    trigger: "axis",
    // Drawn, not written as HTML: that would carry style attributes, which the policy forbids.
    renderMode: "richText",
    confine: true,
    axisPointer: { type: "shadow" },
    backgroundColor: colours.text,
    borderWidth: 0,
    shadowBlur: 0,
    shadowOffsetX: 0,
    shadowOffsetY: 0,
    textStyle: { color: colours.ground, fontFamily: colours.font },
    formatter: ([{ dataIndex }]) => linesOf(dataIndex).join("\n"),
  };
}
